import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { Lab } from '../netns/lab.ts'
import { Launcher } from './launcher.ts'

/*
 * Calls by the daemon: what it does otherwise than the executable, with namespaces and links of the real kernel. That it
 * does the same otherwise is shown by test/netns, which `make netns` runs a second time with PODWIRE_FAST set.
 */

const idOf = (path: string) => {
  const { dev, ino } = statSync(path, { bigint: true })
  return { dev, ino }
}

/** A launcher of the test's own, and a call of it, as the real one would make it for a pod. */
async function byHand(lab: Lab) {
  await lab.daemon.enter()
  const launcher = new Launcher(lab.daemon.socket)
  const call = (command: string, netns: string, sees = netns, id = 'c1') =>
    launcher.call({
      env: { CNI_COMMAND: command, CNI_CONTAINERID: id, CNI_NETNS: lab.path(netns), CNI_IFNAME: 'eth0' },
      stdin: JSON.stringify(lab.config()),
      mounts: idOf(`/proc/${lab.daemon.pid}/ns/mnt`).ino,
      netns: idOf(lab.path(sees)),
    })
  return { launcher, call }
}

t.test('a hundred pods come and go at the same time and leave nothing', async t => {
  const lab = new Lab(t, true)
  const config = lab.config({ mode: 'l3' })
  const netns = Array.from({ length: 100 }, () => lab.namespace())
  const pods = await Promise.all(netns.map((netns, i) => lab.attach(config, { id: `pod${i}`, netns })))
  t.equal(new Set(pods.flatMap(pod => pod.addresses)).size, 100)
  t.ok(await lab.pings(pods[0]!.netns, pods[99]!.addresses[0]!))
  const answers = await Promise.all(pods.map(pod => lab.call('DEL', config, pod)))
  t.same(new Set(answers.map(({ code, stdout }) => `${code}${stdout}`)), new Set(['0']))
  t.same(await lab.traces(), { links: ['cbr0'], rules: [], reservations: [] })
})

t.test('a DEL that fails does not fail those that leave with it', async t => {
  const lab = new Lab(t, true)
  const config = lab.config()
  const pods = [await lab.attach(config), await lab.attach(config), await lab.attach(config)]
  const unknown = { id: 'never-there', netns: '' }
  const broken = lab.config({}, { dataDir: '/proc/nowhere' })
  const answers = await Promise.all([
    ...pods.map(pod => lab.call('DEL', config, pod)),
    lab.call('DEL', config, unknown),
    lab.call('DEL', { ...broken, name: '' }, pods[0]),
  ])
  t.same(
    answers.map(({ code }) => code),
    [0, 0, 0, 0, 1],
  )
  t.same((await lab.traces()).links, ['cbr0'])
})

t.test('a DEL answers only when its link is gone', async t => {
  const lab = new Lab(t, true)
  const config = lab.config()
  const pods = await Promise.all(Array.from({ length: 20 }, () => lab.attach(config)))
  await Promise.all(
    pods.map(async pod => {
      await lab.call('DEL', config, pod)
      const links = await lab.ip(pod.netns, 'link')
      t.same(
        links.map(({ ifname }) => ifname),
        ['lo'],
      )
    }),
  )
})

t.test('a namespace that means another one to the daemon is refused, and nothing is touched', async t => {
  const lab = new Lab(t, true)
  const { launcher, call } = await byHand(lab)
  const [pod, other] = [lab.namespace(), lab.namespace()]
  call('ADD', pod, other)
  await launcher.reply()
  launcher.say('G')
  const { code, stdout } = (await launcher.answer())!
  t.equal(code, 1)
  t.match(JSON.parse(stdout), {
    code: 4,
    msg: /^Cannot see the network namespace CNI_NETNS=".*" from podwired: it is another one/,
  })
  t.same(await lab.traces(), { links: [], rules: [], reservations: [] })
})

t.test('an ADD whose launcher was killed is taken back', async t => {
  const lab = new Lab(t, true)
  const { launcher, call } = await byHand(lab)
  call('ADD', lab.namespace())
  await launcher.reply()
  launcher.say('G')
  launcher.leave()
  const deadline = Date.now() + 10_000
  const folder = join(lab.folder, 'ipam/lab')
  while (!existsSync(folder) || readdirSync(folder).some(name => name.startsWith('10.'))) {
    if (Date.now() > deadline) break
    await sleep(10)
  }
  t.ok(existsSync(folder), 'it was under way')
  const { links, reservations } = await lab.traces()
  t.same([links.filter(name => name !== 'cbr0'), reservations], [[], []])
})

t.test('calls for one attachment are carried out in the order in which they came', async t => {
  const lab = new Lab(t, true)
  const pod = lab.namespace()
  const verbs = ['ADD', 'DEL', 'ADD', 'DEL', 'ADD', 'DEL']
  const launchers: Launcher[] = []
  for (const verb of verbs) {
    const { launcher, call } = await byHand(lab)
    call(verb, pod)
    await launcher.reply()
    launchers.push(launcher)
  }
  // The daemon's kernel tells it of sockets in the order in which they had something, but one that was told of just now
  // keeps its place in the list until the daemon asks again. Since this it has.
  t.match(await lab.call('DEL', lab.config(), { id: 'never-there', netns: '' }), { code: 0 })
  for (const launcher of launchers) launcher.say('G')
  const answers = await Promise.all(launchers.map(launcher => launcher.answer()))
  // Of two that run at the same time, an ADD would find the attachment there.
  t.same(
    answers.map(answer => answer?.code),
    verbs.map(() => 0),
  )
  t.same(await lab.traces(), { links: ['cbr0'], rules: [], reservations: [] })
})

t.test('SIGTERM ends the daemon within a second, pods go on, and the executable takes over', async t => {
  const lab = new Lab(t, true)
  const config = lab.config()
  const pods = [await lab.attach(config), await lab.attach(config)] as const
  const started = Date.now()
  await lab.daemon.stop()
  t.ok(Date.now() - started < 1_000)
  t.notOk(existsSync(lab.daemon.socket))
  t.ok(await lab.pings(pods[0].netns, pods[1].addresses[0]!))
  t.match(await lab.call('DEL', config, pods[0]), { code: 0, stdout: /^$/ })
  const { links } = await lab.traces()
  t.equal(links.filter(name => name.startsWith('veth')).length, 1)
})

t.test('a daemon leaves no trace of its warming up', async t => {
  const lab = new Lab(t, true)
  await lab.daemon.enter()
  t.same(await lab.traces(), { links: [], rules: [], reservations: [] })
  t.same(readdirSync(join(lab.folder, 'podwire')), ['podwired.sock'])
  t.match(
    execFileSync('stat', ['-c', '%A %U', lab.daemon.socket], { encoding: 'utf8' }),
    /^srw------- root$/m,
  )
})
