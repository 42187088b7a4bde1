import { ALL, type Case, labels, namespaces, pods, podsIn, tcp, where } from './case.ts'

const ANYBODY = [{}]

/** Which pods are isolated, and in which direction. */
export const ISOLATION: readonly Case[] = [
  {
    name: 'default deny of ingress',
    policies: { shop: [{ podSelector: ALL, policyTypes: ['Ingress'] }] },
  },
  {
    name: 'default deny of egress',
    policies: { shop: [{ podSelector: ALL, policyTypes: ['Egress'] }] },
  },
  {
    name: 'default deny of both',
    policies: { lab: [{ podSelector: ALL, policyTypes: ['Ingress', 'Egress'] }] },
  },
  {
    name: 'default deny of both in all namespaces',
    policies: {
      shop: [{ podSelector: ALL, policyTypes: ['Ingress', 'Egress'] }],
      lab: [{ podSelector: ALL, policyTypes: ['Egress', 'Ingress'] }],
      ops: [{ podSelector: ALL, policyTypes: ['Ingress', 'Egress'] }],
    },
  },
  {
    name: 'allow all ingress',
    policies: { shop: [{ podSelector: ALL, ingress: ANYBODY }] },
  },
  {
    name: 'allow all egress and no ingress',
    policies: { shop: [{ podSelector: ALL, egress: ANYBODY }] },
  },
  {
    name: 'allow all of both',
    policies: {
      lab: [{ podSelector: ALL, ingress: ANYBODY, egress: ANYBODY, policyTypes: ['Ingress', 'Egress'] }],
    },
  },
  {
    name: 'without policyTypes and rules it is for ingress',
    policies: { shop: [{ podSelector: labels({ app: 'db' }) }] },
  },
  {
    name: 'without policyTypes an egress rule makes it for both',
    policies: {
      lab: [{ podSelector: labels({ app: 'web' }), egress: [{ to: [pods(labels({ app: 'db' }))] }] }],
    },
  },
  {
    name: 'without policyTypes an empty egress list is none',
    policies: { lab: [{ podSelector: ALL, ingress: [{ ports: [tcp(7001)] }], egress: [] }] },
  },
  {
    name: 'an empty ingress list allows nothing',
    policies: { ops: [{ podSelector: labels({ app: 'web' }), ingress: [] }] },
  },
  {
    name: 'ingress rules of a policy for egress alone are nothing',
    policies: {
      shop: [{ podSelector: ALL, policyTypes: ['Egress'], ingress: [{ from: [pods(ALL)] }] }],
    },
  },
  {
    name: 'egress rules of a policy for ingress alone are nothing',
    policies: {
      shop: [{ podSelector: ALL, policyTypes: ['Ingress'], egress: [{ to: [pods(ALL)] }] }],
    },
  },
  {
    name: 'a podSelector that matches nobody isolates nobody',
    policies: { shop: [{ podSelector: labels({ app: 'nobody' }) }] },
  },
  {
    name: 'a podSelector selects in its own namespace alone',
    policies: { ops: [{ podSelector: labels({ app: 'db' }), policyTypes: ['Ingress', 'Egress'] }] },
  },
  {
    name: 'all labels of a podSelector must match',
    policies: {
      shop: [
        { podSelector: labels({ app: 'web', tier: 'front' }), policyTypes: ['Ingress'] },
        { podSelector: labels({ app: 'db', tier: 'front' }), policyTypes: ['Ingress'] },
      ],
    },
  },
  {
    name: 'podSelector with In',
    policies: { lab: [{ podSelector: where(['app', 'In', 'web', 'job', 'nobody']) }] },
  },
  {
    name: 'podSelector with NotIn takes pods without the label',
    policies: { lab: [{ podSelector: where(['tier', 'NotIn', 'front']) }] },
  },
  {
    name: 'podSelector with Exists',
    policies: { ops: [{ podSelector: where(['tier', 'Exists']), policyTypes: ['Egress'] }] },
  },
  {
    name: 'podSelector with DoesNotExist',
    policies: { ops: [{ podSelector: where(['tier', 'DoesNotExist']), policyTypes: ['Egress'] }] },
  },
  {
    name: 'podSelector with labels and expressions wants all of them',
    policies: {
      shop: [
        { podSelector: { ...labels({ tier: 'back' }), ...where(['app', 'In', 'db', 'job']) } },
        { podSelector: where(['tier', 'Exists'], ['app', 'NotIn', 'db']), policyTypes: ['Egress'] },
      ],
    },
  },
  {
    name: 'a podSelector that contradicts itself isolates nobody',
    policies: { shop: [{ podSelector: where(['app', 'In', 'db'], ['app', 'NotIn', 'db']) }] },
  },
  {
    name: 'pods on the network of a node are not isolated',
    policies: { ops: [{ podSelector: labels({ app: 'host' }), policyTypes: ['Ingress', 'Egress'] }] },
  },
  {
    name: 'a node reaches its own pods, and no other node does',
    policies: {
      shop: [{ podSelector: ALL, ingress: [{ from: [podsIn(labels({ team: 'platform' }), ALL)] }] }],
      lab: [{ podSelector: ALL, ingress: [{ from: [namespaces(labels({ team: 'platform' }))] }] }],
    },
  },
]
