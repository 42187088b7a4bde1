import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { aliasOf } from '../../cni/core/names.ts'
import type { NetworkName } from '../../cni/spec/config.ts'
import type { Attachment } from '../../cni/spec/environment.ts'
import { CONFLIST, formatConflist, pluginConfig } from '../../daemon/core/conflist.ts'
import { writeWatched } from '../../daemon/edge/files.ts'
import { run } from '../ipam/spawn.ts'
import { Lab } from '../netns/lab.ts'
import { readGolden } from '../support/golden.ts'
import { cidr } from '../support/result.ts'
import { Installation } from './installation.ts'

/*
 * A node with all that Podwire leaves on it, made by the plugin and the daemon's own code, amid things of others; and
 * what is left when it has been taken away.
 */

const NETWORK = {
  podCidrs: [cidr('10.244.1.0/24'), cidr('fd00:10:244:1::/64')],
  mtu: 1450,
  portIsolation: true,
}
const OTHERS = `
  add table inet other
  add chain inet other postrouting { type nat hook postrouting priority 100; }
  add rule inet other postrouting ip saddr 10.244.1.0/24 accept
  add table ip podwire
`
class Node {
  readonly lab: Lab
  readonly plugins: Installation
  readonly conf: string
  readonly state: string
  readonly #mounts: string[] = []

  constructor(t: Test) {
    this.lab = new Lab(t)
    this.plugins = new Installation(t)
    this.conf = join(this.lab.folder, 'net.d')
    this.state = join(this.lab.folder, 'run/podwire')
    mkdirSync(this.conf)
    writeFileSync(join(this.conf, '99-loopback.conf'), '{}')
    // Runs before the lab's own teardown, which could not remove a mount point.
    t.teardown(() => this.#mounts.toReversed().forEach(path => execFileSync('umount', [path])))
  }

  sh = (script: string): Promise<string> => this.lab.inside(this.lab.host, 'sh', '-ec', script)
  nft = (script: string): Promise<string> => this.sh(`nft -f - <<'EOF'\n${script}\nEOF`)

  /** A node that other programs use, too. */
  async others(): Promise<void> {
    await this.sh(`
      ip link add eth0 type veth peer name segment; ip link set segment up
      ip address add 172.30.0.11/24 dev eth0; ip address add fd00:172:30::11/64 dev eth0 nodad; ip link set eth0 up
      ip route add 10.8.0.0/24 via 172.30.0.12; ip route add 10.9.0.0/24 via 172.30.0.12 proto 118
      ip -6 route add fd00:9::/64 via fd00:172:30::12 proto 118
      ip link add br0 type bridge; ip link add veth00000000001 master br0 type veth peer name theirs`)
    await this.nft(OTHERS)
  }

  /** A config of the plugin whose state is this node's. */
  config(more: Record<string, unknown> = {}) {
    const config = pluginConfig(NETWORK)
    const ipam = { ...(config['ipam'] as object), dataDir: join(this.state, 'ipam') }
    return { ...config, ipam, ...more }
  }

  /** All that the daemon and the plugin put on a node with two pods. */
  async ours(): Promise<void> {
    await this.plugins.install()
    await writeWatched(join(this.conf, CONFLIST), formatConflist(NETWORK))
    await this.lab.attach(this.config())
    await this.lab.attach(this.config({ ipMasq: true }))
    await this.nft(readGolden('cluster-masquerade.nft'))
    await this.nft(readGolden('policy-frames.nft'))
    await this.sh(`
      ip route add 10.244.2.0/24 via 172.30.0.12 proto 117; ip route add 10.244.3.0/24 via 172.30.0.13 proto 117
      ip -6 route add fd00:10:244:2::/64 via fd00:172:30::12 proto 117
      touch ${this.state}/podwired.sock`)
  }

  /** Everything on the node that somebody has made. */
  async everything(): Promise<unknown> {
    return {
      links: (await this.lab.ip(this.lab.host, 'link')).map(({ ifname }) => String(ifname)).sort(),
      routes: await this.sh(
        'for v in 4 6; do ip -$v route show table all | grep -v "proto kernel" | sort; done',
      ),
      rules: await this.sh('nft list ruleset'),
      configs: readdirSync(this.conf),
      plugins: this.plugins.ours(),
      state: existsSync(this.state) ? readdirSync(this.state) : [],
    }
  }

  /** Takes it all away; answers what was said. */
  async uninstall(): Promise<{ code: number | null; lines: readonly string[] }> {
    const argv = ['nsenter', `--net=${this.lab.path(this.lab.host)}`, process.execPath]
    const script = join(import.meta.dirname, 'uninstaller.ts')
    const { status, lines, stderr } = await run([...argv, script, this.plugins.to, this.conf, this.state])
      .outcome
    if (stderr !== '') throw new Error(stderr)
    return { code: status, lines }
  }

  /** Makes a folder a mount of its own, with what is in it. */
  mount(folder: string, options: string): void {
    mkdirSync(folder, { recursive: true })
    const aside = `${folder}.aside`
    cpSync(folder, aside, { recursive: true })
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', folder])
    cpSync(aside, folder, { recursive: true })
    execFileSync('mount', ['-o', `remount,bind,${options}`, folder])
    this.#mounts.push(folder)
  }
}

t.test('Uninstalling leaves the node as it was', async t => {
  const node = new Node(t)
  await node.others()
  const before = await node.everything()
  await node.ours()
  t.match(await node.everything(), {
    links: { length: 9 },
    routes: /10\.244\.2\.0[^]*10\.244\.3\.0[^]*fd00:10:244:2::/,
    rules: /inet podwire[^]*leaving-[^]*bridge podwire/,
    configs: { length: 2 },
    plugins: { length: 7 },
    state: { length: 2 },
  })
  const { code, lines } = await node.uninstall()
  t.same(await node.everything(), before)
  t.equal(code, 0)
  t.notOk(existsSync(node.state))
  t.equal(lines[0], `info Removed ${node.conf}/${CONFLIST}`, 'first of all no new pods come')
  t.ok(lines.every(line => line.startsWith('info Removed ')))
})

t.test('Uninstalling a node that has nothing of ours does nothing', async t => {
  const node = new Node(t)
  await node.others()
  const before = await node.everything()
  t.same(await node.uninstall(), { code: 0, lines: [] })
  t.same(await node.everything(), before)
  await node.ours()
  await node.uninstall()
  t.same(await node.uninstall(), { code: 0, lines: [] }, 'the second time, too')
})

t.test(
  'Pods of another network, and links of others in the bridge, stay, and the bridge with them',
  async t => {
    const node = new Node(t)
    await node.others()
    await node.ours()
    const elsewhere = await node.lab.attach(node.config({ name: 'pods', bridge: 'cbr1' }))
    await node.sh('ip link add theirs0 master cbr0 type veth peer name theirs1')
    const { code, lines } = await node.uninstall()
    t.equal(code, 0)
    t.ok(lines.includes('warn Left cbr0: theirs0 in it would lose its network'), lines.join('\n'))
    const links = await node.lab.ip(node.lab.host, 'link')
    t.equal(links.find(({ ifname }) => ifname === 'theirs0').master, 'cbr0')
    const aliases = links.flatMap(({ ifalias }) => ifalias ?? [])
    t.same(aliases, [`podwire pods ${elsewhere.id} eth0`])
  },
)

t.test('What a killed ADD has left goes, too', async t => {
  const node = new Node(t)
  await node.others()
  const before = await node.everything()
  await node.ours()
  const alias = aliasOf('podwire' as NetworkName, { containerId: 'c9', ifname: 'eth0' } as Attachment)
  await node.sh(`
    ip link add veth00000000009 master cbr0 type veth peer name half-made
    ip link add renamed type veth peer name peer; ip link set renamed alias '${alias}'`)
  t.match(await node.uninstall(), { code: 0 })
  t.same(await node.everything(), before)
})

t.test('A link of the bridge’s name that is no bridge stays', async t => {
  const node = new Node(t)
  await node.sh('ip link add cbr0 type veth peer name other')
  t.same(await node.uninstall(), { code: 0, lines: ['warn Left cbr0: it is no bridge'] })
  t.match(await node.everything(), { links: ['cbr0', 'lo', 'other'] })
})

t.test('Files of others among ours stay', async t => {
  const node = new Node(t)
  await node.others()
  await node.ours()
  writeFileSync(join(node.plugins.to, 'podwire.d/notes'), '')
  const { code, lines } = await node.uninstall()
  t.equal(code, 0)
  t.ok(lines.includes(`warn Left ${node.plugins.to}/podwire.d: there are other files in it`))
  t.same(node.plugins.ours(), ['podwire.d', 'podwire.d/notes'])
})

t.test('A state folder that is a mount in a read-only folder, as in a container, is emptied', async t => {
  const node = new Node(t)
  await node.others()
  const run = dirname(node.state)
  for (const folder of [run, node.state]) node.mount(folder, 'rw')
  execFileSync('mount', ['-o', 'remount,bind,ro', run])
  const before = await node.everything()
  await node.ours()
  t.match(await node.uninstall(), { code: 0 })
  t.same(await node.everything(), before)
  t.ok(existsSync(node.state))
})

t.test('All failures are told, nothing else waits for them, and the next run does the rest', async t => {
  const node = new Node(t)
  await node.others()
  const before = await node.everything()
  await node.ours()
  for (const folder of [node.conf, node.state]) node.mount(folder, 'ro')
  const { code, lines } = await node.uninstall()
  t.equal(code, 1)
  const thrown = lines.at(-1) ?? ''
  t.match(thrown, /^thrown Cannot remove all of podwire from this node: /)
  for (const path of [`${node.conf}/${CONFLIST}`, `${node.state}/ipam`, `${node.state}/podwired.sock`])
    t.ok(thrown.includes(`Cannot remove ${path}: the file system is read-only`), path)
  const kept = await node.everything()
  t.match(kept, { configs: { length: 2 }, state: { length: 2 } })
  t.same({ ...(kept as object), configs: [], state: [] }, { ...(before as object), configs: [], state: [] })
  for (const folder of [node.conf, node.state]) execFileSync('mount', ['-o', 'remount,bind,rw', folder])
  t.match(await node.uninstall(), { code: 0 })
  t.same(await node.everything(), before)
})
