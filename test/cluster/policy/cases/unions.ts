import { ALL, type Case, labels, namespaces, pods, podsIn, tcp, udp, where } from './case.ts'

const DB = { podSelector: labels({ app: 'db' }) }
const CLOSED = { podSelector: ALL, policyTypes: ['Ingress', 'Egress'] }

/** Several policies: whatever one of them allows. */
export const UNIONS: readonly Case[] = [
  {
    name: 'a default deny and one that allows',
    policies: { shop: [CLOSED, { ...DB, ingress: [{ from: [podsIn(ALL, labels({ app: 'web' }))] }] }] },
  },
  {
    name: 'a default deny and one that allows all',
    policies: { shop: [CLOSED, { podSelector: ALL, ingress: [{}], egress: [{}] }] },
  },
  {
    name: 'two policies with other peers',
    policies: {
      lab: [
        { ...DB, ingress: [{ from: [namespaces(labels({ team: 'sales' }))] }] },
        { ...DB, ingress: [{ from: [podsIn(ALL, labels({ app: 'job' }))] }] },
      ],
    },
  },
  {
    name: 'two policies with other ports',
    policies: {
      lab: [
        { podSelector: ALL, ingress: [{ ports: [tcp(7001)] }] },
        { podSelector: labels({ tier: 'back' }), ingress: [{ ports: [udp(7001)] }] },
      ],
    },
  },
  {
    name: 'policies that select some pods in common',
    policies: {
      ops: [
        { podSelector: where(['app', 'In', 'web', 'db']), ingress: [{ from: [pods(ALL)] }] },
        {
          podSelector: where(['app', 'In', 'db', 'job']),
          ingress: [{ from: [namespaces(labels({ team: 'research' }))] }],
        },
      ],
    },
  },
  {
    name: 'one policy for ingress and one for egress',
    policies: {
      shop: [
        { podSelector: ALL, ingress: [{ from: [namespaces(labels({ env: 'prod' }))] }] },
        { podSelector: ALL, policyTypes: ['Egress'], egress: [{ to: [podsIn(ALL, labels({ app: 'db' }))] }] },
      ],
    },
  },
  {
    name: 'the same rule in two policies, and a third with less',
    policies: {
      shop: [
        { ...DB, ingress: [{ from: [namespaces(labels({ team: 'platform' }))] }] },
        {
          podSelector: labels({ tier: 'back' }),
          ingress: [{ from: [namespaces(labels({ team: 'platform' }))] }],
        },
        { ...DB, ingress: [{ from: [namespaces(labels({ team: 'platform' }))], ports: [tcp(7001)] }] },
      ],
    },
  },
  {
    name: 'three namespaces that each let in one other',
    policies: {
      shop: [{ podSelector: ALL, ingress: [{ from: [namespaces(labels({ team: 'research' }))] }] }],
      lab: [{ podSelector: ALL, ingress: [{ from: [namespaces(labels({ team: 'platform' }))] }] }],
      ops: [{ podSelector: ALL, ingress: [{ from: [namespaces(labels({ team: 'sales' }))] }] }],
    },
  },
  {
    name: 'namespaces that know only themselves',
    policies: {
      shop: [{ podSelector: ALL, ingress: [{ from: [pods(ALL)] }], egress: [{ to: [pods(ALL)] }] }],
      lab: [{ podSelector: ALL, ingress: [{ from: [pods(ALL)] }] }],
      ops: [{ podSelector: ALL, policyTypes: ['Egress'], egress: [{ to: [pods(ALL)] }] }],
    },
  },
  {
    name: 'a chain of services, each reached by the one before',
    policies: {
      shop: [
        CLOSED,
        {
          podSelector: labels({ app: 'web' }),
          egress: [{ to: [pods(labels({ app: 'db' }))], ports: [tcp('main')] }],
          ingress: [{ from: [namespaces(labels({ team: 'platform' }))], ports: [tcp('main')] }],
        },
        {
          ...DB,
          ingress: [{ from: [pods(labels({ app: 'web' }))], ports: [tcp('main')] }],
        },
        {
          podSelector: labels({ app: 'job' }),
          policyTypes: ['Egress'],
          egress: [{ to: [podsIn(labels({ team: 'research' }), labels({ app: 'db' }))], ports: [udp(7001)] }],
        },
      ],
    },
  },
]
