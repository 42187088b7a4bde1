import t from 'tap'
import { CODES } from './error.ts'
import { isObject, type Json, type JsonObject, Reader, readList, readObject, readString } from './read.ts'

const refusal = (path: string, expected: string, got: string) => ({
  code: CODES['invalid-config'],
  message: `Cannot use "${path}": expected ${expected}, got ${got}`,
})

t.test('isObject() tells objects from all else', async t => {
  for (const value of [{}, { a: 1 }]) t.ok(isObject(value))
  for (const value of [null, undefined, [], '', 0, true]) t.notOk(isObject(value))
})

t.test('Reader takes null, an absent key and what every object inherits for nothing', async t => {
  const reader = new Reader({ a: null })
  for (const key of ['a', 'b', 'toString', '__proto__', 'constructor']) {
    t.equal(reader.value(key), undefined)
    t.equal(reader.string(key), undefined)
    t.equal(reader.boolean(key), undefined)
    t.equal(reader.integer(key, 0, 1), undefined)
    t.equal(reader.strings(key), undefined)
    t.equal(reader.objects(key), undefined)
    t.equal(reader.object(key).value('x'), undefined)
  }
})

t.test('Reader gives what is there, falsy values too', async t => {
  const reader = new Reader({ s: '', b: false, i: 0, l: ['a'], o: { k: 1 }, os: [{ k: 2 }] })
  t.equal(reader.string('s'), '')
  t.equal(reader.boolean('b'), false)
  t.equal(reader.integer('i', 0, 0), 0)
  t.strictSame(reader.strings('l'), ['a'])
  t.equal(reader.object('o').integer('k', 0, 9), 1)
  t.strictSame(
    reader.objects('os')?.map(item => item.integer('k', 0, 9)),
    [2],
  )
})

t.test('Reader reads a key named __proto__ as any other', async t => {
  const json = JSON.parse('{"__proto__": "x"}') as JsonObject
  t.equal(new Reader(json).string('__proto__'), 'x')
})

t.test('Reader.inAnyCase() reads keys as Go does: as they are, else whatever their capitals', async t => {
  const object = { HostPort: 1, hostip: 'a', HostIP: 'b', nothing: null, Nothing: 1 }
  t.equal(new Reader(object).integer('hostPort', 0, 9), undefined)
  const reader = new Reader(object, 'l[0]').inAnyCase()
  t.equal(reader.integer('hostPort', 0, 9), 1)
  t.equal(reader.string('HostIP'), 'b', 'as it is')
  t.equal(reader.string('hostIP'), 'a', 'the first')
  t.equal(reader.value('nothing'), undefined)
  t.equal(reader.value('NOTHING'), undefined, 'null is nothing')
  t.equal(reader.value('toString'), undefined)
  t.equal(reader.path('hostPort'), 'l[0].hostPort')
})

const faults: [string, (reader: Reader) => unknown, Json, string, string][] = [
  ['string', r => r.string('k'), 1, 'a string', '1'],
  ['boolean', r => r.boolean('k'), 'true', 'true or false', '"true"'],
  ['integer', r => r.integer('k', 1, 9), 10, 'a whole number from 1 to 9', '10'],
  ['integer', r => r.integer('k', 1, 9), 1.5, 'a whole number from 1 to 9', '1.5'],
  ['integer', r => r.integer('k', 1, 9), '5', 'a whole number from 1 to 9', '"5"'],
  ['object', r => r.object('k'), [], 'an object', '[]'],
  ['strings', r => r.strings('k'), 'a', 'a list', '"a"'],
]
for (const [method, read, value, expected, got] of faults) {
  t.test(`Reader.${method}() refuses ${got} and names the key`, async t => {
    t.throws(() => read(new Reader({ k: value }, 'ipam')), refusal('ipam.k', expected, got))
    t.throws(() => read(new Reader({ k: value })), refusal('k', expected, got))
  })
}

t.test('Reader names an item by its place', async t => {
  const reader = new Reader({ o: { l: ['a', 1] } }).object('o')
  t.throws(() => reader.strings('l'), refusal('o.l[1]', 'a string', '1'))
  t.throws(() => reader.objects('l'), refusal('o.l[0]', 'an object', '"a"'))
  const inner = new Reader({ l: [{ n: 1 }] }).objects('l')?.[0]
  t.throws(() => inner?.string('n'), refusal('l[0].n', 'a string', '1'))
})

t.test('complaints show a long value in part', async t => {
  t.throws(() => new Reader({ k: 'x'.repeat(1000) }).integer('k', 0, 1), { message: /got "x{76}\.\.\.$/ })
})

t.test('readList(), readString() and readObject() read one value at a path', async t => {
  t.strictSame(readList(['a'], 'p', readString), ['a'])
  t.equal(readObject({ k: 'v' }, 'p').path('k'), 'p.k')
  t.throws(() => readList({}, 'p', readString), refusal('p', 'a list', '{}'))
  t.throws(() => readString(null, 'p'), refusal('p', 'a string', 'null'))
  t.throws(() => readObject(null, 'p'), refusal('p', 'an object', 'null'))
})
