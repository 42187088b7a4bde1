import { existsSync } from 'node:fs'
import { CniError } from '../spec/error.ts'
import type { World } from '../spec/world.ts'
import type { Outcome } from './execute.ts'

const SYSTEM_FOLDERS = ['/usr/sbin', '/sbin', '/usr/local/sbin', '/usr/bin']

/** The kernel does in milliseconds what nft asks of it; tens of thousands of elements take a second. */
const LIMIT_MS = 60_000

/** What of the world it takes to run nft: the daemon has no call's. */
type Executing = Pick<World, 'env'>

/** Loads a script as one transaction: all of it or nothing. */
export async function loadRules(
  world: Executing,
  script: string,
  { checkOnly = false, table = 'inet podwire' } = {},
): Promise<void> {
  const outcome = await nft(world, [...(checkOnly ? ['-c'] : []), '-f', '-'], script)
  if (outcome.code === 0) return
  const words = outcome.stderr.trim().split('\n')[0] ?? ''
  throw new CniError('nft', `Cannot change table "${table}": ${words}; try the script with "nft -f"`, {
    details: `${script}${outcome.stderr}`,
  })
}

/** Our table as `nft -j` shows it, with `-t` without what is in its sets and maps; undefined when there is none. */
export async function listTable(world: Executing, ...options: readonly '-t'[]): Promise<unknown> {
  const text = await show(world, ['-j', ...options, 'list', 'table', 'inet', 'podwire'])
  return text === undefined ? undefined : JSON.parse(text)
}

/** What nft prints of our table; undefined when what is asked for is not there. */
export async function show(world: Executing, args: readonly string[]): Promise<string | undefined> {
  const outcome = await nft(world, args, '')
  if (outcome.code === 0) return outcome.stdout
  // nft fails alike for what is not there and what it may not see: `list tables` tells them apart.
  const tables = await nft(world, ['list', 'tables'], '')
  if (tables.code === 0) return undefined
  throw new CniError(
    'nft',
    `Cannot list table "inet podwire": ${outcome.stderr.trim()}; the plugin needs CAP_NET_ADMIN`,
  )
}

/** The path of nft: from PATH, else where distributions put it, because runtimes hand down a bare PATH. */
function findNft(world: Executing): string | undefined {
  const folders = [
    ...(world.env['PATH'] ?? '').split(':').filter(folder => folder.startsWith('/')),
    ...SYSTEM_FOLDERS,
  ]
  return folders.map(folder => `${folder}/nft`).find(path => existsSync(path))
}

async function nft(world: Executing, args: readonly string[], input: string): Promise<Outcome> {
  const path = findNft(world)
  if (path === undefined) {
    throw new CniError(
      'kernel-feature-missing',
      'Cannot run nft: it is in no folder of PATH; install the package "nftables"',
    )
  }
  const { execute } = await import('./execute.ts')
  const outcome = await execute(path, args, input, { LC_ALL: 'C' }, LIMIT_MS)
  if (outcome.code !== null) return outcome
  throw new CniError(
    'nft',
    `Cannot run ${path}: it was killed, at the latest after ${LIMIT_MS} ms; try again`,
  )
}
