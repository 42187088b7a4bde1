import type { Plugin } from '../../cni/spec/plugin.ts'
import type { Policies } from '../../cni/spec/policies.ts'
import type { World } from '../../cni/spec/world.ts'

/** What a test gives to a call; all of it may be left out. */
export interface Given {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly argv?: readonly string[]
  /** Standard input: bytes or text as they are, anything else as JSON. */
  readonly stdin?: unknown
}

/** A world in memory, and all that was written to it. */
export interface FakeWorld {
  readonly world: World
  readonly stdout: string[]
  readonly stderr: string[]
  readonly files: Map<string, string>
}

/** Of a node where nobody enforces any. */
export const NO_POLICIES: Policies = { attach: async () => {}, detach: async () => {} }

/** A world whose clock goes on by one millisecond at each look. */
export function fakeWorld({ env = {}, argv = [], stdin = '' }: Given = {}): FakeWorld {
  const stdout: string[] = []
  const stderr: string[] = []
  const files = new Map<string, string>()
  let now = 1000
  const world: World = {
    program: 'podwire',
    argv,
    env,
    sysctls: '/proc/sys',
    policies: NO_POLICIES,
    stdin: async () => bytesOf(stdin),
    stdout: text => void stdout.push(text),
    stderr: line => void stderr.push(line),
    append: (path, text) => void files.set(path, (files.get(path) ?? '') + text),
    now: () => (now += 1),
    removeLink: async () => {},
  }
  return { world, stdout, stderr, files }
}

function bytesOf(stdin: unknown): Uint8Array {
  if (stdin instanceof Uint8Array) return stdin
  return new TextEncoder().encode(typeof stdin === 'string' ? stdin : JSON.stringify(stdin))
}

/** The environment that a runtime sets for ADD, CHECK and DEL. */
export const ATTACHMENT_ENV = {
  CNI_CONTAINERID: 'c1',
  CNI_NETNS: '/run/netns/c1',
  CNI_IFNAME: 'eth0',
  CNI_PATH: '/opt/cni/bin',
} as const

/** A plugin that does nothing and answers ADD with an empty result, but for the methods given. */
export function fakePlugin(methods: Partial<Plugin> = {}): Plugin {
  return {
    about: 'a plugin for tests',
    add: async () => ({ interfaces: [], ips: [], routes: [], dns: {} }),
    del: async () => {},
    check: async () => {},
    gc: async () => {},
    status: async () => {},
    ...methods,
  }
}
