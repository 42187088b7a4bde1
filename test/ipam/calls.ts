import { randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseNetworkConfig } from '../../cni/spec/config.ts'
import { type Attachment, parseArgs, parseContainerId, parseIfName } from '../../cni/spec/environment.ts'
import type { AttachmentCall, GcCall } from '../../cni/spec/plugin.ts'
import type { JsonObject } from '../../cni/spec/read.ts'
import { SILENT } from '../../cni/spec/trace.ts'
import { NO_POLICIES } from '../support/world.ts'

/** A call of the IPAM as the dispatcher would make it, from plain values. */
export interface Sketch {
  /** The keys of `ipam`. */
  readonly ipam: JsonObject
  /** Further keys of the config. */
  readonly keys?: JsonObject
  readonly id?: string
  readonly ifname?: string
  readonly args?: string
  /** Gets what the call writes to stderr. */
  readonly stderr?: string[]
}

export const NETWORK = 'pods'

export const attachmentOf = (id: string, ifname = 'eth0'): Attachment => ({
  containerId: parseContainerId(id, 'id'),
  ifname: parseIfName(ifname, 'ifname'),
})

/** Makes the call; every operation takes it, GC keeps nothing unless `valid` says so. */
export function callOf({
  ipam,
  keys = {},
  id = 'c0',
  ifname = 'eth0',
  args = '',
  stderr = [],
}: Sketch): AttachmentCall & GcCall {
  const attachment = attachmentOf(id, ifname)
  return {
    world: {
      program: 'podwire-ipam',
      argv: [],
      env: {},
      sysctls: '/proc/sys',
      policies: NO_POLICIES,
      stdin: () => Promise.resolve(new Uint8Array()),
      stdout: () => {},
      stderr: line => void stderr.push(line),
      append: () => {},
      now: () => 0,
      removeLink: async () => {},
    },
    env: {
      command: 'ADD',
      attachment,
      netns: undefined,
      path: [],
      args: parseArgs(args),
      ownNetnsAllowed: false,
    },
    config: parseNetworkConfig({ cniVersion: '1.1.0', name: NETWORK, ipam, ...keys }),
    trace: SILENT,
    attachment,
    netns: '/none' as AttachmentCall['netns'],
    valid: [],
  }
}

/** A folder for one test's addresses. */
export class Folder {
  readonly dataDir = join(tmpdir(), `podwire-ipam-${randomUUID()}`)

  constructor() {
    mkdirSync(this.dataDir)
  }

  /** Where the network's addresses are. */
  get network(): string {
    return join(this.dataDir, NETWORK)
  }

  /** Address to owner, without what is no address. */
  addresses(): Record<string, string> {
    const names = list(this.network).filter(name => /[.:]/.test(name) && !name.startsWith('last_'))
    return Object.fromEntries(
      names
        .filter(name => statSync(join(this.network, name), { throwIfNoEntry: false })?.isFile())
        .map(name => [name, readFileSync(join(this.network, name), 'utf8')]),
    )
  }

  /** The folders of the index: none when nobody holds anything. */
  index(): string[] {
    return list(join(this.dataDir, '.podwire', NETWORK))
  }

  [Symbol.dispose](): void {
    rmSync(this.dataDir, { recursive: true, force: true })
  }
}

const list = (folder: string): string[] =>
  statSync(folder, { throwIfNoEntry: false }) ? readdirSync(folder) : []
