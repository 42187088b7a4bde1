import { mkdtempSync } from 'node:fs'
import { verdictMap } from '../../daemon/core/policy/base.ts'
import { IPV4 } from '../../ipam/core/ip.ts'
import { ControlPlane } from './control-plane.ts'
import { type Figure, figure } from './figure.ts'
import { answer } from './inside.ts'
import { type Monitor, monitorElements } from './monitor.ts'
import {
  type Change,
  fromAnswer,
  fromRequest,
  MEMORY,
  MEMORY_FILE,
  MEMORY_PEAK,
  POD_CHANGES,
  POLICY_CHANGES,
  START,
} from './names.ts'
import { internalIp, type Place } from './node-object.ts'
import { NODES, PodCrowd } from './pod-crowd.ts'
import { NAMESPACES, placeOf, podIp, PODS } from './pod-object.ts'
import { memoryMb } from './process.ts'
import { connect, nft, startDaemon } from './subject.ts'

/*
 * A daemon, a real API server that holds the cluster's objects, and the kernel: how long one change takes from the API
 * server to an element in the kernel. Usage: policy-daemon.ts ROUNDS
 */

/** Where each pod's chain is to be found. */
const MAP = verdictMap('ingress', IPV4)

async function measure(rounds: number): Promise<Figure[]> {
  connect()
  const folder = mkdtempSync('/run/bench-')
  const plane = await ControlPlane.start(`${folder}/plane`, internalIp(0))
  const crowd = new PodCrowd(plane)
  await crowd.gather()
  const { pid, startMs } = await startDaemon(folder, plane.kubeconfig)
  mustBeComplete()
  const { now, file } = memoryMb(pid)
  const changes = await change(crowd, rounds)
  const one = (name: string, unit: 'ms' | 'MB', value: number): Figure =>
    figure('daemon', name, 'podwire', unit, [value])
  return [
    one(START, 'ms', startMs),
    ...changes,
    one(MEMORY, 'MB', now),
    one(MEMORY_FILE, 'MB', file),
    one(MEMORY_PEAK, 'MB', memoryMb(pid).peak),
  ]
}

/** That it calls itself ready is not enough: the kernel is asked. */
function mustBeComplete(): void {
  const count = (nft('list', 'map', 'inet', 'podwire', MAP).match(/ : goto /g) ?? []).length
  if (count !== PODS) throw new Error(`The daemon is ready with ${count} of ${PODS} pods under a policy`)
}

/** How long one change took, in milliseconds. */
interface Step {
  readonly change: Change
  readonly fromRequest: number
  /** Negative when the daemon was faster than the API server's answer. */
  readonly fromAnswer: number
}

async function change(crowd: PodCrowd, rounds: number): Promise<Figure[]> {
  const monitor = await monitorElements()
  const steps: Step[] = []
  // The first round warms everything up.
  for (let round = 0; round <= rounds; round++) {
    const place = PODS + round
    await crowd.create(place)
    for (const [name, ask, line] of changesOf(crowd, round, place)) {
      const step = await timed(monitor, name, ask, line)
      if (round > 0) steps.push(step)
    }
  }
  return [...Map.groupBy(steps, step => step.change)].flatMap(([name, own]) => [
    figure(
      'daemon',
      fromRequest(name),
      'podwire',
      'ms',
      own.map(step => step.fromRequest),
    ),
    figure(
      'daemon',
      fromAnswer(name),
      'podwire',
      'ms',
      own.map(step => step.fromAnswer),
    ),
  ])
}

/** What is asked of the API server, and the line that tells of it. */
function changesOf(crowd: PodCrowd, round: number, place: Place): [Change, () => Promise<string>, RegExp][] {
  const [comes, relabels, goes] = POD_CHANGES
  const [policyComes, policyGoes] = POLICY_CHANGES
  const own = podIp(place, NODES)
  const other = podIp(placeOf(round % NAMESPACES, 'db'), NODES)
  return [
    [comes, () => crowd.start(place), lineOf('create', own)],
    [relabels, () => crowd.relabel(place, 'cache'), lineOf('create', own)],
    [goes, () => crowd.remove(place), lineOf('delete', own)],
    [policyComes, () => crowd.addExtra(round), lineOf('(?:add|create)', other)],
    [policyGoes, () => crowd.removeExtra(round), lineOf('(?:add|create)', other)],
  ]
}

const lineOf = (verb: string, address: string): RegExp =>
  new RegExp(`^${verb} element inet podwire ${MAP} \\{ ${address.replaceAll('.', '\\.')} `)

async function timed(
  monitor: Monitor,
  name: Change,
  ask: () => Promise<string>,
  line: RegExp,
): Promise<Step> {
  const seen = monitor.expect(line)
  const started = performance.now()
  await ask()
  const answered = performance.now()
  const inForce = await seen
  return { change: name, fromRequest: inForce - started, fromAnswer: inForce - answered }
}

answer(await measure(Number(process.argv[2])))
