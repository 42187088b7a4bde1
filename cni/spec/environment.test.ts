import t from 'tap'
import { ATTACHMENT_ENV } from '../../test/support/world.ts'
import {
  isName,
  type Operation,
  parseArgs,
  parseCommand,
  parseContainerId,
  parseEnvironment,
  parseIfName,
  refuseUnknownArgs,
} from './environment.ts'
import { CODES } from './error.ts'

const INVALID = { code: CODES['invalid-environment'] }

t.test('parseCommand() knows the six commands, spelled as the specification does', async t => {
  for (const command of ['ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION']) {
    t.equal(parseCommand({ CNI_COMMAND: command }), command)
  }
  for (const text of ['', 'add', 'ADD ', 'toString', 'UPDATE']) {
    t.throws(() => parseCommand({ CNI_COMMAND: text }), { ...INVALID, message: `CNI_COMMAND "${text}"` })
  }
  t.throws(() => parseCommand({}), INVALID)
})

const required: [Operation, string][] = [
  ['ADD', '[CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME]'],
  ['CHECK', '[CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME]'],
  ['DEL', '[CNI_CONTAINERID,CNI_IFNAME]'],
  ['GC', '[CNI_PATH]'],
]
for (const [command, missing] of required) {
  t.test(`parseEnvironment() names all that ${command} misses at once`, async t => {
    const message = `required env variables ${missing} missing`
    t.throws(() => parseEnvironment(command, {}), { ...INVALID, message })
    const empty = { CNI_CONTAINERID: '', CNI_NETNS: '', CNI_IFNAME: '', CNI_PATH: '' }
    t.throws(() => parseEnvironment(command, empty), { ...INVALID, message })
  })
}

t.test('parseEnvironment() reads what an ADD gets', async t => {
  const env = {
    ...ATTACHMENT_ENV,
    CNI_PATH: '/opt/cni/bin::/usr/lib/cni:',
    CNI_ARGS: 'IgnoreUnknown=1;IP=10.0.0.1',
    CNI_NETNS_OVERRIDE: 'TRUE',
  }
  t.strictSame(parseEnvironment('ADD', env), {
    command: 'ADD',
    attachment: { containerId: 'c1', ifname: 'eth0' },
    netns: '/run/netns/c1',
    path: ['/opt/cni/bin', '/usr/lib/cni'],
    args: new Map([
      ['IgnoreUnknown', '1'],
      ['IP', '10.0.0.1'],
    ]),
    ownNetnsAllowed: true,
  })
})

t.test('parseEnvironment() lets DEL do without a namespace', async t => {
  for (const CNI_NETNS of ['', undefined]) {
    const env = parseEnvironment('DEL', { ...ATTACHMENT_ENV, CNI_NETNS })
    t.match(env, { netns: undefined, ownNetnsAllowed: false })
  }
})

t.test('parseEnvironment() of GC and STATUS passes over what is about one attachment', async t => {
  const env = { CNI_PATH: '/bin', CNI_CONTAINERID: '..', CNI_IFNAME: '/', CNI_NETNS: '/x', CNI_ARGS: '=' }
  for (const command of ['GC', 'STATUS'] as const) {
    const none = { attachment: undefined, netns: undefined, args: new Map(), path: ['/bin'] }
    t.match(parseEnvironment(command, env), { command, ...none })
  }
  t.match(parseEnvironment('STATUS', {}), { path: [] })
})

t.test('parseEnvironment() refuses a path that no system call can take', async t => {
  t.throws(() => parseEnvironment('DEL', { ...ATTACHMENT_ENV, CNI_NETNS: '/a\0b' }), INVALID)
})

t.test('parseContainerId() takes names as the specification draws them', async t => {
  for (const id of ['a', '0', 'A-b_c.d', 'f'.repeat(300)]) {
    t.ok(isName(id))
    t.equal(parseContainerId(id, 'ID'), id)
  }
  for (const id of ['', '.', '..', '-a', '_a', 'a/b', 'a b', 'a\n', 'ä', 'a\0']) {
    t.throws(() => parseContainerId(id, 'ID'), { ...INVALID, message: 'Cannot use ID "' }, JSON.stringify(id))
  }
})

t.test('parseIfName() takes what the kernel takes', async t => {
  for (const name of ['e', 'eth0', 'a.b-c_d@e', '...', 'fifteen-letters', 'ä'.repeat(7)]) {
    t.equal(parseIfName(name, 'IF'), name)
  }
  const bad = [
    '',
    '.',
    '..',
    'a/b',
    'a:b',
    'a b',
    'a\tb',
    'a\n',
    'a\0b',
    'a\u{7f}',
    'sixteen-letters!',
    'ä'.repeat(8),
  ]
  for (const name of bad) {
    t.throws(() => parseIfName(name, 'IF'), { ...INVALID, message: 'Cannot use IF "' }, JSON.stringify(name))
  }
})

t.test('parsers of names take the kind of error for a config key', async t => {
  const config = { code: CODES['invalid-config'] }
  t.throws(() => parseIfName('', 'bridge', 'invalid-config'), config)
  t.throws(() => parseContainerId('', 'containerID', 'invalid-config'), config)
})

t.test('parseArgs() reads pairs; the last of a key holds', async t => {
  t.strictSame(parseArgs(''), new Map())
  t.strictSame(parseArgs('A=;A=1;B=2'), new Map([['A', '1'], ['B', '2']])) // prettier-ignore
  for (const text of ['A', '=', '=1', 'A=1=2', 'A=1;', ';', 'A=1;;B=2']) {
    t.throws(() => parseArgs(text), { ...INVALID, message: 'Cannot use CNI_ARGS' }, text)
  }
})

t.test('refuseUnknownArgs() names what nobody acts on, unless told to ignore it', async t => {
  const known = new Set(['IP', 'MAC'])
  refuseUnknownArgs(parseArgs('IP=1;MAC=2'), known)
  for (const yes of ['1', 'true', 'TRUE']) refuseUnknownArgs(parseArgs(`X=1;IgnoreUnknown=${yes}`), known)
  for (const no of ['0', 'false', '', '11']) {
    const args = parseArgs(`X=1;IP=2;Y=3;IgnoreUnknown=${no}`)
    t.throws(() => refuseUnknownArgs(args, known), {
      ...INVALID,
      message: 'Cannot use CNI_ARGS "X,Y": known are IP, MAC',
    })
  }
})
