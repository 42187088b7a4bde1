import { readFileSync } from 'node:fs'
import t from 'tap'
import { Lab, PODWIRE } from './lab.ts'

/*
 * The trace: every step with its time and the command that does the same, in three ways to ask for it.
 */

const STEPS = [
  /^# ADD c1\/eth0 of network "lab", cniVersion 1\.1\.0$/m,
  /^ *\d+\.\d\d +\+\d+\.\d\d {2}# reserve 10\.1\.0\.2\/24 in /m,
  / {2}ip link add cbr0 type bridge$/m,
  / {2}ip link add veth\S+ address \S+ mtu 1500 master cbr0 type veth peer name eth0 /m,
  / {2}ip address add 10\.1\.0\.1\/24 dev cbr0/m,
  / {2}ip -n CONTAINER route append 0\.0\.0\.0\/0 via 10\.1\.0\.1 dev eth0/m,
  / {2}nft -f - <<'EOF'$/m,
  /^# ADD c1\/eth0 took \d+\.\d\d ms: done$/m,
]

/** Everything that a trace of an ADD must hold. */
function holdsAll(t: { match(text: string, pattern: RegExp): unknown }, trace: string): void {
  for (const step of STEPS) t.match(trace, step)
}

t.test('PODWIRE_TRACE in the environment names a file, to which every call adds', async t => {
  const lab = new Lab(t)
  const file = `${lab.folder}/trace`
  const config = lab.config({ ipMasq: true })
  const pod = { id: 'c1', netns: lab.namespace(), env: { PODWIRE_TRACE: file } }
  t.match(await lab.call('ADD', config, pod), { code: 0, stderr: /^$/ })
  t.match(await lab.call('DEL', config, pod), { code: 0, stderr: /^$/ })
  const trace = readFileSync(file, 'utf8')
  holdsAll(t, trace)
  t.match(trace, / {2}ip link del veth/)
  t.match(trace, /^# DEL c1\/eth0 took .* done$/m)
})

t.test('"trace" in the config does the same', async t => {
  const lab = new Lab(t)
  const file = `${lab.folder}/trace`
  const pod = { id: 'c1', netns: lab.namespace() }
  const config = lab.config({ ipMasq: true, trace: file })
  t.match(await lab.call('ADD', config, pod), { code: 0, stderr: /^$/ })
  holdsAll(t, readFileSync(file, 'utf8'))
})

t.test('--trace writes to stderr', async t => {
  const lab = new Lab(t)
  const pod = { id: 'c1', netns: lab.namespace() }
  const answer = await lab.call('ADD', lab.config({ ipMasq: true }), pod, PODWIRE, '--trace')
  t.match(answer, { code: 0, json: { cniVersion: '1.1.0' } })
  holdsAll(t, answer.stderr)
})

t.test('a call that fails says so in its trace', async t => {
  const lab = new Lab(t)
  const pod = { id: 'c1', netns: '/nonexistent' }
  const answer = await lab.call('ADD', lab.config(), pod, PODWIRE, '--trace')
  t.match(answer, { code: 1, stderr: /^# ADD c1\/eth0 took .* ms: .*\/nonexistent/m })
})

t.test('a trace that cannot be written stops nobody', async t => {
  const lab = new Lab(t)
  const pod = { id: 'c1', netns: lab.namespace() }
  for (const file of ['/nonexistent/folder/trace', 'relative', lab.folder]) {
    const config = lab.config({ trace: file })
    t.match(await lab.call('ADD', config, pod), { code: 0, stderr: file }, file)
    t.match(await lab.call('DEL', config, pod), { code: 0 }, file)
  }
})

t.test('every command of a trace is one that the machine would take', async t => {
  const lab = new Lab(t)
  const [pod, again] = [lab.namespace(), lab.namespace()]
  const config = lab.config({ ipMasq: true, macspoofchk: true, hairpinMode: true })
  const args = [PODWIRE, '--trace'] as const
  const added = await lab.call('ADD', config, { id: 'c1', netns: pod }, ...args)
  t.match(added, { code: 0 })
  const links = await lab.ip(pod, 'address', 'show', 'dev', 'eth0')
  // By hand on another node: the same commands, and the container there is the same as here.
  const other = new Lab(t)
  const lines = added.stderr.split('\n').map(line => (/^[ \d]/.test(line) ? line.slice(19) : line))
  const script = lines.join('\n').replaceAll('CONTAINER', again)
  await other.inside(other.host, 'sh', '-ec', script)
  const [made] = await lab.ip(again, 'address', 'show', 'dev', 'eth0')
  t.match(made, { address: links[0].address, mtu: links[0].mtu })
  t.match(made.addr_info, [{ local: '10.1.0.2', prefixlen: 24 }])
  t.ok(await lab.pings(again, '10.1.0.1'), 'the gateway answers the hand-made container')
})
