import { ALL, type Case, labels, namespaces, pods, podsIn, tcp, where } from './case.ts'

const DB = { podSelector: labels({ app: 'db' }) }
const WEB = { podSelector: labels({ app: 'web' }) }

/** From whom, and to whom. */
export const PEERS: readonly Case[] = [
  {
    name: 'from pods of the own namespace with a label',
    policies: { shop: [{ ...DB, ingress: [{ from: [pods(labels({ app: 'web' }))] }] }] },
  },
  {
    name: 'from all pods of the own namespace',
    policies: { shop: [{ ...DB, ingress: [{ from: [pods(ALL)] }] }] },
  },
  {
    name: 'from all pods of all namespaces',
    policies: { shop: [{ podSelector: ALL, ingress: [{ from: [namespaces(ALL)] }] }] },
  },
  {
    name: 'from namespaces with a label',
    policies: { lab: [{ podSelector: ALL, ingress: [{ from: [namespaces(labels({ env: 'prod' }))] }] }] },
  },
  {
    name: 'from the namespace of a name',
    policies: {
      lab: [{ ...DB, ingress: [{ from: [namespaces(labels({ 'kubernetes.io/metadata.name': 'ops' }))] }] }],
    },
  },
  {
    name: 'from namespaces with NotIn',
    policies: {
      ops: [{ podSelector: ALL, ingress: [{ from: [namespaces(where(['team', 'NotIn', 'sales']))] }] }],
    },
  },
  {
    name: 'from namespaces with Exists and In',
    policies: {
      shop: [
        {
          ...DB,
          ingress: [{ from: [namespaces(where(['env', 'Exists'], ['team', 'In', 'platform', 'x']))] }],
        },
      ],
    },
  },
  {
    name: 'from namespaces with DoesNotExist',
    policies: {
      shop: [{ ...WEB, ingress: [{ from: [namespaces(where(['env', 'DoesNotExist']))] }] }],
    },
  },
  {
    name: 'from pods with a label in namespaces with a label',
    policies: {
      shop: [
        { podSelector: ALL, ingress: [{ from: [podsIn(labels({ env: 'prod' }), labels({ app: 'job' }))] }] },
      ],
    },
  },
  {
    name: 'from pods with a label, or from namespaces with a label',
    policies: {
      shop: [
        {
          podSelector: ALL,
          ingress: [{ from: [namespaces(labels({ team: 'research' })), pods(labels({ app: 'job' }))] }],
        },
      ],
    },
  },
  {
    name: 'from pods with a label in any namespace',
    policies: { ops: [{ ...DB, ingress: [{ from: [podsIn(ALL, labels({ app: 'web' }))] }] }] },
  },
  {
    name: 'from all pods in namespaces with a label',
    policies: { ops: [{ ...DB, ingress: [{ from: [podsIn(labels({ team: 'sales' }), ALL)] }] }] },
  },
  {
    name: 'from pods with In and NotIn',
    policies: {
      lab: [
        {
          ...DB,
          ingress: [{ from: [podsIn(ALL, where(['app', 'In', 'web', 'job'], ['tier', 'NotIn', 'front']))] }],
        },
      ],
    },
  },
  {
    name: 'from namespaces that there are not',
    policies: { lab: [{ ...DB, ingress: [{ from: [namespaces(labels({ team: 'nobody' }))] }] }] },
  },
  {
    name: 'from pods that there are not',
    policies: { lab: [{ ...DB, ingress: [{ from: [podsIn(ALL, labels({ app: 'nobody' }))] }] }] },
  },
  {
    name: 'from pods on the network of a node finds nobody',
    policies: { ops: [{ podSelector: ALL, ingress: [{ from: [pods(labels({ app: 'host' }))] }] }] },
  },
  {
    name: 'an empty from is everybody',
    policies: { ops: [{ ...DB, ingress: [{ from: [], ports: [tcp(7001)] }] }] },
  },
  {
    name: 'an absent from is everybody',
    policies: { ops: [{ ...DB, ingress: [{ ports: [tcp(7002)] }] }] },
  },
  {
    name: 'two rules are either',
    policies: {
      lab: [
        {
          ...DB,
          ingress: [
            { from: [pods(labels({ app: 'web' }))] },
            { from: [podsIn(labels({ team: 'sales' }), labels({ app: 'db' }))] },
          ],
        },
      ],
    },
  },
  {
    name: 'to pods of the own namespace with a label',
    policies: {
      shop: [{ ...WEB, policyTypes: ['Egress'], egress: [{ to: [pods(labels({ app: 'db' }))] }] }],
    },
  },
  {
    name: 'to namespaces with a label',
    policies: {
      lab: [
        {
          podSelector: ALL,
          policyTypes: ['Egress'],
          egress: [{ to: [namespaces(labels({ env: 'prod' }))] }],
        },
      ],
    },
  },
  {
    name: 'to pods with a label in namespaces with a label',
    policies: {
      ops: [
        {
          podSelector: ALL,
          policyTypes: ['Egress'],
          egress: [{ to: [podsIn(labels({ team: 'sales' }), where(['tier', 'Exists']))] }],
        },
      ],
    },
  },
  {
    name: 'to all pods of all namespaces',
    policies: { ops: [{ ...WEB, policyTypes: ['Egress'], egress: [{ to: [namespaces(ALL)] }] }] },
  },
  {
    name: 'an empty to is everybody',
    policies: { ops: [{ ...WEB, policyTypes: ['Egress'], egress: [{ to: [] }] }] },
  },
  {
    name: 'other peers for ingress than for egress',
    policies: {
      lab: [
        {
          ...WEB,
          ingress: [{ from: [namespaces(labels({ team: 'sales' }))] }],
          egress: [{ to: [namespaces(labels({ team: 'platform' }))] }],
        },
      ],
    },
  },
  {
    name: 'both ends must allow it',
    policies: {
      shop: [
        {
          podSelector: ALL,
          policyTypes: ['Egress'],
          egress: [{ to: [podsIn(ALL, where(['app', 'In', 'db', 'web']))] }],
        },
      ],
      lab: [{ ...DB, ingress: [{ from: [namespaces(labels({ team: 'sales' }))], ports: [tcp(7002)] }] }],
      ops: [{ ...DB, ingress: [{ from: [pods(ALL)] }] }],
    },
  },
]
