import t from 'tap'
import { present } from './present.ts'

t.test('present() leaves out what is undefined, and nothing else', async t => {
  t.strictSame(present({ a: undefined, b: null, c: 0, d: '', e: false }), { b: null, c: 0, d: '', e: false })
})
