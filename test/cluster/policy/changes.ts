import type { Test } from 'tap'
import type { Stage } from '../stage.ts'
import { ALL, labels, namespaces, pods, podsIn, policy, tcp, udp } from './cases/case.ts'
import { deletePolicies } from './delete.ts'
import { makeNamespace, nameOf, type Prober, type ProberOptions, startProbers } from './prober.ts'
import type { Scene } from './scene.ts'
import { agrees, everyPair } from './table.ts'

/** Something changes, and everything is compared right after it. */
interface Step {
  readonly name: string
  readonly change: () => Promise<unknown>
}

/** The probers that there are, as they come and go. */
class Company {
  readonly #scene: Scene
  probers: readonly Prober[]

  constructor(scene: Scene) {
    this.#scene = scene
    this.probers = scene.probers
  }

  async come(...wanted: readonly ProberOptions[]): Promise<void> {
    this.probers = [...this.probers, ...(await startProbers(this.#scene.stage, wanted))]
  }

  async go(...names: readonly string[]): Promise<void> {
    this.probers = this.probers.filter(each => !names.includes(nameOf(each)))
    for (const name of names) {
      const [namespace, pod = ''] = name.split('/')
      await this.#scene.stage.kubectl('delete', 'pod', pod, `--namespace=${namespace}`)
    }
  }
}

/** Labels, pods, namespaces and policies come, change and go under policies that are about them. */
export async function testChanges(t: Test, stage: Stage, scene: Scene): Promise<void> {
  await t.test('whatever changes, every pair reaches each other exactly as the API says', async t => {
    const company = new Company(scene)
    for (const { name, change } of [
      ...policySteps(stage),
      ...labelSteps(stage),
      ...podSteps(scene, company),
      ...namespaceSteps(scene, company),
      ...lastSteps(stage, company),
    ]) {
      await change()
      await agrees(t, stage, name, everyPair(stage, company.probers))
    }
  })
}

const GUARD = policy('shop', 'guard', {
  podSelector: labels({ guarded: 'yes' }),
  policyTypes: ['Ingress', 'Egress'],
  ingress: [
    { from: [podsIn(ALL, labels({ trusted: 'yes' }))], ports: [tcp('main'), udp(7001)] },
    { from: [namespaces(labels({ open: 'yes' }))], ports: [tcp(7002)] },
  ],
  egress: [{ to: [namespaces(labels({ open: 'yes' })), pods(ALL)] }],
})

const policySteps = (stage: Stage): Step[] => {
  const deny = (...policyTypes: string[]): object => policy('lab', 'deny', { podSelector: ALL, policyTypes })
  return [
    { name: 'a policy comes', change: () => stage.apply([deny('Ingress')]) },
    { name: 'it is for the other direction', change: () => stage.apply([deny('Egress')]) },
    { name: 'it is for both', change: () => stage.apply([deny('Ingress', 'Egress')]) },
    {
      name: 'it lets some in',
      change: () =>
        stage.apply([
          policy('lab', 'deny', {
            podSelector: ALL,
            ingress: [{ from: [namespaces(labels({ team: 'sales' }))], ports: [tcp(7001)] }],
          }),
        ]),
    },
    { name: 'it goes', change: () => deletePolicies(stage) },
    { name: 'a policy comes that selects nobody yet', change: () => stage.apply([GUARD]) },
  ]
}

const labelSteps = (stage: Stage): Step[] => {
  const pod = (namespace: string, name: string, ...set: string[]) =>
    stage.kubectl('label', '--overwrite', 'pod', name, `--namespace=${namespace}`, ...set)
  const namespace = (name: string, ...set: string[]) =>
    stage.kubectl('label', '--overwrite', 'namespace', name, ...set)
  return [
    { name: 'a pod gets the label that is selected', change: () => pod('shop', 'web', 'guarded=yes') },
    { name: 'a pod of another node gets it', change: () => pod('shop', 'db', 'guarded=yes') },
    { name: 'a pod gets the label of a peer', change: () => pod('lab', 'web', 'trusted=yes') },
    { name: 'a pod that is selected gets it', change: () => pod('shop', 'web', 'trusted=yes') },
    { name: 'a namespace gets the label of peers', change: () => namespace('ops', 'open=yes') },
    { name: 'a peer has another value', change: () => pod('lab', 'web', 'trusted=no') },
    { name: 'the namespace has it no more', change: () => namespace('ops', 'open-') },
    {
      name: 'labels change all at once',
      change: () =>
        Promise.all([
          namespace('lab', 'open=yes'),
          pod('shop', 'web', 'guarded-', 'trusted-'),
          pod('shop', 'job', 'guarded=yes'),
          pod('ops', 'db', 'trusted=yes'),
          pod('lab', 'web', 'trusted-'),
        ]),
    },
  ]
}

const podSteps = ({ nodes: [a, b] }: Scene, company: Company): Step[] => {
  const main = [{ name: 'main', port: 7002, protocol: 'TCP' }]
  const peer: ProberOptions = { namespace: 'lab', name: 'late', node: a, labels: { trusted: 'yes' } }
  const guarded: ProberOptions = {
    namespace: 'shop',
    name: 'late',
    node: b,
    labels: { guarded: 'yes' },
    ports: main,
  }
  return [
    { name: 'a pod comes that is a peer', change: () => company.come(peer) },
    { name: 'a pod comes that is selected', change: () => company.come(guarded) },
    { name: 'the peer goes', change: () => company.go('lab/late') },
    {
      name: 'pods come again under their names, with other labels and on other nodes',
      change: async () => {
        await company.go('shop/late')
        await company.come(
          { ...peer, node: b, labels: { app: 'web' } },
          { ...guarded, node: a, labels: { guarded: 'yes', trusted: 'yes' } },
        )
      },
    },
    { name: 'one of them goes', change: () => company.go('lab/late') },
  ]
}

const namespaceSteps = ({ stage, program, nodes: [a, b] }: Scene, company: Company): Step[] => [
  {
    name: 'a namespace comes with a policy, a pod that it selects and one that is a peer elsewhere',
    change: async () => {
      await makeNamespace(stage, program, 'late', { open: 'yes' })
      await stage.apply([
        policy('late', 'own', { podSelector: labels({ app: 'db' }), ingress: [{ from: [pods(ALL)] }] }),
      ])
      await company.come(
        { namespace: 'late', name: 'db', node: a, labels: { app: 'db' } },
        { namespace: 'late', name: 'web', node: b, labels: { trusted: 'yes' } },
      )
    },
  },
  {
    name: 'its label changes',
    change: () => stage.kubectl('label', '--overwrite', 'namespace', 'late', 'open=no'),
  },
  {
    name: 'it goes with all that is in it',
    change: async () => {
      company.probers = company.probers.filter(({ namespace }) => namespace !== 'late')
      await stage.kubectl('delete', 'namespace', 'late')
    },
  },
]

const lastSteps = (stage: Stage, company: Company): Step[] => [
  {
    name: 'a pod that is selected and all policies go together',
    change: () => Promise.all([company.go('shop/late'), deletePolicies(stage)]),
  },
]
