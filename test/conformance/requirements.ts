import { accessSync, constants, existsSync, readFileSync } from 'node:fs'

const FOLDERS = ['/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** What a test runs of others: a command, or a file by its path; and the Debian package that brings it. */
export type Requirements = Readonly<Record<string, string>>

/** What every test of a container runtime runs besides the runtime. */
export const CONTAINER_TOOLS: Requirements = {
  runc: 'runc',
  '/usr/share/doc/busybox-static': 'busybox-static',
  '/usr/lib/cni/portmap': 'containernetworking-plugins',
  iptables: 'iptables',
  nft: 'nftables',
}

/**
 * Why a test cannot run here, as tap's `skip`, or false when it can. What is missing fails the test instead where
 * CI=true promises a whole machine.
 */
export function lacks(requirements: Requirements): string | false {
  const packages = Object.entries(requirements)
    .filter(([name]) => !isThere(name))
    .map(([, debian]) => debian)
  if (packages.length === 0) return false
  const reason = `this machine lacks ${packages.join(', ')}: sudo apt-get install ${packages.join(' ')}`
  if (process.env['CI'] === 'true') throw new Error(reason)
  return reason
}

/** The same for a test of a container runtime, which asks for all of root's powers besides. */
export function lacksForContainers(requirements: Requirements): string | false {
  if (!isRoot()) return 'containers need the real root: sudo make conformance'
  return lacks(requirements)
}

function isThere(name: string): boolean {
  if (name.startsWith('/')) return existsSync(name)
  return FOLDERS.some(folder => isExecutable(`${folder}/${name}`))
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Root of the machine, not only of a user namespace that has fewer users. */
function isRoot(): boolean {
  const [inside, outside, count] = readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/)
  return process.getuid?.() === 0 && inside === '0' && outside === '0' && count === '4294967295'
}
