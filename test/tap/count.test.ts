import t from 'tap'
import { countAll, formatCounts } from './count.ts'

/** A run of one file, which has these lines. */
const file = (lines: readonly string[], result = 'ok 1 - a.test.ts'): string =>
  ['TAP version 14', '# Subtest: a.test.ts', ...lines.map(line => `    ${line}`), result, '1..1', ''].join(
    '\n',
  )

const test = (name: string, lines: readonly string[], result = 'ok'): string[] => [
  `# Subtest: ${name}`,
  ...lines.map(line => `    ${line}`),
  `${result} - ${name}`,
]

const cases: Record<string, [texts: string[], expected: string]> = {
  'countAll() counts a test once, however many assertions it makes': [
    [file([...test('one', ['ok 1', 'ok 2', '1..2']), '1..1'])],
    '1 passed, 0 failed, 0 skipped',
  ],
  'countAll() counts a file of bare assertions as one test': [
    [file(['ok 1', 'ok 2', '1..2'])],
    '1 passed, 0 failed, 0 skipped',
  ],
  'countAll() counts the innermost tests only': [
    [file([...test('outer', [...test('inner', ['ok 1', '1..1']), '1..1']), '1..1'])],
    '1 passed, 0 failed, 0 skipped',
  ],
  'countAll() counts a test that fails twice as one': [
    [file([...test('one', ['not ok 1', 'not ok 2', '1..2'], 'not ok'), '1..1'], 'not ok 1 - a.test.ts')],
    '0 passed, 1 failed, 0 skipped',
  ],
  'countAll() counts a file that dies after its tests': [
    [file([...test('one', ['ok 1', '1..1']), '1..1'], 'not ok 1 - a.test.ts')],
    '1 passed, 1 failed, 0 skipped',
  ],
  'countAll() counts skipped and unfinished tests': [
    [
      file([
        'ok 1 - one # SKIP no vlan',
        'ok 2 - two # TODO',
        ...test('three', ['ok 1 - # SKIP no nft', '1..1']),
        '1..3',
      ]),
    ],
    '0 passed, 0 failed, 3 skipped',
  ],
  'countAll() counts a file that is skipped whole': [
    [file(['1..0 # no podman'], 'ok 1 - a.test.ts # SKIP no podman')],
    '0 passed, 0 failed, 1 skipped',
  ],
  'countAll() counts a run that was cut off': [
    ['TAP version 14\n# Subtest: a.test.ts\n    ok 1\n'],
    '0 passed, 1 failed, 0 skipped',
  ],
  'countAll() is not misled by what a test prints': [
    [file([...test('one', ['ok 1', '  ---', '  not ok 2', '  ...', '1..1']), '1..1'])],
    '1 passed, 0 failed, 0 skipped',
  ],
  'countAll() adds up runs': [
    [
      file(['ok 1', '1..1']),
      file(['ok 1 # SKIP x', '1..1']),
      file(['not ok 1', '1..1'], 'not ok 1 - a.test.ts'),
    ],
    '1 passed, 1 failed, 1 skipped',
  ],
}

for (const [name, [texts, expected]] of Object.entries(cases)) {
  t.test(name, async t => t.equal(formatCounts(countAll(texts)), expected))
}
