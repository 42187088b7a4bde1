import t, { type Test } from 'tap'
import { IMAGE, imageArchive, PAGE } from './image.ts'
import { Machine, NOTHING_LEFT } from './machine.ts'
import { CONTAINER_TOOLS, lacksForContainers } from './requirements.ts'
import { until } from './until.ts'

/*
 * containerd, with containers that its own client `ctr run --cni` starts: it takes the conflist from /etc/cni/net.d
 * and makes DEL when the container has ended, with an empty CNI_NETNS.
 */

const FOLDER = '/run/containerd-test'
const SETTINGS = `
version = 2
root = "${FOLDER}/root"
state = "${FOLDER}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "${FOLDER}/socket"
`

const skip = lacksForContainers({ containerd: 'containerd', ctr: 'containerd', ...CONTAINER_TOOLS })

for (const version of ['0.3.1', '0.4.0', '1.0.0']) {
  t.test(`containerd wires two containers by a ${version} conflist`, { skip }, async t => {
    const { machine, ctr, launch, kill } = await setUp(t, version)
    const servers = ['first', 'second'].map(name => launch(name))
    const [first, second] = [await addressOf(ctr, 'first'), await addressOf(ctr, 'second')]
    t.same([first, second].sort(), ['10.8.0.2', '10.8.0.3'])
    for (const address of ['10.8.0.1', 'fd00:8::1', first]) {
      await inside(ctr, 'second', 'ping', '-c1', '-W1', address)
    }
    const page = () => inside(ctr, 'second', 'wget', '-qO-', `http://${first}/`)
    t.equal(await until('the first container', page), PAGE, 'the first answers the second')
    t.equal(await machine.run('busybox', 'wget', '-qO-', `http://${first}/`), PAGE, 'and the node')
    t.same((await machine.traces()).reserved, ['10.8.0.2', '10.8.0.3', 'fd00:8::2', 'fd00:8::3'])
    for (const [i, name] of ['first', 'second'].entries()) {
      await kill(name)
      await servers[i]
    }
    t.same(await machine.traces(), NOTHING_LEFT, 'nothing is left but the bridge')
  })
}

t.test('containerd starts containers side by side, each with addresses of its own', { skip }, async t => {
  const { machine, run } = await setUp(t)
  const names = Array.from({ length: 8 }, (_, i) => `c${i}`)
  const shown = await Promise.all(names.map(name => run(name, 'ip', '-o', 'address', 'show', 'dev', 'eth0')))
  const addresses = shown.flatMap(text => text.match(/(10\.8\.0\.|fd00:8::)\w+/g) ?? [])
  t.equal(new Set(addresses).size, 16, addresses.join(' '))
  t.match(await machine.traces(), { links: { length: 1 }, rules: { length: 0 }, reserved: { length: 0 } })
})

t.test('containerd makes no DEL for a detached container; GC removes what it had', { skip }, async t => {
  const { machine, ctr, kill } = await setUp(t)
  for (const name of ['kept', 'gone']) await ctr('run', '--detach', ...options(machine, name), 'sleep', '999')
  await kill('gone')
  await ctr('task', 'delete', 'gone').catch(() => {})
  t.equal((await machine.traces()).reserved.length, 4, 'nothing is given back')
  const valid = [{ containerID: 'podwire-kept', ifname: 'eth0' }]
  const config = { ...PLUGIN, name: 'pods', cniVersion: '1.1.0', 'cni.dev/valid-attachments': valid }
  machine.write('/run/config', JSON.stringify(config))
  await machine.run('sh', '-c', 'CNI_COMMAND=GC CNI_PATH=/opt/cni/bin /opt/cni/bin/podwire </run/config')
  const left = await machine.traces()
  t.match(
    left,
    { links: { length: 2 }, rules: { length: 2 }, reserved: { length: 2 } },
    'one attachment is left',
  )
  await inside(ctr, 'kept', 'ping', '-c1', '-W1', '10.8.0.1')
})

type Ctr = (...args: string[]) => Promise<string>

async function setUp(t: Test, version = '1.0.0') {
  const machine = await Machine.start(t)
  const conflist = { cniVersion: version, name: 'pods', plugins: [PLUGIN] }
  machine.write('/etc/cni/net.d/10-pods.conflist', JSON.stringify(conflist))
  machine.write(`${FOLDER}/config.toml`, SETTINGS)
  machine.write(`${FOLDER}/image.tar`, imageArchive())
  const client = ['ctr', `--address=${FOLDER}/socket`, '--namespace=podwire']
  const ctr: Ctr = (...args) => machine.run(...client, ...args)
  const daemon = machine.launch('containerd', `--config=${FOLDER}/config.toml`)
  await Promise.race([until('containerd', () => ctr('version')), daemon.then(refuse)])
  await ctr('image', 'import', '--snapshotter=native', `${FOLDER}/image.tar`)
  const run = (name: string, command: string[]) => ['run', '--rm', ...options(machine, name), ...command]
  return {
    machine,
    ctr,
    /** Runs a command in a container of that name to its end; answers what it says. */
    run: (name: string, ...command: string[]) => ctr(...run(name, command)),
    /** The same with a command that lasts; it settles when the container has been taken down. */
    launch: (name: string, ...command: string[]) => machine.launch(...client, ...run(name, command)),
    kill: (name: string) => ctr('task', 'kill', '--signal=KILL', name),
  }
}

function refuse(said: string): never {
  throw new Error(`containerd ended: ${said}`)
}

const options = (machine: Machine, name: string): string[] => {
  const cgroup = `--cgroup=${machine.cgroup}/${name}`
  return ['--cni', '--snapshotter=native', cgroup, IMAGE, name]
}

const inside = (ctr: Ctr, name: string, ...command: string[]) =>
  ctr('task', 'exec', '--exec-id=test', name, ...command)

const addressOf = (ctr: Ctr, name: string): Promise<string> =>
  until(`the address of ${name}`, async () => {
    const shown = await inside(ctr, name, 'ip', '-o', 'address', 'show', 'dev', 'eth0')
    return shown.match(/10\.8\.0\.\d+/)?.[0] ?? false
  })

const PLUGIN = {
  type: 'podwire',
  isDefaultGateway: true,
  ipMasq: true,
  ipam: {
    type: 'podwire-ipam',
    ranges: [[{ subnet: '10.8.0.0/24' }], [{ subnet: 'fd00:8::/64' }]],
  },
}
