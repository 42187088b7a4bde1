import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { parseAllDocuments } from 'yaml'
import { type Command, parseOptions } from '../daemon/core/options.ts'
import { DEFAULT_DATA_DIR } from '../ipam/core/config.ts'

/** What these tests look at in a Kubernetes object or in a file of kind. */
interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Labels }
  readonly rules?: unknown
  readonly roleRef?: unknown
  readonly subjects?: unknown
  readonly bases?: readonly string[]
  readonly resources?: readonly string[]
  readonly patchesStrategicMerge?: readonly string[]
  readonly networking?: unknown
  readonly nodes?: readonly { readonly role: string }[]
  readonly spec?: DaemonSetSpec
}

type Labels = Readonly<Record<string, string>>

interface DaemonSetSpec {
  readonly selector: { readonly matchLabels: Labels }
  readonly updateStrategy: unknown
  readonly template: {
    readonly metadata: { readonly labels: Labels; readonly annotations?: Labels }
    readonly spec: PodSpec
  }
}

interface PodSpec {
  readonly containers: readonly Container[]
  readonly volumes: readonly {
    readonly name: string
    readonly hostPath: { readonly path: string; readonly type: string }
  }[]
  readonly [key: string]: unknown
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: number; readonly host?: string }
}

interface Container {
  readonly name: string
  readonly args: readonly string[]
  readonly env: readonly { readonly name: string; readonly valueFrom: unknown }[]
  readonly ports: readonly { readonly containerPort: number; readonly hostPort: number }[]
  readonly startupProbe?: Probe
  readonly livenessProbe?: Probe
  readonly readinessProbe: Probe
  readonly securityContext: unknown
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[]
  readonly [key: string]: unknown
}

const ROOT = join(import.meta.dirname, '..')

/** The objects of a file; throws when it is no YAML. */
const read = (file: string): Manifest[] =>
  parseAllDocuments(readFileSync(join(ROOT, file), 'utf8')).map(document => {
    for (const problem of [...document.errors, ...document.warnings]) throw problem
    return document.toJS() as Manifest
  })

const only = <T>(things: readonly T[]): T => {
  if (things.length !== 1) throw new Error(`there are ${things.length}`)
  return things[0]!
}

const objects = read('deploy/podwire.yaml')
const daemonSet = only(objects.filter(({ kind }) => kind === 'DaemonSet'))
const uninstaller = only(read('deploy/uninstall.yaml'))

const podOf = ({ spec }: Manifest): PodSpec => spec!.template.spec
const containerOf = (manifest: Manifest): Container => only(podOf(manifest).containers)

/** What a container's daemon makes of its arguments on a node. */
function commandOf(manifest: Manifest, hostIp: string): Command {
  const { args, env } = containerOf(manifest)
  const values: Record<string, string> = { NODE_NAME: 'worker', HOST_IP: hostIp }
  const given = Object.fromEntries(env.map(({ name }) => [name, values[name]]))
  return parseOptions(
    args.map(arg => arg.replace(/\$\((\w+)\)/g, (_, name: string) => given[name] ?? `no ${name}`)),
    given,
  )
}

/** Where a container sees the node's folders. */
const mountsOf = (manifest: Manifest): Record<string, string> =>
  Object.fromEntries(
    containerOf(manifest).volumeMounts.map(({ name, mountPath }) => [
      mountPath,
      only(podOf(manifest).volumes.filter(volume => volume.name === name)).hostPath.path,
    ]),
  )

t.test('every manifest, overlay and workflow is YAML', async t => {
  const files = ['deploy', '.github'].flatMap(folder =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map(file => join(folder, file)),
  )
  for (const file of files.filter(name => /\.ya?ml$/.test(name))) t.ok(read(file).length > 0, file)
})

t.test('podwire.yaml names one thing in four objects', async t => {
  t.same(
    objects.map(({ kind, metadata: { name, namespace } }) => [kind, name, namespace]),
    [
      ['ServiceAccount', 'podwire', 'kube-system'],
      ['ClusterRole', 'podwire', undefined],
      ['ClusterRoleBinding', 'podwire', undefined],
      ['DaemonSet', 'podwire', 'kube-system'],
    ],
  )
  const [, , binding] = objects
  t.same(binding?.roleRef, { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'podwire' })
  t.same(binding?.subjects, [{ kind: 'ServiceAccount', name: 'podwire', namespace: 'kube-system' }])
  t.equal(podOf(daemonSet)['serviceAccountName'], 'podwire')
})

t.test('the daemon may list and watch what it goes by, and nothing else', async t => {
  t.same(only(objects.filter(({ rules }) => rules !== undefined)).rules, [
    { apiGroups: [''], resources: ['nodes', 'namespaces', 'pods'], verbs: ['list', 'watch'] },
    { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], verbs: ['list', 'watch'] },
  ])
})

for (const manifest of [daemonSet, uninstaller]) {
  const about = manifest === uninstaller ? 'uninstaller' : 'daemon'

  t.test(`the ${about} has no privileges but those of the network`, async t => {
    t.same(containerOf(manifest).securityContext, {
      runAsUser: 0,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: {
        drop: ['ALL'],
        add: manifest === uninstaller ? ['NET_ADMIN'] : ['NET_ADMIN', 'SYS_ADMIN'],
      },
      seccompProfile: { type: 'RuntimeDefault' },
    })
    const { hostPID, hostIPC, securityContext, initContainers } = podOf(manifest)
    t.same([hostPID, hostIPC, securityContext, initContainers], [undefined, undefined, undefined, undefined])
  })

  t.test(`the ${about} listens where it is probed`, async t => {
    const { ports, startupProbe, livenessProbe, readinessProbe } = containerOf(manifest)
    for (const hostIp of ['192.0.2.1', '2001:db8::1']) {
      const command = commandOf(manifest, hostIp)
      if (!('options' in command)) throw new Error(`it is ${command.kind}`)
      const port = command.options.listenPort
      t.same([only(ports).containerPort, only(ports).hostPort], [port, port])
      for (const probe of [startupProbe, livenessProbe, readinessProbe])
        if (probe) t.same([probe.httpGet.port, probe.httpGet.host], [port, undefined])
    }
    t.equal(readinessProbe.httpGet.path, '/readyz')
  })

  t.test(`the ${about} sees the node's folders where it looks for them`, async t => {
    const command = commandOf(manifest, '192.0.2.1')
    if (!('options' in command)) throw new Error(`it is ${command.kind}`)
    const { cniBinDir, cniConfDir, sysctlDir } = command.options
    const state = dirname(DEFAULT_DATA_DIR)
    t.same(mountsOf(manifest), {
      [cniBinDir]: '/opt/cni/bin',
      [cniConfDir]: '/etc/cni/net.d',
      [state]: state,
      [`${sysctlDir}/net`]: '/proc/sys/net',
      ...(manifest === uninstaller ? {} : { '/run/netns': '/run/netns' }),
    })
    t.equal(podOf(manifest).volumes.length, containerOf(manifest).volumeMounts.length)
  })

  t.test(`the ${about} comes to every Linux node, also before it has a network`, async t => {
    const { hostNetwork, dnsPolicy, nodeSelector, tolerations, priorityClassName } = podOf(manifest)
    t.same([hostNetwork, dnsPolicy, priorityClassName], [true, 'Default', 'system-node-critical'])
    t.same(nodeSelector, { 'kubernetes.io/os': 'linux' })
    t.same(tolerations, [{ operator: 'Exists' }])
  })
}

t.test('the manifests start the daemon and the uninstaller that stays', async t => {
  t.equal(commandOf(daemonSet, '192.0.2.1').kind, 'run')
  const command = commandOf(uninstaller, '192.0.2.1')
  t.same([command.kind, 'wait' in command && command.wait], ['uninstall', true])
})

t.test('the daemon is replaced node by node, its end everywhere at once', async t => {
  const strategy = (maxUnavailable: unknown) => ({ type: 'RollingUpdate', rollingUpdate: { maxUnavailable } })
  t.same(daemonSet.spec?.updateStrategy, strategy(1))
  t.same(uninstaller.spec?.updateStrategy, strategy('100%'))
})

t.test('uninstall.yaml is the same object as the DaemonSet in podwire.yaml', async t => {
  t.same(uninstaller.metadata, daemonSet.metadata)
  t.same(uninstaller.spec?.selector, daemonSet.spec?.selector)
  t.same(uninstaller.spec?.template.metadata.labels, daemonSet.spec?.selector.matchLabels)
  t.same(
    { ...podOf(uninstaller), containers: [], volumes: [] },
    { ...podOf(daemonSet), containers: [], volumes: [] },
  )
  const alike = ['name', 'image', 'imagePullPolicy', 'resources', 'readinessProbe']
  for (const key of alike) t.same(containerOf(uninstaller)[key], containerOf(daemonSet)[key], key)
})

t.test('the overlay for kind changes the container that the base has', async t => {
  const overlay = only(read('deploy/overlays/kind/kustomization.yaml'))
  t.same(overlay.bases, ['../../base'])
  const patch = only(read(join('deploy/overlays/kind', only(overlay.patchesStrategicMerge!))))
  t.same(patch.metadata, { name: 'podwire', namespace: 'kube-system' })
  t.same(containerOf(patch), { name: containerOf(daemonSet).name, imagePullPolicy: 'Never' })
  t.same(only(read('deploy/base/kustomization.yaml')).resources, ['podwire.yaml'])
})

for (const [file, ipFamily] of Object.entries({ kind: 'ipv4', 'kind-ipv6': 'ipv6', 'kind-dual': 'dual' }))
  t.test(`${file}.yaml makes three nodes that have no network for pods`, async t => {
    const { networking, nodes } = only(read(`deploy/${file}.yaml`))
    t.same(networking, { disableDefaultCNI: true, ipFamily })
    t.same(
      nodes?.map(({ role }) => role),
      ['control-plane', 'worker', 'worker'],
    )
  })
