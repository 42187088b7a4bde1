import t, { type Test } from 'tap'
import { type Containerd, lacksContainerd, startContainerd } from './containerd.ts'
import { IMAGE, PAGE } from './image.ts'
import { type Machine, NOTHING_LEFT } from './machine.ts'
import { until } from './until.ts'

/*
 * containerd, with containers that its own client `ctr run --cni` starts: it takes the conflist from /etc/cni/net.d
 * and makes DEL when the container has ended, with an empty CNI_NETNS.
 */

const PLUGIN = {
  type: 'podwire',
  isDefaultGateway: true,
  ipMasq: true,
  ipam: {
    type: 'podwire-ipam',
    ranges: [[{ subnet: '10.8.0.0/24' }], [{ subnet: 'fd00:8::/64' }]],
  },
}

const skip = lacksContainerd()

for (const version of ['0.3.1', '0.4.0', '1.0.0']) {
  t.test(`containerd wires two containers by a ${version} conflist`, { skip }, async t => {
    const { machine, inside, launch, kill } = await setUp(t, version)
    const servers = ['first', 'second'].map(name => launch(name))
    const [first, second] = [await addressOf(inside, 'first'), await addressOf(inside, 'second')]
    t.same([first, second].sort(), ['10.8.0.2', '10.8.0.3'])
    for (const address of ['10.8.0.1', 'fd00:8::1', first]) {
      await inside('second', 'ping', '-c1', '-W1', address)
    }
    const page = () => inside('second', 'wget', '-qO-', `http://${first}/`)
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
  t.same(await machine.traces(), NOTHING_LEFT)
})

t.test('containerd makes no DEL for a detached container; GC removes what it had', { skip }, async t => {
  const { machine, ctr, inside, kill } = await setUp(t)
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
  await inside('kept', 'ping', '-c1', '-W1', '10.8.0.1')
})

async function setUp(t: Test, version = '1.0.0') {
  const conflist = { cniVersion: version, name: 'pods', plugins: [PLUGIN] }
  const { machine, client, ctr, inside } = await startContainerd(t, conflist, 'podwire')
  const run = (name: string, command: string[]) => ['run', '--rm', ...options(machine, name), ...command]
  return {
    machine,
    ctr,
    inside,
    /** Runs a command in a container of that name to its end; answers what it says. */
    run: (name: string, ...command: string[]) => ctr(...run(name, command)),
    /** The same with a command that lasts; it settles when the container has been taken down. */
    launch: (name: string, ...command: string[]) => machine.launch(...client, ...run(name, command)),
    kill: (name: string) => ctr('task', 'kill', '--signal=KILL', name),
  }
}

const options = (machine: Machine, name: string): string[] => {
  const cgroup = `--cgroup=${machine.cgroup}/${name}`
  return ['--cni', '--snapshotter=native', cgroup, IMAGE, name]
}

const addressOf = (inside: Containerd['inside'], name: string): Promise<string> =>
  until(`the address of ${name}`, async () => {
    const shown = await inside(name, 'ip', '-o', 'address', 'show', 'dev', 'eth0')
    return shown.match(/10\.8\.0\.\d+/)?.[0] ?? false
  })
