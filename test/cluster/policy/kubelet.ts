import type { Test } from 'tap'
import { TOOLS_IMAGE } from '../cluster.ts'
import type { Resource, Stage } from '../stage.ts'
import { DENY, policy } from './cases/case.ts'
import type { Scene } from './scene.ts'

const NAMESPACE = 'quiet'
const PORT = 8080

/** A namespace that lets nobody in and out, and in it pods that the kubelet asks in every way that it can. */
export class Probed {
  readonly #stage: Stage
  readonly #names: readonly string[]

  private constructor(stage: Stage, names: readonly string[]) {
    this.#stage = stage
    this.#names = names
  }

  /** Starts them; the policy is there before. */
  static async start({ stage, nodes }: Scene): Promise<Probed> {
    const kinds = Object.entries(PROBES)
    const pods = nodes.flatMap(node =>
      kinds.map(([kind, probe]) => probedPod(`${kind}-${node}`, node, probe)),
    )
    await stage.apply([
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels: { test: 'podwire' } } },
      policy(NAMESPACE, 'deny', DENY),
      ...pods,
    ])
    return new Probed(
      stage,
      nodes.flatMap(node => kinds.map(([kind]) => `${kind}-${node}`)),
    )
  }

  /** They become ready, so the kubelet reaches them. */
  async testReady(t: Test): Promise<void> {
    await t.test('pods under default deny become ready by each kind of probe', async t => {
      await t.resolves(this.#stage.wait('condition=Ready', 'pod', ...this.#names, `--namespace=${NAMESPACE}`))
    })
  }

  /** They have been ready since, all the time that the other tests took. */
  async testStillReady(t: Test): Promise<void> {
    await t.test('they stay ready, and no container is started again', async t => {
      const pods: readonly Resource[] = await this.#stage.get('pods', `--namespace=${NAMESPACE}`)
      for (const { metadata, status } of pods) {
        const [{ ready, restartCount }] = status.containerStatuses
        t.same({ ready, restartCount }, { ready: true, restartCount: 0 }, metadata.name)
      }
      const events = await this.#stage.kubectl(
        'get',
        'events',
        `--namespace=${NAMESPACE}`,
        '--field-selector=reason=Unhealthy',
        '--output=jsonpath={.items[*].message}',
      )
      // A server that has not started yet refuses; only a probe that nothing answers runs out of time.
      t.notMatch(events, /timeout|deadline|i\/o/i)
    })
  }
}

const PROBES = {
  tcp: { tcpSocket: { port: PORT } },
  http: { httpGet: { path: '/', port: PORT } },
  exec: { exec: { command: ['test', '-e', '/tmp/index.html'] } },
} as const

const probedPod = (name: string, node: string, probe: object): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: NAMESPACE, labels: { test: 'podwire' } },
  spec: {
    nodeName: node,
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 0,
    tolerations: [{ operator: 'Exists' }],
    containers: [
      {
        name: 'main',
        image: TOOLS_IMAGE,
        imagePullPolicy: 'Never',
        command: ['sh', '-c', `echo well >/tmp/index.html; exec httpd -f -p ${PORT} -h /tmp`],
        startupProbe: { ...probe, periodSeconds: 1, timeoutSeconds: 2, failureThreshold: 30 },
        readinessProbe: { ...probe, periodSeconds: 2, timeoutSeconds: 5 },
        livenessProbe: { ...probe, periodSeconds: 2, timeoutSeconds: 5 },
      },
    ],
  },
})
