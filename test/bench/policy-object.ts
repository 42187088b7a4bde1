import { NAMESPACES, namespaceName } from './pod-object.ts'

/** Namespaces of one team, whose pods talk with each other. */
const TEAM = 4

/** A Namespace with the labels that policies select it by. */
export const namespaceObject = (index: number): object => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: {
    name: namespaceName(index),
    labels: { 'kubernetes.io/metadata.name': namespaceName(index), ...teamLabels(index) },
  },
})

const teamLabels = (index: number): object => ({ team: `team-${Math.floor(index / TEAM)}` })

const app = (name: string): object => ({ podSelector: { matchLabels: { app: name } } })
const anyOf = (...names: readonly string[]): object => ({
  podSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: names }] },
})
/** Pods of the first namespace, where everybody's DNS and monitoring are. */
const shared = (name: string): object => ({
  namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespaceName(0) } },
  ...app(name),
})
const tcp = (...ports: readonly (number | string)[]): object[] =>
  ports.map(port => ({ protocol: 'TCP', port }))

const METRICS = { protocol: 'TCP', port: 9100, endPort: 9110 }
const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16']

/** The specs of one namespace's policies by their names: nothing is open but what its pods need of each other. */
const SPECS = (index: number): Readonly<Record<string, object>> => ({
  'default-deny': { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
  basics: {
    podSelector: {},
    policyTypes: ['Ingress', 'Egress'],
    ingress: [{ from: [shared('monitor')], ports: [METRICS] }],
    egress: [{ to: [shared('dns')], ports: [{ protocol: 'UDP', port: 53 }, ...tcp(53)] }],
  },
  'answer-dns': { ...app('dns'), ingress: [{ ports: [{ protocol: 'UDP', port: 'dns' }] }] },
  monitor: {
    ...app('monitor'),
    policyTypes: ['Egress'],
    egress: [{ to: [{ namespaceSelector: {} }], ports: [METRICS] }],
  },
  'web-from-outside': {
    ...app('web'),
    ingress: [{ from: [{ ipBlock: { cidr: '0.0.0.0/0', except: PRIVATE } }], ports: tcp('http') }],
  },
  'call-api': {
    ...anyOf('web', 'worker'),
    policyTypes: ['Egress'],
    egress: [{ to: [app('api')], ports: tcp('http', 'grpc') }],
  },
  'api-from-web': { ...app('api'), ingress: [{ from: [anyOf('web', 'worker')], ports: tcp(8080, 8081) }] },
  'api-from-team': {
    ...app('api'),
    ingress: [{ from: [{ namespaceSelector: { matchLabels: teamLabels(index) } }], ports: tcp('grpc') }],
  },
  'call-storage': {
    ...anyOf('api', 'worker'),
    policyTypes: ['Egress'],
    egress: [
      { to: [anyOf('db', 'cache')], ports: tcp(5432, 6379) },
      { to: [{ ipBlock: { cidr: '0.0.0.0/0', except: PRIVATE } }], ports: tcp(443) },
    ],
  },
  'storage-from-api': {
    ...anyOf('db', 'cache'),
    ingress: [{ from: [anyOf('api', 'worker')], ports: tcp(5432, 6379) }],
  },
})

/** A NetworkPolicy, as far as this benchmark must know. */
export interface PolicyObject {
  readonly metadata: { readonly namespace: string; readonly name: string }
}

/** One more policy, of the namespace that comes next: another port of its storage. */
export const extraPolicy = (round: number): PolicyObject =>
  policyObject(round % NAMESPACES, `extra-${round}`, {
    ...anyOf('db', 'cache'),
    ingress: [{ from: [app('worker')], ports: tcp(10_000 + round) }],
  })

function policyObject(index: number, name: string, spec: object): PolicyObject {
  const metadata = { namespace: namespaceName(index), name }
  const object = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata, spec }
  return object
}

/** All NetworkPolicies: so many in each namespace as there are specs. */
export const policyObjects = (): PolicyObject[] =>
  Array.from({ length: NAMESPACES }, (_, index) =>
    Object.entries(SPECS(index)).map(([name, spec]) => policyObject(index, name, spec)),
  ).flat()
