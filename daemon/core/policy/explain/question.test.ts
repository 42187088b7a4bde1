import fc from 'fast-check'
import t from 'tap'
import { formatIp } from '../../../../ipam/core/ip.ts'
import { parsePolicyCommand, type Place, POLICY_HELP } from './question.ts'

const FROM = '--from=shop/web'
const TO = '--to=shop/db:5432'

/** What is asked, in short: `FROM > TO PORT PROTOCOL`. */
function asked(...argv: string[]): string {
  const command = parsePolicyCommand(['explain', ...argv], {})
  if (command.kind !== 'explain') throw new Error(`it is ${command.kind}`)
  const { from, to } = command.question
  return `${short(from)} > ${short(to.place)} ${to.port} ${to.protocol}`
}

const short = (place: Place): string =>
  place.kind === 'pod' ? `pod ${place.namespace} ${place.name}` : formatIp(place.ip)

t.test('parsePolicyCommand() reads pods and addresses, ports by number and name, and protocols', async t => {
  t.equal(asked(FROM, TO), 'pod shop web > pod shop db 5432 tcp')
  t.equal(asked('--from', 'a/b.c-1', '--to', 'c/d:http/TCP'), 'pod a b.c-1 > pod c d http tcp')
  t.equal(asked('--from=10.0.0.1', '--to=10.0.0.2:443'), '10.0.0.1 > 10.0.0.2 443 tcp')
  t.equal(asked('--from=fd00::1', '--to=[fd00::2]:53/UDP'), 'fd00::1 > fd00::2 53 udp')
  t.equal(asked('--from=[fd00::1]', '--to=a/b:65535/sctp'), 'fd00::1 > pod a b 65535 sctp')
})

t.test('parsePolicyCommand() says what is allowed at either end', async t => {
  const ends = 'it must be NAMESPACE/POD or an address'
  for (const from of [
    '',
    'web',
    'shop/web:80',
    'a/b/c',
    'shop/$(id)',
    '[10.0.0.1]',
    '[shop/web]',
    '010.0.0.1',
  ])
    t.throws(() => asked(`--from=${from}`, TO), {
      message: `Cannot use --from ${JSON.stringify(from)}: ${ends}`,
    })
  const targets = [
    'shop/db',
    'shop/db:',
    'shop/db:0',
    'shop/db:65536',
    'shop/db:080',
    'shop/db:80/ICMP',
    ':80',
  ]
  for (const to of [
    ...targets,
    'fd00::1:80',
    '[fd00::1]',
    'shop/db:--',
    'shop/db:Http',
    'a/b:sixteen-letters-',
  ])
    t.throws(() => asked(FROM, `--to=${to}`), {
      message: `Cannot use --to ${JSON.stringify(to)}: it must be NAMESPACE/POD:PORT, ADDRESS:PORT or [IPV6]:PORT, and /TCP, /UDP or /SCTP after it or nothing`,
    })
})

t.test('parsePolicyCommand() needs both ends, once', async t => {
  t.throws(() => asked(TO), { message: 'Cannot explain: there is no --from; give --from=NAMESPACE/POD' })
  t.throws(() => asked(FROM), { message: 'Cannot explain: there is no --to; give --to=NAMESPACE/POD:PORT' })
  t.throws(() => asked(FROM, FROM, TO), { message: 'Cannot use --from: it is given 2 times; give it once' })
})

t.test('parsePolicyCommand() takes the options of the daemon that it needs, and no others', async t => {
  const argv = ['explain', FROM, '--to=[fd00::1]:1', '--kernel', '--kubeconfig=/etc/config']
  const rest = {
    again: "podwire policy explain --from='shop/web' --to='[fd00::1]:1' --kernel",
    kernel: true,
    kubeconfig: '/etc/config',
  }
  t.match(parsePolicyCommand(argv, { NODE_NAME: 'n1' }), { ...rest, nodeName: 'n1' })
  t.match(parsePolicyCommand([...argv, '--node-name=n2'], { NODE_NAME: 'n1' }), { ...rest, nodeName: 'n2' })
  t.match(parsePolicyCommand(['explain', FROM, TO], {}), {
    kernel: false,
    kubeconfig: undefined,
    nodeName: undefined,
  })
  t.throws(() => parsePolicyCommand(['explain', '--listen-port=1'], {}), {
    message: 'Unknown argument "--listen-port"; see podwire policy explain --help',
  })
})

t.test('parsePolicyCommand() refuses what is no command, and prints help for any', async t => {
  for (const [argv, name] of [
    [[], ''],
    [['list'], 'list'],
    [[FROM, TO], FROM],
  ] as const)
    t.throws(() => parsePolicyCommand(argv, {}), {
      message: `Unknown command ${JSON.stringify(name)}; see podwire policy explain --help`,
    })
  t.same(parsePolicyCommand(['explain', '--help'], {}), { kind: 'help' })
  t.same(parsePolicyCommand(['--help'], {}), { kind: 'help' })
  for (const line of POLICY_HELP.split('\n')) t.ok(line.length <= 120, line)
})

t.test('parsePolicyCommand() answers anything with a question or one line for people', async t => {
  const words = fc.constantFrom('shop/web', ':80', '[fd00::1]', '10.0.0.1', '/UDP', '/', ':', '--kernel')
  const text = fc.array(fc.oneof(words, fc.string())).map(parts => parts.join(''))
  fc.assert(
    fc.property(text, text, (from, to) => {
      try {
        asked(`--from=${from}`, `--to=${to}`)
      } catch (error) {
        t.match((error as Error).message, /^Cannot use --(from|to) [^\n]+$/)
      }
    }),
  )
})
