import { CniError, type ErrorKind } from '../spec/error.ts'
import { commandOf } from './command.ts'
import type { Step } from './step.ts'

/**
 * Turns the kernel's refusal of a step into an error for people: which step, the kernel's words, what to do.
 * `errno` is its name, as in `EEXIST`; `words` is what the kernel said.
 */
export function explain(step: Step, errno: string, words: string, cause: unknown): CniError {
  const [kind, advice] = diagnose(step, errno)
  return new CniError(kind, `Cannot ${deed(step)}: ${words}; ${advice}`, {
    cause,
    details: commandOf(step).split('\n')[0]!,
  })
}

function diagnose(step: Step, errno: string): readonly [ErrorKind, string] {
  if (step.kind === 'address' && errno === 'EACCES') {
    return ['kernel-feature-missing', `IPv6 is off there; set net.ipv6.conf.${step.name}.disable_ipv6=0`]
  }
  if (errno === 'EPERM' || errno === 'EACCES') return ['netlink', 'the plugin needs CAP_NET_ADMIN']
  if (errno === 'EOPNOTSUPP' || errno === 'EAFNOSUPPORT' || isUnknownKind(step, errno))
    return ['kernel-feature-missing', missing(step)]
  if (step.kind === 'vlan' && errno === 'EINVAL') {
    return [
      'bridge-conflict',
      `bridge VLAN filtering is off; remove the bridge so that the next ADD makes it anew with it`,
    ]
  }
  if ((step.kind === 'veth' || step.kind === 'ifb') && errno === 'EEXIST') {
    return [
      'interface-exists',
      `an interface of this name is there; choose another CNI_IFNAME, or DEL the attachment that owns it`,
    ]
  }
  if (step.kind === 'route' && errno === 'EEXIST')
    return ['invalid-config', 'the route is there already; remove it from "ipam.routes"']
  if (step.kind === 'route' && (errno === 'ENETUNREACH' || errno === 'EHOSTUNREACH')) {
    return [
      'invalid-config',
      'its next hop is not in the network of an address of the container; correct "gw"',
    ]
  }
  if (errno === 'ENODEV' || errno === 'ENXIO' || errno === 'EBUSY') {
    return ['try-again', 'another program changed the interface meanwhile; try again']
  }
  return ['netlink', 'see the details for the command that does the same']
}

/** Traffic control knows its parts by name, and has no better word for a module that is not there. */
const isUnknownKind = ({ kind }: Step, errno: string): boolean =>
  (kind === 'shape' || kind === 'redirect') && errno === 'ENOENT'

function missing(step: Step): string {
  const needs =
    step.kind === 'bridge' && step.vlanFiltering
      ? 'CONFIG_BRIDGE_VLAN_FILTERING (for "vlan" and "vlanTrunk")'
      : NEEDS[step.kind]
  return `this kernel lacks ${needs ?? 'a feature it needs'}; load its module or use a kernel that has it`
}

const NEEDS: Readonly<Partial<Record<Step['kind'], string>>> = {
  bridge: 'CONFIG_BRIDGE',
  veth: 'CONFIG_VETH',
  vlan: 'CONFIG_BRIDGE_VLAN_FILTERING (for "vlan" and "vlanTrunk")',
  port: 'a bridge port option (hairpin or isolation)',
  ifb: 'CONFIG_IFB (module ifb, for "egressRate")',
  shape: 'CONFIG_NET_SCH_TBF (module sch_tbf, for "ingressRate" and "egressRate")',
  redirect:
    'CONFIG_NET_SCH_INGRESS, CONFIG_NET_CLS_U32 or CONFIG_NET_ACT_MIRRED (modules sch_ingress, cls_u32 and act_mirred, for "egressRate")',
  address: 'the address family (is IPv6 off?)',
  route: 'the address family or a route option (is IPv6 off?)',
}

/** What a step does, in a few words, with the object it does it to. */
function deed(step: Step): string {
  switch (step.kind) {
    case 'bridge':
      return `make the bridge "${step.name}"${step.vlanFiltering ? ' with VLAN filtering' : ''}`
    case 'veth':
      return `make the veth pair "${step.name}" - "${step.peer.name}" on the bridge "${step.bridge}"`
    case 'address':
    case 'route':
    case 'announce':
    case 'neighbour':
    case 'fdb':
    case 'forward':
    case 'port':
    case 'settle':
    case 'up':
    case 'vlan':
      return `set up "${step.name}" (${commandOf(step)})`
    case 'ifb':
      return `make the ifb device "${step.name}"`
    case 'shape':
      return `limit the rate of "${step.name}"`
    case 'redirect':
      return `redirect what comes in through "${step.name}" to "${step.ifb}"`
    case 'sysctl':
      return `set ${step.key}`
    case 'rules':
      return `load the ${step.purpose} rules`
  }
}
