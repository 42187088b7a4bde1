import { existsSync } from 'node:fs'
import { formatIp, type Ip } from '../../ipam/core/ip.ts'
import { dumpRules } from '../core/netlink/rule.ts'
import {
  parseOwned,
  type FilledChain,
  type Owned,
  type Owner,
  removalScript,
  sameOwner,
  emptiedChains,
} from '../core/table.ts'
import { CniError } from '../spec/error.ts'
import type { World } from '../spec/world.ts'
import type { Outcome } from './execute.ts'
import { Netlink, PROTOCOL } from './netlink.ts'

const SYSTEM_FOLDERS = ['/usr/sbin', '/sbin', '/usr/local/sbin', '/usr/bin']

/** The kernel does in milliseconds what nft asks of it; tens of thousands of elements take a second. */
const LIMIT_MS = 60_000

/** What of the world it takes to run nft: the daemon has no call's. */
type Executing = Pick<World, 'env'>

/** Loads a script as one transaction: all of it or nothing. */
export async function loadRules(world: Executing, script: string, checkOnly = false): Promise<void> {
  const outcome = await nft(world, [...(checkOnly ? ['-c'] : []), '-f', '-'], script)
  if (outcome.code === 0) return
  const words = outcome.stderr.trim().split('\n')[0] ?? ''
  throw new CniError('nft', `Cannot change table "inet podwire": ${words}; try the script with "nft -f"`, {
    details: `${script}${outcome.stderr}`,
  })
}

/** Everything in our table that carries an owner; empty without nft, because then nothing was ever put there. */
export async function listOwned(world: World): Promise<Owned[]> {
  return findNft(world) === undefined ? [] : parseOwned(await listTable(world))
}

/** Our table as `nft -j` shows it; undefined when there is none. */
export async function listTable(world: Executing): Promise<unknown> {
  const outcome = await nft(world, ['-j', 'list', 'table', 'inet', 'podwire'], '')
  // nft fails alike for a table that is not there and one it may not see: `list tables` tells them apart.
  if (outcome.code === 0) return JSON.parse(outcome.stdout)
  const tables = await nft(world, ['list', 'tables'], '')
  if (tables.code === 0) return undefined
  throw new CniError(
    'nft',
    `Cannot list table "inet podwire": ${outcome.stderr.trim()}; the plugin needs CAP_NET_ADMIN`,
  )
}

/** How many rules each of these chains of our table has; asked of the kernel itself, which takes 0.1 ms. */
export function countRules(chains: readonly FilledChain[]): ReadonlyMap<string, number> {
  if (chains.length === 0) return new Map()
  using netlink = new Netlink(PROTOCOL.netfilter)
  return new Map(chains.map(({ chain }) => [chain, netlink.dump(dumpRules('podwire', chain)).length]))
}

/** Removes what is chosen from the table, and the subnets' chains that no address leads to any more. */
export async function removeOwned(world: World, isChosen: (thing: Owned) => boolean): Promise<void> {
  const all = await listOwned(world)
  const chosen = all.filter(isChosen)
  if (chosen.length === 0) return
  const emptied = emptiedChains(all, chosen)
  try {
    await loadRules(world, removalScript(chosen, emptied))
    if (emptiedChains(chosen, chosen).length === emptied.length) return
  } catch {
    // Somebody else has removed some of it meanwhile, or leads an address to an emptied chain again (EBUSY).
    const left = (await listOwned(world)).filter(isChosen)
    if (left.length > 0) await loadRules(world, removalScript(left, []))
  }
  await removeEmptied(world, chosen)
}

/**
 * Looks again for chains to which only removed things led: of two removals at the same time, each took the other's
 * address for a reason to keep the chain.
 */
async function removeEmptied(world: World, removed: readonly Owned[]): Promise<void> {
  for (const chain of emptiedChains([...(await listOwned(world)), ...removed], removed)) {
    // It fails when the other was faster, or an address leads there again: then it is not ours to remove.
    await loadRules(world, removalScript([], [chain])).catch(() => {})
  }
}

/** Removes the rules of one attachment. */
export const removeRulesOf = (world: World, owner: Owner): Promise<void> =>
  removeOwned(world, thing => sameOwner(owner, thing.owner))

/** Frees addresses in the masquerade maps, whoever put them there. */
export function removeRulesAt(world: World, addresses: readonly Ip[]): Promise<void> {
  const texts = addresses.map(formatIp)
  return removeOwned(world, thing => thing.kind === 'element' && texts.includes(thing.address))
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
