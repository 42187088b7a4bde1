import { execFileSync } from 'node:child_process'
import t, { type Test } from 'tap'
import { IMAGE, imageArchive, PAGE } from './image.ts'
import { Machine, NOTHING_LEFT } from './machine.ts'
import { CONTAINER_TOOLS, lacksForContainers } from './requirements.ts'
import { until } from './until.ts'

/*
 * podman, with containers whose network comes from our conflist. `run` makes ADD, `rm` and a container's death make
 * DEL, with what podman's libcni passes on: prevResult, capabilities, CNI_ARGS.
 */

const SETTINGS = `
[containers]
apparmor_profile = "unconfined"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "runc"
[network]
network_backend = "cni"
network_config_dir = "/etc/cni/net.d"
cni_plugin_dirs = ["/opt/cni/bin"]
`
const STORE =
  '--root=/run/podman/root --runroot=/run/podman/run --tmpdir=/run/podman/tmp --storage-driver=vfs'

const skip = lacksForContainers({ podman: 'podman', ...CONTAINER_TOOLS }) || lacksCni()

for (const version of ['0.4.0', '1.0.0']) {
  t.test(`podman wires two containers by a ${version} conflist`, { skip }, async t => {
    const { machine, podman, web } = await setUp(t, version)
    const [first, second] = [await web('first'), await web('second')]
    t.match(first, { IPAddress: '10.9.0.2', Gateway: '10.9.0.1', GlobalIPv6Address: 'fd00:9::2' })
    t.match(second, { IPAddress: '10.9.0.3', IPv6Gateway: 'fd00:9::1', MacAddress: /^(..:){5}..$/ })
    for (const address of ['10.9.0.1', 'fd00:9::1', '10.9.0.2', 'fd00:9::2']) {
      await podman('exec', 'second', 'ping', '-c1', '-W1', address)
    }
    for (const host of ['10.9.0.2', '[fd00:9::2]']) {
      const page = () => podman('exec', 'second', 'wget', '-qO-', `http://${host}/`)
      t.equal(await until('the first container', page), PAGE, `${host} answers the second container`)
    }
    t.equal(await fetch(machine, 'http://10.9.0.3/'), PAGE, 'the second container answers the node')
    t.same((await machine.traces()).reserved, ['10.9.0.2', '10.9.0.3', 'fd00:9::2', 'fd00:9::3'])
    await podman('rm', '--force', '--time=0', 'first', 'second')
    t.same(await machine.traces(), NOTHING_LEFT, 'nothing is left but the bridge')
  })
}

t.test('podman stops a container and starts it again, and cleans up when it dies', { skip }, async t => {
  const { machine, podman, web } = await setUp(t)
  const before = await web('one')
  await podman('stop', '--time=0', 'one')
  t.same(await machine.traces(), NOTHING_LEFT, 'a stopped container holds nothing')
  await podman('start', 'one')
  const again = await network(podman, 'one')
  t.match([before.IPAddress, again.IPAddress], ['10.9.0.2', '10.9.0.3'], 'it has the next address')
  t.equal(await fetch(machine, `http://${again.IPAddress}/`), PAGE)
  await machine.run('kill', '-KILL', await podman('inspect', '--format={{.State.Pid}}', 'one'))
  const isGone = async () => (await machine.traces()).reserved.length === 0
  t.ok(await until('the clean-up', isGone))
  t.same(await machine.traces(), NOTHING_LEFT, 'a dead container holds nothing')
})

t.test('podman gives a container the address and MAC that its user asks for', { skip }, async t => {
  const { machine, podman, web } = await setUp(t)
  const asked = await web('one', '--ip=10.9.0.99', '--mac-address=02:00:00:00:00:99')
  t.match(asked, { IPAddress: '10.9.0.99', MacAddress: '02:00:00:00:00:99' })
  t.match(await podman('exec', 'one', 'ip', 'addr', 'show', 'eth0'), /02:00:00:00:00:99[^]*10\.9\.0\.99\/24/)
  await t.rejects(web('two', '--ip=10.9.0.99'), /10\.9\.0\.99/, 'a second container is told why not')
  await podman('rm', '--force', '--time=0', '--all')
  t.same(await machine.traces(), NOTHING_LEFT, 'the refused container leaves nothing either')
})

t.test('podman publishes a port through the reference portmap behind us', { skip }, async t => {
  const { machine, podman, web } = await setUp(t)
  await machine.run('ip', 'address', 'add', '192.0.2.1/32', 'dev', 'lo')
  await web('one', '--publish=8080:80')
  t.equal(await fetch(machine, 'http://192.0.2.1:8080/'), PAGE, 'the port of the node is the container')
  t.not((await machine.traces()).rules.length, 0)
  await podman('rm', '--force', '--time=0', 'one')
  t.same(await machine.traces(), NOTHING_LEFT)
})

/** Distributions build podman without CNI from version 5. */
function lacksCni(): string | false {
  const version = execFileSync('podman', ['--version'], { encoding: 'utf8' })
  const major = Number(/\d+/.exec(version)?.[0])
  return major >= 5 && `${version.trim()} speaks no CNI; version 4 does`
}

type Podman = (...args: string[]) => Promise<string>

/** What podman knows of a container's network. */
interface Network {
  readonly IPAddress: string
  readonly MacAddress: string
}

async function setUp(t: Test, version = '1.0.0') {
  const machine = await Machine.start(t)
  machine.write('/run/containers.conf', SETTINGS)
  machine.write('/etc/cni/net.d/10-pods.conflist', JSON.stringify(conflist(version)))
  machine.write('/run/image.tar', imageArchive())
  const podman: Podman = (...args) => machine.run('podman', ...STORE.split(' '), ...args)
  await podman('load', '--quiet', '--input=/run/image.tar')
  const options = ['--detach', '--network=pods', `--cgroup-parent=${machine.cgroup}`]
  /** Starts a web server in a container of that name. */
  const web = async (name: string, ...more: string[]): Promise<Network> => {
    await podman('run', ...options, `--name=${name}`, ...more, IMAGE)
    return network(podman, name)
  }
  return { machine, podman, web }
}

const network = async (podman: Podman, name: string): Promise<Network> =>
  JSON.parse(await podman('inspect', '--format={{json .NetworkSettings.Networks.pods}}', name))

const fetch = (machine: Machine, url: string): Promise<string> =>
  until(url, () => machine.run('busybox', 'wget', '-qO-', url))

const conflist = (cniVersion: string) => ({
  cniVersion,
  name: 'pods',
  plugins: [
    {
      type: 'podwire',
      isDefaultGateway: true,
      ipMasq: true,
      hairpinMode: true,
      capabilities: { ips: true, mac: true },
      ipam: {
        type: 'podwire-ipam',
        dataDir: '/run/podwire/ipam',
        ranges: [[{ subnet: '10.9.0.0/24' }], [{ subnet: 'fd00:9::/64' }]],
      },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
})
