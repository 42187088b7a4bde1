import t from 'tap'
import { encodeBatch, type Job, parseRun } from './batch.ts'

const call: Job = {
  kind: 'programs',
  slot: 3,
  startsAnew: true,
  env: { CNI_COMMAND: 'ADD', CNI_IFNAME: 'eth0' },
  programs: [{ argv: ['/bin/bridge', '-x'], input: '{"name":"é"}' }],
}
const link: Job = {
  kind: 'link',
  slot: 0,
  verb: 'DEL',
  veth: 'v',
  bridge: 'b',
  netns: '/run/netns/n',
  ifname: 'eth0',
  address: '10.0.0.2',
  gateway: '10.0.0.1',
  prefix: 16,
}

t.test('encodeBatch() is a length in bytes and fields that end with NUL', t => {
  const text = encodeBatch([call, link], 2).toString()
  const [length, rest] = [text.slice(0, text.indexOf('\n')), text.slice(text.indexOf('\n') + 1)]
  t.equal(Number(length), Buffer.byteLength(rest))
  t.equal(
    rest.replaceAll('\0', '|'),
    '2|4|2|programs|3|1|2|CNI_COMMAND=ADD|CNI_IFNAME=eth0|1|2|/bin/bridge|-x|{"name":"é"}|' +
      'link|0|DEL|v|b|/run/netns/n|eth0|10.0.0.2|10.0.0.1|16|',
  )
  t.end()
})

t.test('parseRun() reads what each job took, and the whole', t => {
  t.same(parseRun(['1500000 2500 1000', '20000 0 0', '1600000']), {
    costs: [
      { ms: 1.5, cpuMs: 2.5, memoryMb: 1.024 },
      { ms: 0.02, cpuMs: 0, memoryMb: 0 },
    ],
    ms: 1.6,
  })
  t.end()
})
