import { decode, parseNetworkConfig, parseValidAttachments } from './config.ts'
import { type Attachment, type NetnsPath, parseCommand, parseEnvironment } from './environment.ts'
import { messageOf } from './error.ts'
import { errorJson, isBug, VERSION_ANSWER } from './output.ts'
import type { AttachmentCall, Call, DelCall, Plugin } from './plugin.ts'
import type { JsonObject } from './read.ts'
import { formatResult } from './result-format.ts'
import { openTrace } from './trace.ts'
import { type CniVersion, NEWEST, refuseTooOld, VERSIONS } from './version.ts'
import type { World } from './world.ts'

/**
 * Answers one CNI call: exactly one JSON on stdout, or nothing; returns the exit code. Never throws.
 * The order of the checks is that of the reference (its pkg/skel), which runtimes and their tests know.
 */
export async function run(world: World, plugin: Plugin): Promise<number> {
  const command = world.env['CNI_COMMAND'] ?? ''
  if (command === '') return introduce(world, plugin)
  const answer = await answerTo(world, plugin)
  if (answer.ok) return deliver(world, answer)
  if (isBug(answer.thrown)) world.stderr(stackOf(answer.thrown))
  await print(world, errorJson(answer.thrown, answer.version, command))
  return 1
}

/** Somebody started the program by hand. */
function introduce(world: World, plugin: Plugin): number {
  world.stderr(plugin.about)
  world.stderr(`CNI protocol versions supported: ${VERSIONS.join(', ')}`)
  return 0
}

/** What goes to stdout; for a failure with the version that its reader speaks: the config's, once that is known. */
type Answer =
  | { readonly ok: true; readonly json: JsonObject | undefined; readonly takeBack?: () => Promise<void> }
  | { readonly ok: false; readonly thrown: unknown; readonly version: CniVersion }

async function answerTo(world: World, plugin: Plugin): Promise<Answer> {
  const started = world.now()
  let version = NEWEST
  try {
    const command = parseCommand(world.env)
    if (command === 'VERSION') return { ok: true, json: VERSION_ANSWER }
    const env = parseEnvironment(command, world.env)
    const json = decode(await world.stdin())
    version = versionOf(json)
    const config = parseNetworkConfig(json)
    refuseTooOld(env.command, config.version)
    const trace = openTrace(world, env, config, started)
    const call: Call = { world, env, config, trace }
    const answer = await traced(call, plugin, trace.end)
    return { ok: true, json: answer, takeBack: async () => plugin.del(delCall(call)) }
  } catch (thrown) {
    return { ok: false, thrown, version }
  }
}

/** The version of a config that may yet turn out to be wrong elsewhere. */
function versionOf(json: JsonObject): CniVersion {
  const text = json['cniVersion'] ?? ''
  return text === '' ? '0.1.0' : (VERSIONS.find(version => version === text) ?? NEWEST)
}

async function traced(
  call: Call,
  plugin: Plugin,
  end: (outcome: string) => void,
): Promise<JsonObject | undefined> {
  try {
    call.trace.step('# environment and config are read')
    const json = await perform(call, plugin)
    end('done')
    return json
  } catch (error) {
    end(`failed: ${messageOf(error)}`)
    throw error
  }
}

/** Calls the plugin's method; only ADD has something to say. */
async function perform(call: Call, plugin: Plugin): Promise<JsonObject | undefined> {
  switch (call.env.command) {
    case 'ADD':
      return formatResult(await plugin.add(attachmentCall(call)), call.config.version)
    case 'DEL':
      return nothing(plugin.del(delCall(call)))
    case 'CHECK':
      return nothing(plugin.check(attachmentCall(call)))
    case 'GC':
      return nothing(plugin.gc({ ...call, valid: parseValidAttachments(call.config.keys) }))
    case 'STATUS':
      return nothing(plugin.status(call))
  }
}

async function nothing(work: Promise<void>): Promise<undefined> {
  await work
}

/** `parseEnvironment` has seen to it that DEL has an attachment, and ADD and CHECK a namespace as well. */
const delCall = (call: Call): DelCall => ({
  ...call,
  attachment: call.env.attachment as Attachment,
  netns: call.env.netns,
})
const attachmentCall = (call: Call): AttachmentCall => ({
  ...delCall(call),
  netns: call.env.netns as NetnsPath,
})

/** Prints an answer. A result that nobody has read is no attachment to anybody: it is taken back. */
async function deliver(world: World, { json, takeBack }: Extract<Answer, { ok: true }>): Promise<number> {
  if (json === undefined || (await print(world, json))) return 0
  await takeBack?.().catch((error: unknown) =>
    world.stderr(`Cannot take the attachment back: ${messageOf(error)}`),
  )
  return 1
}

/** Writes the one JSON; false when nobody reads it any more, which is then no reason to throw. */
async function print(world: World, json: JsonObject): Promise<boolean> {
  try {
    await world.stdout(`${JSON.stringify(json, null, 2)}\n`)
    return true
  } catch (error) {
    world.stderr(`Cannot write the answer to standard output: ${messageOf(error)}`)
    return false
  }
}

const stackOf = (thrown: unknown): string =>
  thrown instanceof Error ? (thrown.stack ?? thrown.message) : messageOf(thrown)
