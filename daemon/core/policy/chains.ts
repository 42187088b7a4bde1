import { asComment } from '../../../cni/core/netlink/element.ts'
import type { Protocol } from '../../../cni/core/netlink/field.ts'
import type { Family } from '../../../ipam/core/ip.ts'
import { dropChain, SIDES } from './base.ts'
import { hashOf } from './hash.ts'
import type { Direction, NetworkPolicy, PolicyRule, Port } from './network-policy.ts'
import type { NamedPort, Pod } from './objects.ts'
import { type Definition, definePeers, definePorts, nameText, type PortName } from './peers.ts'
import { isWhole, mergePorts } from './ranges.ts'
import { formatRule } from './render.ts'
import { type Chain, type Match, type PortRange, PREFIX, type Rule } from './rule-set.ts'

/** A chain for pods, and the sets that its rules ask. */
export interface Plan {
  /** Pods with the same have the same plan, as long as these are their policies. */
  readonly key: string
  readonly policies: readonly NetworkPolicy[]
  readonly name: string
  readonly chain: Chain
  readonly needs: readonly Definition[]
}

/** What some packets are allowed by: matches, and the sets that they ask. */
interface Allowance {
  readonly matches: readonly Match[]
  readonly needs: readonly Definition[]
}

/** What a chain is for. */
interface Place {
  readonly direction: Direction
  readonly family: Family
  readonly pod: Pod
}

/** The same, with the pod's ports by {@link nameText}: it may have thousands, and so may a policy ask for. */
interface PlaceWithPorts extends Place {
  readonly own: ReadonlyMap<string, readonly NamedPort[]>
}

/**
 * Plans the chains of pods; its own for each compilation. Pods with the same policies share one, unless these ask for
 * ports by names that the pods have differently.
 */
export class Planner {
  readonly #plans: Map<string, Plan>

  /** `inForce`: the plans of the compilation before, which stay what they were where their policies do. */
  constructor(inForce: Iterable<Plan>) {
    this.#plans = new Map(Iterator.from(inForce).map(plan => [plan.key, plan]))
  }

  /** The chain of a pod that these policies, one or more, isolate in this direction. */
  plan(policies: readonly NetworkPolicy[], place: Place): Plan {
    const { direction, family, pod } = place
    const ports = direction === 'ingress' && policies.some(asksNames) ? JSON.stringify(pod.ports) : ''
    const key = [direction, family.version, ...policies.map(nameOf), ports].join(' ')
    const known = this.#plans.get(key)
    // The key has their names in their order.
    if (known?.policies.every((policy, i) => policy === policies[i])) return known
    const plan = {
      key,
      policies,
      ...this.#make(policies, { ...place, own: Map.groupBy(pod.ports, nameText) }),
    }
    this.#plans.set(key, plan)
    return plan
  }

  #make(policies: readonly NetworkPolicy[], place: PlaceWithPorts): Omit<Plan, 'key' | 'policies'> {
    const { direction, family } = place
    const allowed = new Map<string, { readonly allowance: Allowance; readonly by: string[] }>()
    for (const policy of policies) {
      for (const rule of policy[direction]!) {
        for (const allowance of this.#allowances(policy, rule, place)) {
          const text = formatRule({ matches: allowance.matches, verdict: { kind: 'return' } })
          const entry = allowed.get(text) ?? { allowance, by: [] }
          entry.by.push(`${nameOf(policy)} ${direction}[${rule.index}]`)
          allowed.set(text, entry)
        }
      }
    }
    const rules = [...[...allowed.values()].map(allow), drop(direction, policies)]
    return {
      name: `${PREFIX}${direction}${family.version}-${hashOf(rules.map(formatRule).join('\n'))}`,
      chain: { rules },
      needs: [...allowed.values()].flatMap(({ allowance }) => allowance.needs),
    }
  }

  /** One for each set that peers may be in and each protocol: any of them will do. */
  #allowances(policy: NetworkPolicy, rule: PolicyRule, place: PlaceWithPorts): Allowance[] {
    const ports = matchPorts(rule.ports, place)
    const byNumber = this.#matchPeers(policy, rule, place).flatMap(({ matches, needs }) =>
      ports.map(port => ({ matches: [...matches, ...port], needs })),
    )
    return [...byNumber, ...matchNames(policy, rule, place)]
  }

  #matchPeers({ namespace }: NetworkPolicy, rule: PolicyRule, { direction, family }: Place): Allowance[] {
    if (rule.peers === undefined) return [{ matches: [], needs: [] }]
    const { peers } = rule
    const definitions = definedOnce(rule, `peers ${family.version}`, () =>
      definePeers(peers, namespace, family),
    )
    return definitions.map(definition => {
      if (definition.kind === 'blocks' && isWhole(definition.blocks[0]!)) return { matches: [], needs: [] }
      const parts = [SIDES[direction].peer]
      return { matches: [{ kind: 'set', family, parts, set: definition.name }], needs: [definition] }
    })
  }
}

/** What rules ask for. A rule is a value, of one policy; that may name thousands of IP blocks, and pods come and go. */
const DEFINED = new WeakMap<PolicyRule, Map<string, readonly Definition[]>>()

function definedOnce(rule: PolicyRule, what: string, define: () => Definition[]): readonly Definition[] {
  const all = DEFINED.get(rule) ?? new Map<string, readonly Definition[]>()
  const definitions = all.get(what) ?? define()
  DEFINED.set(rule, all.set(what, definitions))
  return definitions
}

const nameOf = ({ namespace, name }: NetworkPolicy): string => `${namespace}/${name}`

const asksNames = ({ ingress }: NetworkPolicy): boolean =>
  ingress!.some(({ ports }) => ports?.some(({ kind }) => kind === 'name'))

/** A match for each protocol, or none for all packets. A pod's own ports are known by number, whatever a policy calls them. */
function matchPorts(ports: readonly Port[] | undefined, { direction, own }: PlaceWithPorts): Match[][] {
  if (ports === undefined) return [[]]
  const byProtocol = new Map<Protocol, PortRange[]>()
  for (const port of ports) {
    const ranges = byProtocol.get(port.protocol) ?? []
    if (port.kind === 'range') ranges.push([port.first, port.last])
    else if (direction === 'ingress')
      for (const { port: number } of own.get(nameText(port)) ?? []) ranges.push([number, number])
    byProtocol.set(port.protocol, ranges)
  }
  return [...byProtocol]
    .filter(([, ranges]) => ranges.length > 0)
    .map(([protocol, ranges]) => [{ kind: 'ports', protocol, ranges: mergePorts(ranges) }])
}

/** Ports that the pod at the other end names: their numbers differ from pod to pod. */
function matchNames(policy: NetworkPolicy, rule: PolicyRule, { direction, family }: Place): Allowance[] {
  const names = (rule.ports ?? []).flatMap((port): PortName[] =>
    port.kind === 'name' ? [{ protocol: port.protocol, name: port.name }] : [],
  )
  if (direction === 'ingress' || names.length === 0) return []
  const definitions = definedOnce(rule, `ports ${family.version}`, () => [
    definePorts(rule.peers, policy.namespace, family, names),
  ])
  const parts = [SIDES.egress.peer, 'l4proto', 'dport'] as const
  return definitions.map(definition => ({
    matches: [{ kind: 'set', family, parts, set: definition.name }],
    needs: [definition],
  }))
}

const allow = ({
  allowance,
  by,
}: {
  readonly allowance: Allowance
  readonly by: readonly string[]
}): Rule => ({
  matches: allowance.matches,
  counts: true,
  verdict: { kind: 'return' },
  comment: asComment(by.length === 1 ? by[0]! : `${by[0]} and ${by.length - 1} more`),
})

const drop = (direction: Direction, policies: readonly NetworkPolicy[]): Rule => ({
  matches: [],
  counts: true,
  verdict: { kind: 'goto', chain: dropChain(direction) },
  comment: asComment(`isolated by ${policies.map(nameOf).join(', ')}`),
})
