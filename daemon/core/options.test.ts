import fc from 'fast-check'
import t from 'tap'
import { formatCidr, formatIp } from '../../ipam/core/ip.ts'
import { type Command, HELP, type Options, parseOptions } from './options.ts'

const ENV = { NODE_NAME: 'worker' }

function options(...argv: string[]): Options {
  const command = parseOptions(argv, ENV)
  if (!('options' in command)) throw new Error(`it is ${command.kind}`)
  return command.options
}
const nodeName = (command: Command) => (command.kind === 'run' ? command.nodeName : undefined)

t.test('parseOptions() takes the defaults of a node', async t => {
  const { listenAddress, ...others } = options()
  t.equal(formatIp(listenAddress), '127.0.0.1')
  t.same(others, {
    kubeconfig: undefined,
    noMasquerade: [],
    listenPort: 9117,
    cniBinDir: '/opt/cni/bin',
    cniConfDir: '/etc/cni/net.d',
    sysctlDir: '/proc/sys',
    resyncSeconds: 60,
    logLevel: 'info',
    policy: { fail: 'closed', strict: true, log: false },
  })
})

t.test('parseOptions() takes a value after "=" and as the next argument', async t => {
  const { listenAddress, noMasquerade, ...others } = options(
    ...'--kubeconfig /etc/a=b --no-masquerade-cidr=10.1.2.3/8 --no-masquerade-cidr fd00::/8'.split(' '),
    ...'--listen-address=fd00::11 --listen-port 80 --cni-bin-dir=/bin --cni-conf-dir=/conf'.split(' '),
    ...'--sysctl-dir=/host/proc/sys --resync-seconds=5 --log-level=debug'.split(' '),
    ...'--policy-fail=open --policy-strict=false --policy-log'.split(' '),
  )
  t.equal(formatIp(listenAddress), 'fd00::11')
  t.same(noMasquerade.map(formatCidr), ['10.0.0.0/8', 'fd00::/8'])
  t.same(others, {
    kubeconfig: '/etc/a=b',
    listenPort: 80,
    cniBinDir: '/bin',
    cniConfDir: '/conf',
    sysctlDir: '/host/proc/sys',
    resyncSeconds: 5,
    logLevel: 'debug',
    policy: { fail: 'open', strict: false, log: true },
  })
})

t.test("parseOptions() learns the node's name from its option, else from the environment", async t => {
  t.equal(nodeName(parseOptions([], ENV)), 'worker')
  t.equal(nodeName(parseOptions(['--node-name=other'], ENV)), 'other')
  for (const env of [{}, { NODE_NAME: '' }])
    t.throws(() => parseOptions([], env), {
      message: 'Cannot start: this node has no name; give --node-name=NAME or set NODE_NAME',
    })
  t.throws(() => parseOptions([], { NODE_NAME: 'Worker 1' }), {
    message:
      'Cannot use --node-name "Worker 1": it must be the name of a Node, such as "worker-1.example.com"',
  })
})

t.test('parseOptions() knows the other commands; uninstall and --plugin-only need no name', async t => {
  t.match(parseOptions(['--log-level=debug', '--plugin-only'], {}), {
    kind: 'plugin-only',
    options: { logLevel: 'debug' },
  })
  t.same(parseOptions(['--listen-port=1', '--help'], {}), { kind: 'help' })
  t.same(parseOptions(['--version'], {}), { kind: 'version' })
  const command = parseOptions(['uninstall', '--cni-bin-dir=/bin'], {})
  t.match(command, { kind: 'uninstall', wait: false })
  t.match(parseOptions(['uninstall', '--wait', '--cni-bin-dir=/bin'], {}), { kind: 'uninstall', wait: true })
  t.throws(() => parseOptions(['--wait'], ENV), { message: /"--wait"/ })
  t.match(command, { options: { cniBinDir: '/bin' } })
})

t.test('parseOptions() refuses what it does not know', async t => {
  for (const argument of ['--port', '--port=1', 'run', '-h', '', '--', '--listen-port1=2'])
    t.throws(() => parseOptions([argument], ENV), {
      message: `Unknown argument ${JSON.stringify(argument.split('=')[0])}; see podwired --help`,
    })
  t.throws(() => parseOptions(['--log-level=info', 'uninstall'], ENV), { message: /"uninstall"/ })
})

t.test('parseOptions() refuses an option without a value, and a second one', async t => {
  for (const argv of [['--listen-port'], ['--listen-port', '--log-level=info']])
    t.throws(() => parseOptions(argv, ENV), {
      message: 'Cannot use --listen-port: it has no value; give a whole number from 1 to 65535',
    })
  t.throws(() => parseOptions(['--listen-port=1', '--listen-port=1'], ENV), {
    message: 'Cannot use --listen-port: it is given 2 times; give it once',
  })
})

t.test('parseOptions() says what is allowed', async t => {
  const wrong = {
    '--node-name': [['', 'a_b', 'a\nb'], 'the name of a Node, such as "worker-1.example.com"'],
    '--kubeconfig': [['', 'config', '/a\0b'], 'an absolute path'],
    '--no-masquerade-cidr': [
      ['', '10.0.0.0', '10.0.0.0/33', 'x/8'],
      'a network such as 10.0.0.0/8 or fd00::/8',
    ],
    '--listen-address': [['', '$(HOST_IP)', '010.0.0.1', 'localhost'], 'an IPv4 or IPv6 address'],
    '--listen-port': [['', '0', '65536', '080', '1e3', '99999999999'], 'a whole number from 1 to 65535'],
    '--cni-bin-dir': [['', 'bin', './bin'], 'an absolute path'],
    '--cni-conf-dir': [['', 'net.d'], 'an absolute path'],
    '--sysctl-dir': [['', 'proc'], 'an absolute path'],
    '--resync-seconds': [['', '0', '-1', '86401', '1.5'], 'a whole number from 1 to 86400'],
    '--policy-fail': [['', 'shut'], 'closed or open'],
    '--policy-strict': [['', 'yes'], 'true or false'],
    '--policy-log': [['TRUE'], 'true or false'],
    '--log-level': [['', 'INFO', 'trace'], 'one of debug, info, warn, error'],
  } as const
  for (const [flag, [values, allowed]] of Object.entries(wrong))
    for (const value of values)
      t.throws(() => parseOptions([`${flag}=${value}`], ENV), {
        message: `Cannot use ${flag} ${JSON.stringify(value)}: it must be ${allowed}`,
      })
})

t.test('parseOptions() answers anything with a command or one line for people', async t => {
  const argument = fc.oneof(
    fc.string(),
    fc.tuple(fc.constantFrom('--node-name', '--listen-port', '--log-level'), fc.string()).map(String),
    fc.constantFrom('--no-masquerade-cidr=10.0.0.0/8', '--listen-port', '9117', 'uninstall'),
  )
  fc.assert(
    fc.property(fc.array(argument), argv => {
      try {
        parseOptions(argv, ENV)
      } catch (error) {
        t.match((error as Error).message, /^(Cannot use|Unknown argument) [^\n]+$/)
      }
    }),
  )
})

t.test('HELP names every option, its default, and stays within a terminal', async t => {
  for (const text of [
    '--node-name=NAME',
    '--no-masquerade-cidr=CIDR',
    '(default: 9117)',
    'podwired uninstall',
  ])
    t.ok(HELP.includes(text), text)
  for (const line of HELP.split('\n')) t.ok(line.length <= 120, line)
})
