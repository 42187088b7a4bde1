import { networkOfAlias } from '../core/names.ts'
import { addRedirect } from '../core/netlink/filter.ts'
import { addIfb, delLink, setLink } from '../core/netlink/link.ts'
import { addIngress, addTbf } from '../core/netlink/qdisc.ts'
import type { IfbStep, RedirectStep, ShapeStep } from '../core/step.ts'
import { isErrno } from './netlink.ts'
import type { Site } from './site.ts'

/** Carries out one of the steps that limit an attachment; only an ifb device has to be taken back. */
export function limit(step: IfbStep | ShapeStep | RedirectStep, host: Site): (() => void) | undefined {
  switch (step.kind) {
    case 'ifb':
      return makeIfb(step, host)
    case 'shape':
      return void host.netlink.request(addTbf(host.index(step.name), step.bucket))
    case 'redirect':
      return void redirect(step, host)
  }
}

/** Makes an ifb device and says whose it is. */
function makeIfb(step: IfbStep, host: Site): () => void {
  addAnew(step, host)
  const undo = (): void => void host.netlink.request(delLink(step.name))
  try {
    host.netlink.request(setLink(step.name, { alias: step.alias }))
  } catch (error) {
    undo()
    throw error
  }
  return undo
}

/** An ADD is refused while its host veth is there; so an ifb device of ours that is there without is what a crash left. */
function addAnew({ name, mac, mtu }: IfbStep, host: Site): void {
  try {
    host.netlink.request(addIfb(name, mac, mtu))
  } catch (error) {
    if (!isErrno(error, 'EEXIST') || !isOurs(host, name)) throw error
    host.netlink.request(delLink(name))
    host.netlink.request(addIfb(name, mac, mtu))
  }
}

function isOurs(host: Site, name: string): boolean {
  const link = host.link(name)
  return link?.kind === 'ifb' && (link.alias === undefined || networkOfAlias(link.alias) !== undefined)
}

function redirect({ name, ifb }: RedirectStep, host: Site): void {
  const index = host.index(name)
  host.netlink.request(addIngress(index))
  host.netlink.request(addRedirect({ index, to: host.index(ifb) }))
}
