import t from 'tap'
import { Lab, PODWIRE } from './lab.ts'

/* What one network's attachments must not do to another's, and a bridge that somebody else runs. */

t.test('DEL in one network leaves the attachment of the same name in another alone', async t => {
  const lab = new Lab(t)
  const pod = await lab.attach(lab.config({ name: 'first' }))
  const second = lab.config({ name: 'second' }, { ranges: [[{ subnet: '10.1.0.0/24' }]] })
  t.match(await lab.call('ADD', second, pod), { code: 1, json: { code: 105 } })
  t.match(await lab.call('DEL', second, pod), { code: 0, stdout: /^$/ })
  t.ok(await lab.pings(pod.netns, '10.1.0.1'))
})

t.test('a failed ADD with forceAddress gives the bridge its former address back', async t => {
  const lab = new Lab(t)
  const pod = await lab.attach(lab.config())
  const other = lab.config(
    { name: 'other', forceAddress: true },
    { ranges: [[{ subnet: '10.2.0.0/24' }]], routes: [{ dst: '192.0.2.0/24', gw: '10.9.9.9' }] },
  )
  const before = await lab.state()
  t.match(await lab.call('ADD', other, { id: 'c9', netns: lab.namespace() }), { code: 1, json: { code: 7 } })
  t.same(await lab.state(), before)
  t.ok(await lab.pings(pod.netns, '10.1.0.1'))
})

t.test('a bridge with the spanning tree protocol takes a pod', async t => {
  const lab = new Lab(t)
  await lab.inside(lab.host, 'ip', 'link', 'add', 'cbr0', 'type', 'bridge', 'stp_state', '1')
  await lab.inside(lab.host, 'ip', 'link', 'set', 'cbr0', 'up')
  const added = await lab.call('ADD', lab.config(), { id: 'c1', netns: lab.namespace() })
  t.equal(added.code, 0, added.stdout)
})

t.test('a bridge name in which the kernel would count is refused', async t => {
  const lab = new Lab(t)
  const config = lab.config({ bridge: 'br%d' })
  t.match(await lab.call('ADD', config, { id: 'c1', netns: lab.namespace() }), {
    code: 1,
    json: { code: 7, msg: /"br%d"/ },
  })
  t.same((await lab.traces()).links, [])
})

t.test('an ADD whose answer nobody can read leaves nothing', async t => {
  const lab = new Lab(t)
  const pod = { id: 'c1', netns: lab.namespace() }
  const deaf = ['sh', '-c', 'exec "$0" > /dev/full', PODWIRE] as const
  const [program, ...args] = deaf
  t.match(await lab.call('ADD', lab.config(), pod, program, ...args), { code: 1 })
  t.same(await lab.traces(), { links: ['cbr0'], rules: [], reservations: [] })
})
