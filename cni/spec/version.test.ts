import t from 'tap'
import { CODES } from './error.ts'
import { isAtLeast, NEWEST, parseVersion, refuseTooOld, VERSIONS } from './version.ts'

t.test('parseVersion() takes every version that we speak', async t => {
  for (const version of VERSIONS) t.equal(parseVersion(version), version)
  t.equal(VERSIONS.at(-1), NEWEST)
})

t.test('parseVersion() takes a missing version for 0.1.0', async t => {
  t.equal(parseVersion(undefined), '0.1.0')
  t.equal(parseVersion(''), '0.1.0')
})

t.test('parseVersion() refuses any other text, and says what there is', async t => {
  for (const text of ['0.3', '1.1', '1.1.1', '2.0.0', 'v1.1.0', ' 1.1.0', 'toString']) {
    t.throws(() => parseVersion(text), {
      code: CODES['incompatible-version'],
      message: 'incompatible CNI versions',
      details: `config is "${text}", plugin supports ["0.1.0" "0.2.0"`,
    })
  }
})

t.test('isAtLeast() follows the order of the versions', async t => {
  t.ok(isAtLeast('1.0.0', '0.4.0'))
  t.ok(isAtLeast('0.4.0', '0.4.0'))
  t.notOk(isAtLeast('0.3.1', '0.4.0'))
})

t.test('refuseTooOld() knows since when there is a command', async t => {
  const since = { ADD: '0.1.0', DEL: '0.1.0', CHECK: '0.4.0', GC: '1.1.0', STATUS: '1.1.0' } as const
  for (const [command, first] of Object.entries(since) as [keyof typeof since, (typeof VERSIONS)[number]][]) {
    for (const version of VERSIONS) {
      const check = () => refuseTooOld(command, version)
      const refusal = { code: CODES['incompatible-version'], message: `does not allow ${command}` }
      if (isAtLeast(version, first)) t.doesNotThrow(check)
      else t.throws(check, refusal)
    }
  }
})
