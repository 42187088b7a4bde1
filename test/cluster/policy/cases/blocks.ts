import type { Scene } from '../scene.ts'
import { addressesOf, ALL, block, type Case, labels, pods, tcp } from './case.ts'

const DB = { podSelector: labels({ app: 'db' }) }
const WEB = { podSelector: labels({ app: 'web' }) }

/** Networks as peers. */
export function blocks(scene: Scene): Case[] {
  const { A, B, everything } = networksOf(scene)
  const each = (cidrs: readonly string[]): object[] => cidrs.map(cidr => block(cidr))
  const own = (...names: string[]): string[] => addressesOf(scene, ...names)
  const nodeB = `ops/host-${scene.nodes[1]}`
  return [
    {
      name: 'from the addresses of one pod',
      policies: { shop: [{ ...DB, ingress: [{ from: each(own('lab/web')) }] }] },
    },
    {
      name: 'from everywhere',
      policies: { shop: [{ podSelector: ALL, ingress: [{ from: each(everything) }] }] },
    },
    {
      name: 'from everywhere but two pods',
      policies: {
        shop: [
          {
            ...DB,
            ingress: [{ from: everything.map(all => except(all, own('lab/web', 'shop/web'))) }],
          },
        ],
      },
    },
    {
      name: 'from everywhere but the pods of a node',
      policies: { lab: [{ podSelector: ALL, ingress: [{ from: everything.map(all => except(all, A)) }] }] },
    },
    {
      name: 'from IPv4 alone',
      policies: { ops: [{ ...DB, ingress: [{ from: [block('0.0.0.0/0')] }] }] },
    },
    {
      name: 'from IPv6 alone',
      policies: { ops: [{ ...DB, ingress: [{ from: [block('::/0')] }] }] },
    },
    {
      name: 'from a network of which both halves are excepted',
      policies: {
        ops: [
          {
            ...DB,
            ingress: [
              { from: [block('0.0.0.0/0', '0.0.0.0/1', '128.0.0.0/1'), block('::/0', '::/1', '8000::/1')] },
            ],
          },
        ],
      },
    },
    {
      name: 'what one network excepts another gives',
      policies: {
        lab: [
          {
            ...DB,
            ingress: [
              { from: everything.map(all => except(all, own('shop/web', 'shop/db'))) },
              { from: each(own('shop/web')), ports: [tcp(7001)] },
            ],
          },
        ],
      },
    },
    {
      name: 'from a network, or from pods',
      policies: {
        lab: [{ ...DB, ingress: [{ from: [...each(own('ops/db')), pods(labels({ app: 'web' }))] }] }],
      },
    },
    {
      name: 'from another node',
      policies: { shop: [{ podSelector: ALL, ingress: [{ from: each(own(nodeB)) }] }] },
    },
    {
      name: 'from nets that nobody is in',
      policies: {
        shop: [{ podSelector: ALL, ingress: [{ from: [block('192.0.2.0/24'), block('2001:db8::/32')] }] }],
      },
    },
    {
      name: 'to the pods of a node',
      policies: { shop: [{ podSelector: ALL, policyTypes: ['Egress'], egress: [{ to: each(B) }] }] },
    },
    {
      name: 'to everywhere but the pods of a node',
      policies: {
        shop: [{ ...WEB, policyTypes: ['Egress'], egress: [{ to: everything.map(all => except(all, B)) }] }],
      },
    },
    {
      name: 'to a node and one pod, at one port',
      policies: {
        lab: [
          {
            ...DB,
            policyTypes: ['Egress'],
            egress: [{ to: each(own(nodeB, 'ops/db')), ports: [tcp(7002)] }],
          },
        ],
      },
    },
    {
      name: 'to the addresses of one pod in one family',
      policies: {
        lab: [{ ...WEB, policyTypes: ['Egress'], egress: [{ to: each(own('shop/db').slice(0, 1)) }] }],
      },
    },
  ]
}

/** A network without those of the others that are of its family. */
const except = (cidr: string, others: readonly string[]): object =>
  block(cidr, ...others.filter(other => other.includes(':') === cidr.includes(':')))

/** The podCIDRs of both nodes, and all addresses that there are; of the cluster's families. */
function networksOf({ stage, podCidrs, nodes }: Scene) {
  const everything = stage.families.map(version => (version === 4 ? '0.0.0.0/0' : '::/0'))
  return { A: podCidrs[nodes[0]]!, B: podCidrs[nodes[1]]!, everything }
}
