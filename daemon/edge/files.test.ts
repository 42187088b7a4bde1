import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  unlinkSync,
  watch,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { removeFile, removeFolder, replaceFile, sameBytes, writeWatched } from './files.ts'

const NAME = '10-podwire.conflist'

/** A folder with another plugin's config in it. */
function stage(t: Test, files: Record<string, string> = {}) {
  const folder = t.testdir({ '99-loopback.conf': '{}', ...files })
  return {
    folder,
    path: join(folder, NAME),
    names: () => readdirSync(folder).filter(name => name !== '99-loopback.conf'),
  }
}

t.test('A text is written whole, with its folders, for root alone', async t => {
  const path = join(t.testdir(), 'etc/cni/net.d', NAME)
  t.equal(await writeWatched(path, 'new\n'), true)
  t.equal(readFileSync(path, 'utf8'), 'new\n')
  t.equal(statSync(path).mode & 0o777, 0o600)
  t.same(readdirSync(join(path, '..')), [NAME])
})

t.test('Equal text is not written again', async t => {
  const { path, names } = stage(t, { [NAME]: 'same' })
  const before = statSync(path, { bigint: true })
  t.equal(await writeWatched(path, 'same'), false)
  const { ino, mtimeNs, ctimeNs } = statSync(path, { bigint: true })
  t.same([ino, mtimeNs, ctimeNs], [before.ino, before.mtimeNs, before.ctimeNs])
  t.same(names(), [NAME])
})

t.test('What an earlier run has left is removed, and what others have is not', async t => {
  const others = { [`.${NAME}.swp`]: '', '.another.0011223344556677.podwire-draft': '' }
  for (const old of ['old', 'new']) {
    const { path, names } = stage(t, { ...others, [NAME]: old, [`.${NAME}.0011.podwire-draft`]: 'half' })
    await writeWatched(path, 'new')
    t.same(names().sort(), [...Object.keys(others), NAME].sort())
  }
})

t.test('A reader finds the old text or the new one, never a part or none', async t => {
  const { path } = stage(t)
  const texts = ['a', 'b'].map(letter => letter.repeat(100_000))
  await writeWatched(path, texts[0]!)
  const over = new AbortController()
  const seen = new Set<string>()
  const reading = (async () => {
    while (!over.signal.aborted) {
      seen.add(readFileSync(path, 'utf8'))
      await new Promise(setImmediate)
    }
  })()
  for (let i = 1; i <= 50; i += 1) await writeWatched(path, texts[i % 2]!)
  over.abort()
  await reading
  t.same([...seen].sort(), texts)
})

t.test('A watcher sees a rename with the text in place, and a removal after it', async t => {
  const { folder, path } = stage(t)
  for (const text of ['first', 'second']) {
    const events: { name: string; text: string }[] = []
    // Another each time: events of the first may come late.
    const [end, ended] = [`end-of-${text}`, Promise.withResolvers<void>()]
    const read = () => (existsSync(path) ? readFileSync(path, 'utf8') : '')
    const watcher = watch(folder, (_, name) => {
      if (name === end) ended.resolve()
      else if (!name?.startsWith('end-of-')) events.push({ name: name ?? '', text: read() })
    })
    await writeWatched(path, text)
    writeFileSync(join(folder, end), '')
    await ended.promise
    watcher.close()
    const arrival = events.findIndex(({ name }) => name === NAME)
    const [before, after] = [events.slice(0, arrival), events.slice(arrival + 1)]
    const bell = before[0]!.name
    const draft = before.at(-1)!.name
    t.not(bell, draft)
    for (const name of [bell, draft]) t.match(name, /^\.10-podwire\.conflist\.[0-9a-f]{16}\.podwire-draft$/)
    t.same(new Set(after.map(({ name }) => name)), new Set([bell]), 'the other file goes last')
    t.equal(after.at(-1)?.text, text)
  }
})

t.test('Something else in the place of the file is replaced, unless it is a folder', async t => {
  const { folder, path, names } = stage(t, { elsewhere: 'new' })
  symlinkSync(join(folder, 'elsewhere'), path)
  t.equal(await writeWatched(path, 'new'), true, 'a symbolic link, even to the same text')
  t.equal(statSync(path).isFile(), true)
  unlinkSync(path)
  mkdirSync(path)
  await t.rejects(writeWatched(path, 'new'), {
    message: `Cannot write ${path}: a folder is there; remove it`,
  })
  t.same(names(), [NAME, 'elsewhere'])
})

t.test('A file in the place of the folder is said to be one', async t => {
  const path = join(t.testdir({ folder: 'a file' }), 'folder', NAME)
  await t.rejects(writeWatched(path, ''), { message: /^Cannot .+: a part of the path is not a folder; / })
  await t.rejects(
    replaceFile(path, 0o600, async () => {}),
    { message: `Cannot write ${path}: something that is not a folder is in its way; remove that` },
  )
})

t.test('A draft that fails leaves the file as it was', async t => {
  const { path, names } = stage(t, { [NAME]: 'old' })
  const failing = replaceFile(path, 0o600, async draft => {
    writeFileSync(draft, 'half')
    throw new Error('no more')
  })
  await t.rejects(failing, { message: `Cannot write ${path}: no more; check the file system` })
  t.same(names(), [NAME])
  t.equal(readFileSync(path, 'utf8'), 'old')
})

t.test('Removing takes a file, its drafts, and nothing twice', async t => {
  const { path, names } = stage(t, { [NAME]: '', [`.${NAME}.00.podwire-draft`]: '', other: '' })
  t.equal(await removeFile(path), true)
  t.equal(await removeFile(path), false)
  t.equal(await removeFile(join(path, 'in/no/folder')), false)
  t.same(names(), ['other'])
})

t.test('A folder goes when it is empty', async t => {
  const folder = t.testdir({ full: { file: '' }, empty: {} })
  t.equal(await removeFolder(join(folder, 'full')), false)
  t.equal(await removeFolder(join(folder, 'empty')), true)
  t.equal(await removeFolder(join(folder, 'empty')), true)
  t.same(readdirSync(folder), ['full'])
})

t.test('Files are compared to their last byte', async t => {
  const folder = t.testdir()
  const sizes = [0, 1, 1024 * 1024 - 1, 1024 * 1024, 1024 * 1024 + 1, 3 * 1024 * 1024]
  const [a, b] = [join(folder, 'a'), join(folder, 'b')]
  for (const size of sizes) {
    const bytes = Buffer.alloc(size, 'podwire')
    writeFileSync(a, bytes)
    writeFileSync(b, bytes)
    t.equal(await sameBytes(a, b), true, `${size} equal bytes`)
    if (size === 0) continue
    for (const at of [0, size - 1]) {
      const other = Buffer.from(bytes)
      other[at]! ^= 1
      writeFileSync(b, other)
      t.equal(await sameBytes(a, b), false, `byte ${at} of ${size} differs`)
    }
    writeFileSync(b, bytes.subarray(1))
    t.equal(await sameBytes(a, b), false, 'one is shorter')
  }
  linkSync(a, join(folder, 'c'))
  t.equal(await sameBytes(a, join(folder, 'c')), true, 'one file under two names')
})
