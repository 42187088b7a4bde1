import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { delLink } from '../cni/core/netlink/link.ts'
import { isErrno } from '../cni/edge/netlink.ts'
import { loadRules, show } from '../cni/edge/nft.ts'
import { Site } from '../cni/edge/site.ts'
import { collect, messageOf } from '../cni/spec/error.ts'
import type { World } from '../cni/spec/world.ts'
import { FAMILIES, formatCidr } from '../ipam/core/ip.ts'
import { BRIDGE, CONFLIST } from './core/conflist.ts'
import type { Log } from './core/log.ts'
import { ownLinks, whyBridgeStays } from './core/remains.ts'
import { FRAMES_TABLE } from './core/policy/frames.ts'
import { TABLE } from './core/policy/rule-set.ts'
import { PROTOCOL } from './core/routes.ts'
import { INNER } from './core/places.ts'
import { attempt, removeFile, removeFolder } from './edge/files.ts'
import { applyChange } from './edge/routes.ts'
import { pluginFiles } from './install.ts'
import { restoreSysctls } from './sysctls.ts'

/** Where {@link uninstall} finds what the daemon and the plugin have left. */
export interface UninstallOptions {
  /** `/opt/cni/bin` */
  readonly cniBinDir: string
  /** `/etc/cni/net.d` */
  readonly cniConfDir: string
  /** Where settings can be written, and what they were. */
  readonly sysctls: { readonly folder: string; readonly former: ReadonlyMap<string, string> }
  /** `/run/podwire` */
  readonly stateDir: string
  /** Its PATH is where nft is looked for. */
  readonly world: Pick<World, 'env'>
  readonly log: Log
}

/**
 * Takes away from this node all that the daemon and the plugin have put there, and nothing of others. Without a
 * conflist the node is not Ready, so no pod comes while its network goes; pods that are still there lose theirs.
 * Goes on after a failure and throws all of them at the end; can be run again, also when nothing is left.
 */
export async function uninstall({
  cniBinDir,
  cniConfDir,
  sysctls,
  stateDir,
  world,
  log,
}: UninstallOptions): Promise<void> {
  const failures = await collect([
    () => removeListed([join(cniConfDir, CONFLIST)], log),
    () => removeListed(pluginFiles(cniBinDir), log),
    () => removeInner(join(cniBinDir, INNER), log),
    () => removeTables(world, log),
    async () => removeRoutes(log),
    async () => removeLinks(log),
    async () => removeBridge(log),
    async () => restoreSysctls(sysctls.former, sysctls.folder, log),
    () => empty(stateDir, log),
  ])
  if (failures.length > 0) throw summary(failures)
}

/** Does all jobs, then throws what went wrong in any. */
async function all(jobs: readonly (() => Promise<void>)[]): Promise<void> {
  const failures = await collect(jobs)
  if (failures.length > 0) throw new AggregateError(failures, failures.map(messageOf).join('; '))
}

const summary = (failures: readonly unknown[]): Error =>
  new AggregateError(
    failures,
    `Cannot remove all of podwire from this node: ${failures.map(messageOf).join('; ')}; then run it again`,
  )

const removeListed = (paths: readonly string[], log: Log): Promise<void> =>
  all(
    paths.map(path => async () => {
      if (await removeFile(path)) log.info({ path }, `Removed ${path}`)
    }),
  )

async function removeInner(path: string, log: Log): Promise<void> {
  if (!(await removeFolder(path))) log.warn({ path }, `Left ${path}: there are other files in it`)
}

/** `nft delete table` for both of ours; adding it first makes that no error when somebody was faster. */
const removeTables = (world: Pick<World, 'env'>, log: Log): Promise<void> =>
  all(
    [TABLE, FRAMES_TABLE].map(table => async () => {
      if ((await show(world, ['-t', 'list', 'table', ...table.split(' ')])) === undefined) return
      await loadRules(world, `add table ${table}\ndelete table ${table}\n`, { table })
      log.info({}, `Removed the table ${table}`)
    }),
  )

/** `ip route flush table all proto 117` for both families. */
async function removeRoutes(log: Log): Promise<void> {
  using site = new Site()
  const routes = FAMILIES.flatMap(family => site.routes(family)).filter(
    ({ protocol }) => protocol === PROTOCOL,
  )
  await all(
    routes.map(route => async () => {
      applyChange(site, { kind: 'remove', route })
      log.info({}, `Removed the route to ${formatCidr(route.dst)}`)
    }),
  )
}

/** The pods' ends go with the node's. */
async function removeLinks(log: Log): Promise<void> {
  using site = new Site()
  await all(
    ownLinks(site.links()).map(
      ({ name }) =>
        async () =>
          removeLink(site, name, log),
    ),
  )
}

function removeBridge(log: Log): void {
  using site = new Site()
  const why = whyBridgeStays(site.links())
  if (why !== undefined) log.warn({ bridge: BRIDGE }, `Left ${BRIDGE}: ${why}`)
  else removeLink(site, BRIDGE, log)
}

/** `ip link del NAME`, whether or not it is there. */
function removeLink(site: Site, name: string, log: Log): void {
  try {
    site.netlink.request(delLink(name))
  } catch (error) {
    if (isErrno(error, 'ENODEV')) return
    throw new Error(
      `Cannot delete the link ${name}: ${messageOf(error)}; see "ip -details link show ${name}"`,
      {
        cause: error,
      },
    )
  }
  log.info({ link: name }, `Removed the link ${name}`)
}

/** Removes what is in a folder, and the folder unless it is a mount point, as it is in a container. */
async function empty(path: string, log: Log): Promise<void> {
  const names = (await attempt('read', path, () => readdir(path), ['ENOENT'])) ?? []
  await all(
    names.map(name => async () => {
      const inside = join(path, name)
      await attempt('remove', inside, () => rm(inside, { recursive: true, force: true }))
      log.info({ path: inside }, `Removed ${inside}`)
    }),
  )
  await removeFolder(path)
}
