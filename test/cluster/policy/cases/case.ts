import type { Scene } from '../scene.ts'

/** Specs of NetworkPolicies by their namespace. */
export type Specs = Readonly<Record<string, readonly object[]>>

/** Policies that are in force together, and what it is that they show. */
export interface Case {
  readonly name: string
  readonly policies: Specs
  /** Something that not every API server has. */
  readonly needs?: 'endPort'
}

/** The objects of a case, as they are applied. */
export const objectsOf = ({ name, policies }: Case): object[] =>
  Object.entries(policies).flatMap(([namespace, specs]) =>
    specs.map((spec, i) => policy(namespace, `${slugOf(name)}-${i}`, spec, { case: slugOf(name) })),
  )

/** One policy as an object of the API. */
export const policy = (
  namespace: string,
  name: string,
  spec: object,
  its: Readonly<Record<string, string>> = {},
): object => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name, namespace, labels: { test: 'podwire', ...its } },
  spec,
})

/** A case's name as objects and labels can have it. */
export const slugOf = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')

/** A selector of labels. */
export const labels = (matchLabels: Readonly<Record<string, string>>): object => ({ matchLabels })
/** A selector of expressions, each of key, operator and values. */
export const where = (...expressions: readonly (readonly [string, string, ...string[]])[]): object => ({
  matchExpressions: expressions.map(([key, operator, ...values]) =>
    values.length === 0 ? { key, operator } : { key, operator, values },
  ),
})
/** Selects everything. */
export const ALL = {}
/** A spec: nobody gets in or out. */
export const DENY = { podSelector: ALL, policyTypes: ['Ingress', 'Egress'] }

export const pods = (podSelector: object): object => ({ podSelector })
export const namespaces = (namespaceSelector: object): object => ({ namespaceSelector })
export const podsIn = (namespaceSelector: object, podSelector: object): object => ({
  namespaceSelector,
  podSelector,
})
export const block = (cidr: string, ...except: readonly string[]): object => ({
  ipBlock: except.length === 0 ? { cidr } : { cidr, except },
})

export const tcp = (port: number | string): object => ({ protocol: 'TCP', port })
export const udp = (port: number | string): object => ({ protocol: 'UDP', port })

/** The networks of addresses of one prober or more: each address alone. */
export const addressesOf = (scene: Scene, ...names: readonly string[]): string[] =>
  names.flatMap(name => {
    const { addresses } = scene.prober(name)
    return scene.stage.families.map(version => `${addresses[version]}/${version === 4 ? 32 : 128}`)
  })
