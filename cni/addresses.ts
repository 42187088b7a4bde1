import { reserve } from '../ipam/add.ts'
import { tryLock } from '../ipam/edge/lock.ts'
import { collect, holders } from '../ipam/gc.ts'
import { giveBack } from '../ipam/del.ts'
import { ipam } from '../ipam/plugin.ts'
import { callDelegate, findDelegate } from './edge/delegate.ts'
import { quietly } from './edge/apply.ts'
import { forgetAddresses, forgetContainer } from './edge/neighbour.ts'
import { CniError, messageOf } from './spec/error.ts'
import type { AttachmentCall, Call, DelCall, GcCall } from './spec/plugin.ts'
import type { JsonObject } from './spec/read.ts'
import { parseResult } from './spec/result-parse.ts'
import type { Result } from './spec/result.ts'

/** The address plugin that needs no process of its own: the same code, called here. */
const BUILT_IN = 'podwire-ipam'

/**
 * Gets addresses from the plugin that `ipam.type` names; giving them back goes onto `undo`. Until `ending` ends, the
 * addresses show that their ADD is under way: it holds them, and nothing else tells yet that somebody lives by them.
 */
export async function getAddresses(
  call: AttachmentCall,
  type: string,
  undo: AsyncDisposableStack,
  ending: DisposableStack,
): Promise<Result> {
  if (type === BUILT_IN) {
    const { result, release, settle } = reserve(call, tryLock)
    ending.defer(settle)
    undo.defer(() => quietly(call, release))
    return result
  }
  // A plugin that is not there has nothing to undo.
  findDelegate(call, type)
  // Registered first: SPEC section 4 wants a DEL also after an ADD of the delegate that failed half-way.
  undo.defer(() => quietly(call, async () => void (await callDelegate(call, type, 'DEL'))))
  const answer = await callDelegate(call, type, 'ADD')
  const result = answer === undefined ? undefined : readAnswer(call, type, answer)
  if (result !== undefined && result.ips.length > 0) return result
  throw new CniError(
    'delegate-failed',
    `Cannot use the plugin "${type}": it answered without an address; check "ipam"`,
  )
}

function readAnswer(call: AttachmentCall, type: string, answer: JsonObject): Result {
  try {
    return parseResult(answer, call.config.version, `the answer of "${type}"`)
  } catch (cause) {
    throw new CniError('delegate-failed', `Cannot use the plugin "${type}": ${messageOf(cause)}`, { cause })
  }
}

/** Gives an attachment's addresses back. In the moment before the node forgets whose they are: then they may be another's. */
export async function releaseAddresses(call: DelCall, type: string): Promise<void> {
  if (type === BUILT_IN) return giveBack(call, addresses => forgetAddresses(call, addresses))
  forgetContainer(call)
  await callDelegate(call, type, 'DEL')
}

/** Lets the address plugin check that the attachment still holds its addresses. */
export const checkAddresses = (call: AttachmentCall, type: string): Promise<void> =>
  forward(call, type, 'CHECK', () => ipam.check(call))

/** Lets the address plugin free what no valid attachment holds. Of another plugin's nobody here hears which that is. */
export const collectAddresses = (call: GcCall, type: string): Promise<void> =>
  forward(call, type, 'GC', async () => collect(call, addresses => forgetAddresses(call, addresses)))

/** Who holds addresses of the network; of another plugin's nobody can tell. */
export const addressHolders = (call: GcCall, type: string): ReturnType<typeof holders> =>
  type === BUILT_IN ? holders(call) : []

/** Asks the address plugin whether it can serve an ADD. */
export const addressStatus = (call: Call, type: string): Promise<void> =>
  forward(call, type, 'STATUS', () => ipam.status(call))

async function forward(
  call: Call,
  type: string,
  command: string,
  builtIn: () => Promise<void>,
): Promise<void> {
  if (type === BUILT_IN) await builtIn()
  else await callDelegate(call, type, command)
}
