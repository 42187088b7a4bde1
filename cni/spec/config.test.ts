import t from 'tap'
import { decode, parseNetworkConfig, parseValidAttachments } from './config.ts'
import { CODES } from './error.ts'
import { Reader } from './read.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

t.test('decode() reads a JSON object, also one behind a byte order mark', async t => {
  t.strictSame(decode(bytes('{"name": "ä"}')), { name: 'ä' })
  t.strictSame(decode(bytes('\ufeff{}\n')), {})
})

t.test('decode() says what is wrong with anything else', async t => {
  const texts = ['', ' \n', '{', 'null', '[]', '"x"', '1', '{}{}', '\0', "{'a': 1}", '['.repeat(100_000)]
  for (const text of texts) {
    const refusal = { code: CODES.decode, message: 'Cannot read the network config on standard input: ' }
    t.throws(() => decode(bytes(text)), refusal, text.slice(0, 20))
  }
  t.throws(() => decode(Uint8Array.of(0xff, 0xfe, 0x00)), { code: CODES.decode })
  t.throws(() => decode(bytes(' ')), { message: 'it is empty' })
})

t.test('decode() shows a long text in part only', async t => {
  const thrown = await Promise.try(() => decode(bytes('x'.repeat(100_000)))).catch((error: Error) => error)
  t.ok((thrown as Error).message.length < 400)
})

t.test('parseNetworkConfig() reads name and version, and keeps the rest', async t => {
  const json = { cniVersion: '0.4.0', name: 'my.net-1_x', bridge: 'b' }
  const config = parseNetworkConfig(json)
  t.match(config, { version: '0.4.0', name: 'my.net-1_x' })
  t.equal(config.json, json)
  t.equal(config.keys.string('bridge'), 'b')
})

t.test('parseNetworkConfig() refuses a name that is none', async t => {
  const refusal = { code: CODES['invalid-config'] }
  for (const name of [undefined, null, '']) {
    t.throws(() => parseNetworkConfig({ name }), { ...refusal, message: 'missing network name' })
  }
  for (const name of ['..', '.a', 'a/b', 'a b', '-a', 'a\n', 'x/'.repeat(1000)]) {
    t.throws(() => parseNetworkConfig({ name }), { ...refusal, message: 'Cannot use the network name' })
  }
  t.throws(() => parseNetworkConfig({ name: 5 }), { ...refusal, message: 'Cannot use "name"' })
})

const valid = (json: object) => parseValidAttachments(new Reader({ ...json }))

t.test('parseValidAttachments() tells "not told" from "none"', async t => {
  t.equal(valid({}), undefined)
  t.equal(valid({ 'cni.dev/valid-attachments': null }), undefined)
  t.strictSame(valid({ 'cni.dev/valid-attachments': [] }), [])
})

t.test('parseValidAttachments() reads the key, or else its older name', async t => {
  const item = { containerID: 'c1', ifname: 'eth0' }
  const attachment = { containerId: 'c1', ifname: 'eth0' }
  t.strictSame(valid({ 'cni.dev/valid-attachments': [item] }), [attachment])
  t.strictSame(valid({ 'cni.dev/attachments': [item] }), [attachment])
  t.strictSame(valid({ 'cni.dev/attachments': [item], 'cni.dev/valid-attachments': [] }), [])
})

t.test('parseValidAttachments() refuses a list that it cannot read as a whole', async t => {
  const items: [unknown, string][] = [
    [{ ifname: 'eth0' }, '[0].containerID'],
    [{ containerID: 'c1' }, '[0].ifname'],
    [{ containerID: 'c1', ifname: 'a/b' }, '[0].ifname'],
    ['c1', '[0]'],
  ]
  for (const [item, path] of items) {
    t.throws(() => valid({ 'cni.dev/valid-attachments': [item] }), {
      code: CODES['invalid-config'],
      message: `cni.dev/valid-attachments${path}`,
    })
  }
})
