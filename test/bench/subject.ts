import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { until } from '../conformance/until.ts'
import { startLogged } from './child.ts'
import { internalIp, nodeName } from './node-object.ts'

const PODWIRED = `${import.meta.dirname}/../../dist/podwired`

export const ip = (...args: readonly string[]): string => execFileSync('ip', args, { encoding: 'utf8' })
export const nft = (...args: readonly string[]): string => execFileSync('nft', args, { encoding: 'utf8' })

/** Makes this namespace a node whose network holds all others, so that each can be routed to. */
export function connect(): void {
  ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'segment')
  ip('address', 'add', `${internalIp(0)}/16`, 'dev', 'eth0')
  for (const name of ['eth0', 'segment']) ip('link', 'set', name, 'up')
  ip('route', 'add', 'default', 'via', '172.16.255.254')
}

/** A daemon at work. */
export interface Subject {
  readonly pid: number
  /** From its start to the moment when all of its state was in force. */
  readonly startMs: number
}

/** Starts podwired of the node with place 0 in a folder of its own, and waits until it is ready. */
export async function startDaemon(folder: string, kubeconfig: string): Promise<Subject> {
  for (const name of ['bin', 'conf']) mkdirSync(`${folder}/${name}`)
  const folders = [`--cni-bin-dir=${folder}/bin`, `--cni-conf-dir=${folder}/conf`]
  const args = [`--kubeconfig=${kubeconfig}`, `--node-name=${nodeName(0)}`, ...folders]
  const started = performance.now()
  const { pid } = startLogged(PODWIRED, args, `${folder}/podwired.log`)
  await until('the daemon to be ready', isReady, { deadline: 120_000 })
  return { pid: pid!, startMs: performance.now() - started }
}

const isReady = async (): Promise<boolean> => (await fetch('http://127.0.0.1:9117/readyz')).ok
