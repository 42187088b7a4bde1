import { spawn } from 'node:child_process'
import { setTimeout as after } from 'node:timers/promises'
import t from 'tap'
import { type Answer, type Attach, type Config, Lab, PODWIRE } from './lab.ts'

/*
 * Many at once, and many that are killed: nothing is given twice, nothing is left behind.
 */

const MANY = 100
const KILLED = 50
/** So many calls run at the same time, as on a node that starts. */
const AT_ONCE = 16
const NOTHING = { links: ['cbr0'], rules: [], reservations: [] }

/** Runs a job for every item, some at a time; answers in the items' order. */
async function each<T, R>(items: readonly T[], job: (item: T, index: number) => Promise<R>): Promise<R[]> {
  const answers: R[] = []
  const queue = items.entries()
  const worker = async () => {
    for (const [index, item] of queue) answers[index] = await job(item, index)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return answers
}

/** Every other container is masqueraded and spoof-checked. */
const configOf = (lab: Lab, index: number): Config =>
  lab.config({ ipMasq: index % 2 === 0, macspoofchk: index % 4 === 0 })

const containers = (lab: Lab, count: number): Attach[] =>
  Array.from({ length: count }, (_, i) => ({ id: `c${i}`, netns: lab.namespace() }))

const failuresOf = (answers: Answer[]): string[] =>
  answers.filter(answer => answer.code !== 0).map(answer => answer.stdout + answer.stderr)

t.test(
  `${MANY} ADDs at once give each container an address of its own, ${MANY} DELs take all back`,
  async t => {
    const lab = new Lab(t)
    const pods = containers(lab, MANY)
    const added = await each(pods, (pod, i) => lab.call('ADD', configOf(lab, i), pod))
    t.same(failuresOf(added), [])
    const addresses = added.map(answer => answer.json?.ips[0].address)
    t.equal(new Set(addresses).size, MANY, 'no two have the same address')
    const answered = await each(pods, pod => lab.pings(pod.netns, '10.1.0.1'))
    t.equal(answered.filter(Boolean).length, MANY, 'all reach the gateway')
    const deleted = await each(pods, (pod, i) => lab.call('DEL', configOf(lab, i), pod))
    t.same(failuresOf(deleted), [])
    t.same(await lab.traces(), NOTHING)
  },
)

t.test('ADDs and DELs of different containers at once do not disturb each other', async t => {
  const lab = new Lab(t)
  const pods = containers(lab, AT_ONCE * 2)
  const lives = await each(pods, async (pod, i) => {
    const config = configOf(lab, i)
    const added = await lab.call('ADD', config, pod)
    const prevResult = added.json
    const checked = await lab.call('CHECK', { ...config, prevResult }, pod)
    return [added, checked, await lab.call('DEL', config, pod)]
  })
  t.same(failuresOf(lives.flat()), [])
  t.same(await lab.traces(), NOTHING)
})

/** Starts an ADD and kills it after a while, wherever it is by then. */
async function killedAdd(lab: Lab, config: Config, pod: Attach, milliseconds: number): Promise<void> {
  const env = {
    PATH: process.env['PATH'],
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: pod.id,
    CNI_NETNS: lab.path(pod.netns),
    CNI_IFNAME: 'eth0',
  }
  // nsenter becomes the plugin, so the process that is killed is the plugin's.
  const child = spawn('nsenter', [`--net=${lab.path(lab.host)}`, PODWIRE], { env, stdio: 'pipe' })
  child.stdin.on('error', () => {})
  const ended = new Promise(resolve => child.on('close', resolve))
  child.stdin.end(JSON.stringify(config))
  await Promise.race([after(milliseconds), ended])
  child.kill('SIGKILL')
  await ended
}

t.test(`of ${KILLED} ADDs that are killed at any point, DEL leaves nothing`, async t => {
  const lab = new Lab(t)
  const pods = containers(lab, KILLED)
  const netns = lab.namespace()
  const started = performance.now()
  const whole = await lab.attach(configOf(lab, 0), { id: 'whole', netns })
  const duration = performance.now() - started
  const before = await lab.traces()
  // One after the other, so that the points spread evenly over the length of one ADD.
  const interrupted = []
  for (const [i, pod] of pods.entries()) {
    await killedAdd(lab, configOf(lab, i), pod, (i / KILLED) * duration)
    interrupted.push((await lab.ip(pod.netns, 'link')).length)
  }
  t.comment(`${interrupted.filter(links => links > 1).length} of them had made a veth`)
  const deleted = await each(pods, (pod, i) => lab.call('DEL', configOf(lab, i), pod))
  t.same(failuresOf(deleted), [])
  t.same(await lab.traces(), before, 'only the container that was there before is left')
  t.ok(await lab.pings(whole.netns, '10.1.0.1'), 'which works')
})

t.test('of ADDs that are killed at any point, GC leaves nothing', async t => {
  const lab = new Lab(t)
  const pods = containers(lab, AT_ONCE)
  await each(pods, (pod, i) => killedAdd(lab, configOf(lab, 0), pod, 5 * i))
  const config = { ...configOf(lab, 0), 'cni.dev/valid-attachments': [] }
  t.match(await lab.call('GC', config), { code: 0, stdout: /^$/ })
  const { links, rules, reservations } = await lab.traces()
  t.same([links.filter(name => name !== 'cbr0'), rules, reservations], [[], [], []])
  const pod = await lab.attach(lab.config())
  t.ok(await lab.pings(pod.netns, '10.1.0.1'), 'the next container works')
})
