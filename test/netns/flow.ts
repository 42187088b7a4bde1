import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Lab } from './lab.ts'

const PROGRAM = `${import.meta.dirname}/flow-process.ts`

/** Where a flow goes: a namespace, and an address in it. */
export interface End {
  readonly netns: string
  readonly address: string
}

/** Sends bytes over TCP from a namespace to another; answers how many seconds passed from the first to the last. */
export async function flow(lab: Lab, from: string, to: End, bytes: number): Promise<number> {
  const command = [`--net=${lab.path(to.netns)}`, process.execPath, PROGRAM, 'receive']
  const receiver = spawn('nsenter', command, { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const lines = createInterface({ input: receiver.stdout })[Symbol.asyncIterator]()
    const line = async (): Promise<string> => String((await lines.next()).value)
    await lab.inside(from, process.execPath, PROGRAM, 'send', to.address, await line(), String(bytes))
    const received = JSON.parse(await line()) as { bytes: number; ms: number }
    if (received.bytes !== bytes) throw new Error(`${received.bytes} of ${bytes} bytes came`)
    return received.ms / 1000
  } finally {
    receiver.kill()
  }
}
