import { explain } from '../core/failure.ts'
import { commandOf } from '../core/command.ts'
import { addRoute, MAIN_TABLE, SCOPE } from '../core/netlink/route.ts'
import { addVeth, delLink, setLink } from '../core/netlink/link.ts'
import { delNeighbour, replaceFdb, replaceNeighbour } from '../core/netlink/neighbour.ts'
import { changeVlan, setPort } from '../core/netlink/port.ts'
import type { Step, SysctlStep, VethStep } from '../core/step.ts'
import { messageOf } from '../spec/error.ts'
import type { Call } from '../spec/plugin.ts'
import { putAddress, settle } from './apply-address.ts'
import { limit } from './apply-bandwidth.ts'
import { makeBridge } from './apply-bridge.ts'
import { forward } from './apply-port.ts'
import { applyRules } from './apply-rules.ts'
import { NetlinkError } from './netlink.ts'
import { type Site, type Sites, siteOf } from './site.ts'
import { writeSysctl } from './sysctl.ts'

/** Takes back what a step has done. */
export type Undo = () => void | Promise<void>

/** Carries out the steps in order; what each takes back goes onto `undo`, to run in reverse when the caller fails. */
export async function applyAll(
  steps: readonly Step[],
  sites: Sites,
  call: Call,
  undo: AsyncDisposableStack,
): Promise<void> {
  for (const step of steps) {
    const takeBack = await apply(step, sites, call)
    if (takeBack !== undefined) undo.defer(() => quietly(call, takeBack))
    call.trace.step(() => commandOf(step))
  }
}

/** An undo that fails is reported, and the error that caused the undoing stays the answer. */
export async function quietly(call: Call, undo: Undo): Promise<void> {
  try {
    await undo()
  } catch (error) {
    call.world.stderr(`podwire: while undoing a failed ADD: ${messageOf(error)}`)
  }
}

async function apply(step: Step, sites: Sites, call: Call): Promise<Undo | undefined> {
  try {
    return await carryOut(step, sites, call)
  } catch (error) {
    if (error instanceof NetlinkError) throw explain(step, error.errno, error.message, error)
    throw error
  }
}

function carryOut(step: Step, sites: Sites, call: Call): Undo | undefined | Promise<Undo | undefined> {
  const { host, container } = sites
  switch (step.kind) {
    case 'bridge':
      return makeBridge(step, host)
    case 'sysctl':
      return void setSysctl(step, sites, call.world.sysctls)
    case 'veth':
      return makeVeth(step, sites)
    case 'port':
      host.netlink.request(setPort(host.index(step.name), step))
      return void host.netlink.request(setLink(step.name, { alias: step.alias }))
    case 'vlan':
      return void host.netlink.request(changeVlan(step.action, host.index(step.name), step.range))
    case 'fdb':
      return void host.netlink.request(replaceFdb(host.index(step.name), step.mac))
    case 'up':
      return void siteOf(sites, step.place).netlink.request(
        setLink(step.name, { up: true, promisc: step.promisc }),
      )
    case 'forward':
      return forward(host, step.name, call.world).then(() => undefined)
    case 'address':
      return putAddress(step, siteOf(sites, step.place))
    case 'route':
      return void container.netlink.request(addRoute(kernelRoute(step, container.index(step.name))))
    case 'announce':
      return void container.netlink.request(setLink(step.name, { mac: step.mac }))
    case 'neighbour':
      return putNeighbour(step, host)
    case 'settle':
      return settle(container, step.name, call.world).then(() => undefined)
    case 'ifb':
    case 'shape':
    case 'redirect':
      return limit(step, host)
    case 'rules':
      return applyRules(step, host, call.world)
  }
}

function setSysctl(step: SysctlStep, { netns }: Sites, root: string): void {
  if (step.place === 'host') writeSysctl(step, root)
  else netns.run(() => writeSysctl(step, root))
}

function putNeighbour({ name, ip, mac }: Extract<Step, { kind: 'neighbour' }>, host: Site): Undo {
  const index = host.index(name)
  host.netlink.request(replaceNeighbour(index, ip, mac))
  return () => void host.netlink.request(delNeighbour(index, ip))
}

function makeVeth(step: VethStep, { host, netns }: Sites): Undo {
  const netnsFd = step.peer.place === 'container' ? netns.fd : undefined
  const request = addVeth(
    { name: step.name, mac: step.mac },
    step.peer,
    step.mtu,
    host.index(step.bridge),
    netnsFd,
  )
  host.netlink.request(request)
  return () => void host.netlink.request(delLink(step.name))
}

/** The route of a step as the kernel keeps it, for the interface of the given index. */
export function kernelRoute({ route, onLink }: Extract<Step, { kind: 'route' }>, index: number) {
  return {
    dst: route.dst,
    gw: route.gw,
    index,
    table: route.table ?? MAIN_TABLE,
    scope: route.scope ?? (onLink || route.gw === undefined ? SCOPE.link : SCOPE.universe),
    priority: route.priority,
    mtu: route.mtu,
    advmss: route.advmss,
  }
}
