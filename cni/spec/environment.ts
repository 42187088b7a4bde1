import type { Brand } from './brand.ts'
import { CniError, type ErrorKind } from './error.ts'

/** A container's identity as the runtime names it: letters, digits, `_`, `.`, `-`, the first a letter or digit. */
export type ContainerId = Brand<string, 'ContainerId'>
/** An interface name that the kernel takes: 1 to 15 characters, no `/`, `:` or white space, not `.` or `..`. */
export type IfName = Brand<string, 'IfName'>
/** The path of a network namespace; not yet opened. */
export type NetnsPath = Brand<string, 'NetnsPath'>

/** What an ADD makes and a DEL takes away (SPEC 1.1.0, section 2): one container's one interface. */
export interface Attachment {
  readonly containerId: ContainerId
  readonly ifname: IfName
}

/** The operations of the specification. */
export const COMMANDS = ['ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION'] as const
export type Command = (typeof COMMANDS)[number]
/** Those that work on a network; VERSION needs neither environment nor config. */
export type Operation = Exclude<Command, 'VERSION'>

/** The environment of one call, parsed. What a command has no use for is undefined. */
export interface Environment {
  readonly command: Operation
  readonly attachment: Attachment | undefined
  readonly netns: NetnsPath | undefined
  /** The folders of CNI_PATH, in which delegates are looked for. */
  readonly path: readonly string[]
  /** CNI_ARGS as pairs. */
  readonly args: ReadonlyMap<string, string>
  /** True when the runtime allows the plugin's own namespace (CNI_NETNS_OVERRIDE). */
  readonly ownNetnsAllowed: boolean
}

type Variables = Readonly<Record<string, string | undefined>>

/** Which variables a command cannot do without (SPEC 1.1.0, section 2, "CNI operations"). */
const REQUIRED: Readonly<Record<Operation, readonly string[]>> = {
  ADD: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  CHECK: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  DEL: ['CNI_CONTAINERID', 'CNI_IFNAME'],
  GC: ['CNI_PATH'],
  STATUS: [],
}

const invalid = (
  name: string,
  value: string,
  rule: string,
  kind: ErrorKind = 'invalid-environment',
): never => {
  throw new CniError(kind, `Cannot use ${name} "${value.slice(0, 80)}": ${rule}`)
}

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/

/** Whether a text is a name as the specification draws them, for container ids and network names. */
export const isName = (text: string): boolean => NAME.test(text)

/** Reads a container id; `source` names the variable or key it came from, `kind` is `invalid-config` for a key. */
export function parseContainerId(text: string, source: string, kind?: ErrorKind): ContainerId {
  const rule = 'it must be letters, digits, "_", "." or "-", and start with a letter or digit'
  if (!isName(text)) invalid(source, text, rule, kind)
  return text as ContainerId
}

/** Reads an interface name; `source` names the variable or key it came from, `kind` is `invalid-config` for a key. */
export function parseIfName(text: string, source: string, kind?: ErrorKind): IfName {
  const rule =
    'an interface name has 1 to 15 characters, no "/", ":", "%" or space, and is not ".", "..", "all" or "default"'
  // What dev_valid_name() in the kernel's net/core/dev.c refuses, bytes that no tool can show, `%d`, which the kernel
  // replaces by a number, and the two names that stand for something else below /proc/sys/net.
  const isReserved = ['.', '..', 'all', 'default'].includes(text)
  if (!/^[^/:%\s\p{Cc}]{1,15}$/u.test(text) || Buffer.byteLength(text) > 15 || isReserved) {
    invalid(source, text, rule, kind)
  }
  return text as IfName
}

function parseNetns(text: string): NetnsPath {
  if (text.includes('\0')) invalid('CNI_NETNS', text, 'a path has no NUL character')
  return text as NetnsPath
}

/** Reads CNI_ARGS, `KEY=VALUE;KEY=VALUE`; which keys there may be is for {@link refuseUnknownArgs}. */
export function parseArgs(text: string): Map<string, string> {
  const args = new Map<string, string>()
  for (const pair of text === '' ? [] : text.split(';')) {
    const [key, value, more] = pair.split('=')
    if (key === undefined || key === '' || value === undefined || more !== undefined) {
      invalid('CNI_ARGS', pair, 'each part must be KEY=VALUE, and parts are separated by ";"')
    } else args.set(key, value)
  }
  return args
}

/** Refuses keys of CNI_ARGS that nobody acts on, unless IgnoreUnknown is 1 or true, as kubelet and containerd set it. */
export function refuseUnknownArgs(args: ReadonlyMap<string, string>, known: ReadonlySet<string>): void {
  if (/^(1|true)$/i.test(args.get('IgnoreUnknown') ?? '')) return
  const unknown = [...args.keys()].filter(key => key !== 'IgnoreUnknown' && !known.has(key))
  if (unknown.length > 0) {
    invalid(
      'CNI_ARGS',
      unknown.join(','),
      `known are ${[...known].join(', ')}; set IgnoreUnknown=1 to pass others`,
    )
  }
}

/** The command alone: enough to answer VERSION. */
export function parseCommand(env: Variables): Command {
  const text = env['CNI_COMMAND'] ?? ''
  const command = COMMANDS.find(c => c === text)
  return (
    command ?? invalid('CNI_COMMAND', text, `unknown CNI_COMMAND; it must be one of ${COMMANDS.join(', ')}`)
  )
}

/** The whole environment of a command; names every missing variable at once (`invalid-environment`). */
export function parseEnvironment(command: Operation, env: Variables): Environment {
  const missing = REQUIRED[command].filter(name => (env[name] ?? '') === '')
  if (missing.length > 0) {
    throw new CniError('invalid-environment', `required env variables [${missing.join(',')}] missing`, {
      details: `CNI_COMMAND is ${command}; the runtime must set them`,
    })
  }
  const attached = command === 'ADD' || command === 'DEL' || command === 'CHECK'
  const netns = env['CNI_NETNS'] ?? ''
  return {
    command,
    attachment: attached ? parseAttachment(env) : undefined,
    netns: attached && netns !== '' ? parseNetns(netns) : undefined,
    path: (env['CNI_PATH'] ?? '').split(':').filter(folder => folder !== ''),
    args: attached ? parseArgs(env['CNI_ARGS'] ?? '') : new Map(),
    ownNetnsAllowed: /^(1|true)$/i.test(env['CNI_NETNS_OVERRIDE'] ?? ''),
  }
}

function parseAttachment(env: Variables): Attachment {
  return {
    containerId: parseContainerId(env['CNI_CONTAINERID'] ?? '', 'CNI_CONTAINERID'),
    ifname: parseIfName(env['CNI_IFNAME'] ?? '', 'CNI_IFNAME'),
  }
}
