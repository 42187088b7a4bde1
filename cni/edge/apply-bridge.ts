import { addBridge, delLink, type Link, setLink } from '../core/netlink/link.ts'
import type { Step } from '../core/step.ts'
import { CniError } from '../spec/error.ts'
import { isErrno } from './netlink.ts'
import type { Site } from './site.ts'

/** Makes the bridge unless it is there. Its undo removes it again, unless somebody has plugged into it meanwhile. */
export function makeBridge(step: Extract<Step, { kind: 'bridge' }>, host: Site): (() => void) | undefined {
  try {
    host.netlink.request(addBridge(step.name, step.mtu, step.vlanFiltering))
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error
    refuseOther(host.link(step.name))
    return undefined
  }
  keepMac(host, step.name)
  return () => removeUnused(host, step.name)
}

/** A bridge whose MAC nobody has set takes the lowest of its ports', and changes it as they come and go. */
export function keepMac(host: Site, bridge: string): void {
  const mac = host.link(bridge)?.mac
  if (mac !== undefined) host.netlink.request(setLink(bridge, { mac }))
}

/** Throws `bridge-conflict` when a link of the bridge's name is something else. */
export function refuseOther(link: Link | undefined): void {
  if (link === undefined || link.kind === 'bridge') return
  throw new CniError(
    'bridge-conflict',
    `Cannot use "${link.name}" as the bridge: it is there, and is ${link.kind === undefined ? 'no bridge' : `a ${link.kind}`}; choose another name for "bridge"`,
  )
}

/** Whether nobody is plugged into a bridge. */
export function isUnused(host: Site, bridge: string): boolean {
  const link = host.link(bridge)
  return link !== undefined && host.links(link.index).length === 0
}

function removeUnused(host: Site, bridge: string): void {
  if (isUnused(host, bridge)) host.netlink.request(delLink(bridge))
}
