import t from 'tap'
import { parseSelector } from './selector.ts'

const read = (json: unknown): [unknown, string[]] => {
  const problems: string[] = []
  return [parseSelector(json, 'it', problems), problems]
}
const expression = (requirement: unknown) => read({ matchExpressions: [requirement] })

t.test('an absent and an empty selector match everything', async t => {
  for (const json of [undefined, {}, { matchLabels: {}, matchExpressions: [] }, { matchLabels: null }])
    t.same(read(json), [[], []])
})

t.test('labels and expressions are requirements, all of which are to be met', async t => {
  t.same(
    read({
      matchLabels: { app: 'web' },
      matchExpressions: [
        { key: 'tier', operator: 'NotIn', values: ['y', 'x'] },
        { key: 'tier', operator: 'Exists' },
        { key: 'old', operator: 'DoesNotExist', values: null },
      ],
    }),
    [
      [
        { key: 'app', operator: 'In', values: ['web'] },
        { key: 'tier', operator: 'NotIn', values: ['x', 'y'] },
        { key: 'tier', operator: 'Exists', values: [] },
        { key: 'old', operator: 'DoesNotExist', values: [] },
      ],
      [],
    ],
  )
})

t.test('what is not understood is left out and named', async t => {
  t.same(read('x'), [[], ['it "x" is no selector']])
  t.same(read({ matchLabels: [] }), [[], ['it.matchLabels [] is no object']])
  t.same(read({ matchExpressions: {} }), [[], ['it.matchExpressions {} is no list']])
  for (const requirement of [
    7,
    { operator: 'Exists' },
    { key: '', operator: 'Exists' },
    { key: 'a', operator: 'Gt', values: ['1'] },
    { key: 'a', operator: 'In' },
    { key: 'a', operator: 'In', values: [] },
    { key: 'a', operator: 'In', values: [1] },
    { key: 'a', operator: 'In', values: 'x' },
    { key: 'a', operator: 'Exists', values: ['x'] },
  ])
    t.same(expression(requirement), [
      [],
      [`it.matchExpressions[0] ${JSON.stringify(requirement)} is no requirement`],
    ])
})
