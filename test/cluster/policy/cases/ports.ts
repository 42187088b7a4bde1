import { ALL, type Case, labels, namespaces, pods, podsIn, tcp, udp, where } from './case.ts'

const DB = { podSelector: labels({ app: 'db' }) }
const WEB = { podSelector: labels({ app: 'web' }) }
const EGRESS = { policyTypes: ['Egress'] }

/** At which ports. */
export const PORT_CASES: readonly Case[] = [
  { name: 'at one TCP port', policies: { shop: [{ podSelector: ALL, ingress: [{ ports: [tcp(7001)] }] }] } },
  { name: 'at one UDP port', policies: { shop: [{ podSelector: ALL, ingress: [{ ports: [udp(7002)] }] }] } },
  {
    name: 'at one port of both protocols',
    policies: { shop: [{ ...DB, ingress: [{ ports: [tcp(7001), udp(7001)] }] }] },
  },
  {
    name: 'a port without protocol is of TCP',
    policies: { lab: [{ ...DB, ingress: [{ ports: [{ port: 7001 }] }] }] },
  },
  { name: 'at all TCP ports', policies: { lab: [{ ...DB, ingress: [{ ports: [{ protocol: 'TCP' }] }] }] } },
  { name: 'at all UDP ports', policies: { lab: [{ ...WEB, ingress: [{ ports: [{ protocol: 'UDP' }] }] }] } },
  {
    name: 'at all ports of SCTP is at none of TCP and UDP',
    policies: {
      lab: [{ ...WEB, ingress: [{ ports: [{ protocol: 'SCTP' }, { protocol: 'SCTP', port: 7001 }] }] }],
    },
  },
  {
    name: 'at a port where nobody listens',
    policies: { ops: [{ ...DB, ingress: [{ ports: [tcp(9999)] }] }] },
  },
  {
    name: 'empty ports are all',
    policies: { ops: [{ ...DB, ingress: [{ from: [pods(ALL)], ports: [] }] }] },
  },
  {
    name: 'other ports for other peers',
    policies: {
      shop: [
        {
          ...DB,
          ingress: [
            { from: [pods(ALL)], ports: [tcp(7001)] },
            { from: [namespaces(labels({ team: 'research' }))], ports: [udp(7001), tcp(7002)] },
            { from: [podsIn(labels({ team: 'platform' }), labels({ app: 'job' }))] },
          ],
        },
      ],
    },
  },
  {
    name: 'a name of a port that pods have at different numbers',
    policies: { shop: [{ podSelector: ALL, ingress: [{ ports: [tcp('main')] }] }] },
  },
  {
    name: 'a name of a UDP port',
    policies: { shop: [{ podSelector: ALL, ingress: [{ ports: [udp('talk')] }] }] },
  },
  {
    name: 'a name of a port with another protocol is none',
    policies: { shop: [{ podSelector: ALL, ingress: [{ ports: [udp('main'), tcp('talk')] }] }] },
  },
  {
    name: 'a name that no pod has is no port',
    policies: { lab: [{ podSelector: ALL, ingress: [{ ports: [tcp('nothing')] }] }] },
  },
  {
    name: 'a name and a number',
    policies: { lab: [{ podSelector: ALL, ingress: [{ ports: [tcp('side'), udp(7002)] }] }] },
  },
  {
    name: 'a name of a port for some peers',
    policies: {
      ops: [
        {
          podSelector: where(['app', 'In', 'web', 'db']),
          ingress: [{ from: [podsIn(ALL, labels({ app: 'web' }))], ports: [tcp('main'), udp('talk')] }],
        },
      ],
    },
  },
  {
    name: 'to one TCP port',
    policies: { ops: [{ podSelector: ALL, ...EGRESS, egress: [{ ports: [tcp(7002)] }] }] },
  },
  {
    name: 'to all UDP ports of some pods',
    policies: {
      ops: [
        {
          podSelector: ALL,
          ...EGRESS,
          egress: [{ to: [podsIn(ALL, labels({ app: 'db' }))], ports: [{ protocol: 'UDP' }] }],
        },
      ],
    },
  },
  {
    name: 'to a name of a port that peers have at different numbers',
    policies: { shop: [{ podSelector: ALL, ...EGRESS, egress: [{ ports: [tcp('main')] }] }] },
  },
  {
    name: 'to names of ports of some pods',
    policies: {
      lab: [
        {
          podSelector: ALL,
          ...EGRESS,
          egress: [{ to: [namespaces(labels({ env: 'prod' }))], ports: [tcp('side'), udp('talk')] }],
        },
      ],
    },
  },
  {
    name: 'at a range of ports',
    needs: 'endPort',
    policies: { shop: [{ podSelector: ALL, ingress: [{ ports: [{ port: 6000, endPort: 7001 }] }] }] },
  },
  {
    name: 'to a range of ports',
    needs: 'endPort',
    policies: {
      shop: [
        {
          podSelector: ALL,
          ...EGRESS,
          egress: [{ ports: [{ protocol: 'UDP', port: 7002, endPort: 65535 }] }],
        },
      ],
    },
  },
]
