import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { type Attach, Lab } from './lab.ts'

/*
 * Address plugins of others: found in CNI_PATH, called as a runtime would call them, their errors passed on.
 */

const HOST_LOCAL = '/usr/lib/cni/host-local'
const skip = !existsSync(HOST_LOCAL) && `no ${HOST_LOCAL}: sudo apt-get install containernetworking-plugins`
const DUAL = [[{ subnet: '10.1.0.0/24' }], [{ subnet: 'fd00:1::/64' }]]

t.test('host-local gives the addresses', { skip }, async t => {
  const lab = new Lab(t)
  const config = lab.config({ cniVersion: '1.0.0', ipMasq: true }, { type: 'host-local', ranges: DUAL })
  const [pod, other] = [await lab.attach(config), await lab.attach(config)]
  t.same(pod.addresses, ['10.1.0.2', 'fd00:1::2'])
  for (const address of [...other.addresses, '10.1.0.1', 'fd00:1::1']) {
    t.ok(await lab.pings(pod.netns, address), address)
  }
  for (const attached of [pod, other]) {
    const checked = await lab.call('CHECK', { ...config, prevResult: attached.result }, attached)
    t.match(checked, { code: 0, stdout: /^$/ })
    t.match(await lab.call('DEL', config, attached), { code: 0, stdout: /^$/ })
    t.match(await lab.call('DEL', config, attached), { code: 0, stdout: /^$/ })
  }
  t.same(await lab.traces(), { links: ['cbr0'], rules: [], reservations: [] })
})

t.test('host-local’s own error is the answer', { skip }, async t => {
  const lab = new Lab(t)
  const config = lab.config(
    { cniVersion: '1.0.0' },
    {
      type: 'host-local',
      ranges: [[{ subnet: '10.1.0.0/24', rangeEnd: '10.1.0.2' }]],
    },
  )
  await lab.attach(config)
  const answer = await lab.call('ADD', config, { id: 'second', netns: lab.namespace() })
  t.match(answer, {
    code: 1,
    json: {
      cniVersion: '1.0.0',
      code: 999,
      msg: /^failed to allocate for range 0: no IP addresses available/,
    },
  })
})

const RESULT = '{"cniVersion":"1.0.0","ips":[{"address":"10.1.0.9/24","gateway":"10.1.0.1"}],"dns":{}}'

/** Address plugins as scripts: what they do on ADD. All else succeeds. */
const SCRIPTS: Record<string, { add: string; expected: object }> = {
  'a CNI error': {
    add: `echo '{"cniVersion":"0.3.1","code":123,"msg":"no more","details":"none at all"}'; exit 1`,
    expected: { cniVersion: '1.1.0', code: 123, msg: 'no more', details: 'none at all' },
  },
  'garbage and failure': {
    add: 'echo panic: lost; echo goroutine 1 >&2; exit 2',
    expected: { code: 112, msg: /"script".*ended with 2/, details: /goroutine 1/ },
  },
  'garbage and success': { add: 'echo OK', expected: { code: 6, msg: /"script".*not a JSON object/ } },
  'nothing and failure': { add: 'exit 1', expected: { code: 112, msg: /"script".*ended with 1/ } },
  'nothing and success': { add: 'exit 0', expected: { code: 112, msg: /"script".*without an address/ } },
  'a signal': { add: 'kill -9 $$', expected: { code: 112, msg: /"script".*signal/ } },
  'a result without addresses': {
    add: `echo '{"cniVersion":"1.0.0","ips":[]}'`,
    expected: { code: 112, msg: /without an address/ },
  },
  'a result that is none': {
    add: `echo '{"cniVersion":"1.0.0","ips":[{"address":"10.1.0.300/24"}]}'`,
    expected: { code: Number, msg: /"script".*address/ },
  },
}

/** Puts a script into a folder of the lab, as the plugin `script`; answers how to call with it in CNI_PATH. */
function install(lab: Lab, add: string): { env: Record<string, string>; calls: () => string[] } {
  const folder = `${lab.folder}/bin`
  const log = `${lab.folder}/calls`
  mkdirSync(folder, { recursive: true })
  const script = `#!/bin/sh
[ -t 0 ] || cat >/dev/null
echo "$CNI_COMMAND $CNI_CONTAINERID $CNI_IFNAME $CNI_NETNS" >> ${log}
[ "$CNI_COMMAND" != ADD ] || { ${add}; }
`
  writeFileSync(`${folder}/script`, script)
  chmodSync(`${folder}/script`, 0o755)
  const calls = () => readFileSync(log, 'utf8').trimEnd().split('\n')
  return { env: { CNI_PATH: `/nonexistent:${folder}` }, calls }
}

for (const [what, { add, expected }] of Object.entries(SCRIPTS)) {
  t.test(`an address plugin that answers ${what}: ADD fails, and calls its DEL`, async t => {
    const lab = new Lab(t)
    const { env, calls } = install(lab, add)
    const pod: Attach = { id: 'c1', netns: lab.namespace(), env }
    const answer = await lab.call('ADD', lab.config({}, { type: 'script' }), pod)
    t.match(answer, { code: 1, json: expected })
    const args = `c1 eth0 ${lab.path(pod.netns)}`
    t.same(calls(), [`ADD ${args}`, `DEL ${args}`])
    t.same(await lab.traces(), { links: [], rules: [], reservations: [] })
  })
}

t.test('an ADD that fails after the address plugin’s calls its DEL', async t => {
  const lab = new Lab(t)
  const { env, calls } = install(lab, `echo '${RESULT}'`)
  const pod: Attach = { id: 'c1', netns: lab.namespace(), env }
  await lab.inside(lab.host, 'nft', 'add table inet podwire; add set inet podwire masquerade4 { type mark; }')
  const answer = await lab.call('ADD', lab.config({ ipMasq: true }, { type: 'script' }), pod)
  t.match(answer, { code: 1, json: { code: 110 } })
  t.same(
    calls().map(line => line.split(' ')[0]),
    ['ADD', 'DEL'],
  )
  t.same((await lab.traces()).links, [])
})

t.test('every verb reaches the address plugin', async t => {
  const lab = new Lab(t)
  const { env, calls } = install(lab, `echo '${RESULT}'`)
  const config = lab.config({}, { type: 'script' })
  const pod = await lab.attach(config, { env })
  t.same(pod.addresses, ['10.1.0.9'])
  t.match(await lab.call('CHECK', { ...config, prevResult: pod.result }, pod), { code: 0, stdout: /^$/ })
  t.match(await lab.call('DEL', config, pod), { code: 0, stdout: /^$/ })
  t.same(
    calls().map(line => line.split(' ')[0]),
    ['ADD', 'CHECK', 'DEL'],
  )
})

t.test('a DEL that the address plugin refuses fails, with the link gone already', async t => {
  const lab = new Lab(t)
  const { env } = install(lab, `echo '${RESULT}'`)
  const config = lab.config({}, { type: 'script' })
  const pod = await lab.attach(config, { env })
  writeFileSync(`${lab.folder}/bin/script`, `#!/bin/sh\necho '{"code": 77, "msg": "later"}'; exit 1\n`)
  t.match(await lab.call('DEL', config, pod), { code: 1, json: { code: 77, msg: 'later' } })
  t.same((await lab.traces()).links, ['cbr0'])
})

t.test('a plugin type that is a path is refused', async t => {
  const lab = new Lab(t)
  for (const type of ['../bin/sh', '/bin/sh', '..']) {
    const answer = await lab.call('ADD', lab.config({}, { type }), { id: 'c1', netns: lab.namespace() })
    t.match(answer, { code: 1, json: { code: 7, msg: /not a path/ } }, type)
  }
})
