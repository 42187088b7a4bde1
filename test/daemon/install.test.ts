import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  watch,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import t from 'tap'
import { READY } from '../../daemon/core/places.ts'
import { run } from '../ipam/spawn.ts'
import { INSTALLED, Installation, OTHERS, standIn } from './installation.ts'

/*
 * The plugin on the node's disk: what is written, that a runtime can call it at any moment meanwhile, and what happens
 * when the disk does not play along. Mostly with a script in the place of the executable.
 */

const V1 = 'v1 podwire an argument, and input'
const WRITE_ORDER = [
  'podwire.d/libatomic.so.1',
  'podwire.d/podwire',
  'podwire.d/podwire-ipam',
  'podwire.d/ready',
  'podwire-ipam',
  'podwire',
]

t.test(
  'An installation leaves launchers, the executable under two names, the library and the gate',
  async t => {
    const node = new Installation(t)
    const { written, hasLibrary, lines } = await node.install()
    t.same(written, WRITE_ORDER)
    t.equal(hasLibrary, true)
    t.same(
      lines,
      WRITE_ORDER.map(name => `info Installed ${join(node.to, name)}`),
    )
    t.same(node.ours(), INSTALLED)
    for (const name of INSTALLED.filter(name => name !== 'podwire.d/ready'))
      t.equal(statSync(join(node.to, name)).mode & 0o777, 0o755, name)
    t.equal(readlinkSync(join(node.to, 'podwire.d/ready')), READY)
    t.equal(await node.call('podwire'), V1)
    t.equal(await node.call('podwire-ipam'), 'v1 podwire-ipam an argument, and input')
    const inner = join(node.to, 'podwire.d')
    t.equal(statSync(join(inner, 'podwire')).ino, statSync(join(inner, 'podwire-ipam')).ino)
  },
)

t.test('What is there already is not touched', async t => {
  const node = new Installation(t)
  await node.install()
  const stats = () =>
    INSTALLED.map(name => lstatSync(join(node.to, name), { bigint: true })).map(({ ino, ctimeNs }) => [
      ino,
      ctimeNs,
    ])
  const before = stats()
  const { written, lines } = await node.install()
  t.same(written, [])
  t.match(lines.join(), /^debug The plugin in .* is up to date$/)
  t.same(stats(), before)
})

t.test('Only what differs is written', async t => {
  const node = new Installation(t)
  await node.install()
  const damage: [() => void, string[]][] = [
    [() => writeFileSync(join(node.to, 'podwire'), '#!/bin/sh\n'), ['podwire']],
    [() => chmodSync(join(node.to, 'podwire-ipam'), 0o644), ['podwire-ipam']],
    [() => rmSync(join(node.to, 'podwire.d/podwire-ipam')), ['podwire.d/podwire-ipam']],
    [() => rmSync(join(node.to, 'podwire.d/ready')), ['podwire.d/ready']],
    [
      () => chmodSync(join(node.to, 'podwire.d/podwire'), 0o600),
      ['podwire.d/podwire', 'podwire.d/podwire-ipam'],
    ],
    [() => node.release('v2'), WRITE_ORDER.slice(0, 3)],
    [() => writeFileSync(join(node.to, 'podwire.d/.podwire.00.podwire-draft'), 'half'), []],
  ]
  for (const [happens, written] of damage) {
    happens()
    t.same((await node.install()).written, written)
    t.same(node.ours(), INSTALLED)
    t.match(await node.call('podwire'), /^v\d podwire /)
    t.match(await node.call('podwire-ipam'), /^v\d podwire-ipam /)
  }
})

t.test('An executable that was copied there by hand is replaced, also by symbolic links', async t => {
  const node = new Installation(t)
  node.program(node.to, standIn('by hand'))
  linkSync(join(node.to, 'podwire'), join(node.to, 'podwire-ipam'))
  await node.install()
  t.same(node.ours(), INSTALLED)
  t.equal(await node.call(), V1)
  rmSync(join(node.to, 'podwire'))
  symlinkSync(join(node.from, 'podwire'), join(node.to, 'podwire'))
  await node.install()
  t.equal(readFileSync(join(node.from, 'podwire'), 'utf8'), standIn('v1'), 'the link’s target is as before')
  t.equal(await node.call(), V1)
})

t.test('A launcher hands on arguments, input, environment and exit code', async t => {
  const node = new Installation(t)
  await node.install()
  t.match(await node.call('podwire', { CODE: '7' }), /^7 v1 podwire/)
  node.program(node.from, '#!/bin/sh\nenv\n')
  await node.install()
  // By env -i, because tap adds variables to every environment.
  const variables = async (...env: string[]) =>
    (await run(['env', '-i', ...env, join(node.to, 'podwire')]).outcome).lines
      .filter(line => !line.startsWith('PWD='))
      .sort()
  const inner = `${node.to}/podwire.d`
  t.same(await variables('CNI_COMMAND=DEL', 'PATH=/bin'), [
    'CNI_COMMAND=DEL',
    `LD_LIBRARY_PATH=${inner}`,
    'PATH=/bin',
  ])
  t.same(
    (await variables('LD_LIBRARY_PATH=/theirs'))[0],
    `LD_LIBRARY_PATH=${inner}:/theirs`,
    'the caller’s libraries come after',
  )
  t.same((await variables('LD_LIBRARY_PATH='))[0], `LD_LIBRARY_PATH=${inner}`, 'no empty entry')
})

t.test('A launcher works from any folder, by any path', async t => {
  const node = new Installation(t)
  await node.install()
  for (const [cwd, command] of [
    ['/', join(node.to, 'podwire')],
    [node.to, './podwire'],
    [dirname(node.to), './bin/podwire'],
    [node.from, '../opt/cni/bin/podwire'],
  ] as const) {
    t.equal(execFileSync(command, [], { cwd, input: '', encoding: 'utf8' }), 'v1 podwire \n', command)
  }
})

t.test('No call fails while the plugin is replaced again and again', async t => {
  const node = new Installation(t)
  node.release('v0')
  await node.install()
  const over = new AbortController()
  const seen = new Set<string>()
  const callers = ['podwire', 'podwire-ipam', 'podwire', 'podwire-ipam'].map(async name => {
    while (!over.signal.aborted) seen.add(await node.call(name))
  })
  for (let i = 1; i <= 20; i += 1) {
    node.release(`v${1 + (i % 2)}`, 1_000_000 + i)
    await node.install()
  }
  over.abort()
  await Promise.all(callers)
  const strange = [...seen].filter(line => !/^v[012] podwire(-ipam)? an argument, and input$/.test(line))
  t.same(strange, [])
  t.ok(seen.size >= 4, `several versions were seen: ${seen.size}`)
})

t.test('A program that runs is not disturbed, and does not stop its replacement', async t => {
  const node = new Installation(t)
  copyFileSync('/bin/sh', join(node.from, 'podwire'))
  await node.install()
  const child = spawn(join(node.to, 'podwire'), ['-c', 'echo started; read line; echo "$line"'], { env: {} })
  t.match(String((await once(child.stdout, 'data'))[0]), 'started')
  node.release('v2')
  await node.install()
  t.match(await node.call(), /^v2 /)
  child.stdin.end('still here\n')
  t.match(String((await once(child.stdout, 'data'))[0]), 'still here')
  t.same(await once(child, 'exit'), [0, null])
})

t.test('Whenever an installation is killed, the plugin works, and the next one finishes it', async t => {
  const node = new Installation(t)
  node.release('v1', 500_000)
  await node.install()
  const other = join(node.root, 'other')
  cpSync(node.from, other, { recursive: true })
  node.release('v2', 500_000)
  for (let count = 1; count <= 12; count += 1) {
    const child = spawn(process.execPath, [
      join(import.meta.dirname, 'installer.ts'),
      node.from,
      other,
      node.to,
    ])
    let left = count * 2
    const watcher = watch(node.to, { recursive: true }, () => {
      left -= 1
      if (left === 0) child.kill('SIGKILL')
    })
    t.same(await once(child, 'exit'), [null, 'SIGKILL'], `killed at event ${count * 2}`)
    watcher.close()
    for (const name of ['podwire', 'podwire-ipam']) t.match(await node.call(name), /^v[12] podwire/)
    await node.install()
    t.same(node.ours(), INSTALLED)
    t.match(await node.call(), /^v2 /)
  }
})

t.test('On a full disk the plugin stays as it was, and comes when there is room', async t => {
  const node = new Installation(t)
  node.mount('512k')
  await node.install()
  node.release('v2', 300_000)
  writeFileSync(join(node.to, OTHERS[0]!), 'x'.repeat(300_000))
  const path = join(node.to, 'podwire.d/podwire')
  await t.rejects(node.install(), {
    message: `Cannot write ${path}: the disk is full; free some space or inodes there`,
  })
  writeFileSync(join(node.to, OTHERS[0]!), OTHERS[0]!)
  t.same(node.ours(), INSTALLED)
  t.equal(await node.call(), V1)
  t.same((await node.install()).written, ['podwire.d/podwire', 'podwire.d/podwire-ipam'])
  t.match(await node.call(), /^v2 /)
})

t.test('On a read-only disk nothing is written, and nothing missed when all is there', async t => {
  const node = new Installation(t)
  node.mount('2m')
  await node.install()
  execFileSync('mount', ['-o', 'remount,bind,ro', node.to])
  t.same((await node.install()).written, [])
  node.release('v2')
  await t.rejects(node.install(), {
    message: /^Cannot write .*libatomic\.so\.1: the file system is read-only; /,
  })
  t.equal(await node.call(), V1)
})

t.test('Without a library none is installed, and the log says so', async t => {
  const node = new Installation(t)
  rmSync(join(node.from, 'libatomic.so.1'))
  const { hasLibrary, lines } = await node.install()
  t.equal(hasLibrary, false)
  t.match(lines[0], /^warn Installed no libatomic\.so\.1: /)
  t.same(
    node.ours(),
    INSTALLED.filter(name => basename(name) !== 'libatomic.so.1'),
  )
  t.equal(await node.call(), V1)
})

t.test('A source that makes no sense is refused before anything is written', async t => {
  const node = new Installation(t)
  rmSync(join(node.from, 'podwire'))
  await t.rejects(node.install(), {
    message: `Cannot read ${node.from}/podwire: it is not there; see whether the folder is mounted`,
  })
  await t.rejects(node.install(join(node.root, 'nothing')), {
    message: /^Cannot read .*nothing\/podwire: it is not there/,
  })
  t.same(node.ours(), [])
  node.program(node.to, standIn('by hand'))
  await t.rejects(node.install(node.to), {
    message: /^Cannot install the plugin from .*: that is where it would go/,
  })
  t.equal(await node.call(), 'by hand podwire an argument, and input')
})

/** A folder with all that a node needs to start the executable (a shell, the shared libraries) but libatomic. */
function bareNode(root: string, program: string): void {
  const list = execFileSync('ldd', [program], { encoding: 'utf8' })
  const shell = execFileSync('ldd', ['/bin/sh'], { encoding: 'utf8' })
  const files = [...`${list}${shell}`.matchAll(/(\/\S+) \(0x/g)].map(match => match[1]!)
  for (const file of new Set([...files, '/bin/sh'])) {
    if (file.includes('libatomic')) continue
    mkdirSync(join(root, dirname(file)), { recursive: true })
    copyFileSync(file, join(root, file))
  }
}

t.test('The real plugin works on a node without libatomic, by the library beside it', async t => {
  const node = new Installation(t)
  const built = `${import.meta.dirname}/../../dist/podwire`
  const library = /libatomic\.so\.1 => (\S+)/.exec(execFileSync('ldd', [built], { encoding: 'utf8' }))?.[1]
  bareNode(node.root, built)
  symlinkSync(library!, join(node.root, 'libatomic'))
  rmSync(node.from, { recursive: true })
  mkdirSync(node.from)
  linkSync(join(node.root, 'libatomic'), join(node.from, 'libatomic.so.1'))
  symlinkSync(built, join(node.from, 'podwire'))
  symlinkSync(`${built}-launch`, join(node.from, 'podwire-launch'))
  mkdirSync(join(node.root, 'proc'))
  const before = process.memoryUsage.rss()
  await node.install()
  t.same((await node.install()).written, [])
  const megabytes = (process.memoryUsage.rss() - before) / 1024 / 1024
  t.ok(
    megabytes < 50,
    `took ${Math.round(megabytes)} MB of memory, of a program of ${statSync(built).size} bytes`,
  )
  // In mounts of its own, so that nobody ever removes the folder with /proc in it.
  const enter = 'mount --bind /proc "$0/proc" && exec chroot "$0" "$1"'
  const call = (path: string) =>
    run(['unshare', '-m', 'sh', '-c', enter, node.root, path], {
      CNI_COMMAND: 'VERSION',
      PATH: process.env['PATH'],
    }).outcome
  const plain = await call('/opt/cni/bin/podwire.d/podwire')
  t.match(plain, { status: 127, stderr: /libatomic\.so\.1: cannot open shared object file/ })
  for (const name of ['podwire', 'podwire-ipam']) {
    const { status, lines, stderr } = await call(`/opt/cni/bin/${name}`)
    t.same([status, stderr], [0, ''])
    t.match(JSON.parse(lines.join('')), { cniVersion: '1.1.0' })
  }
  t.same(readdirSync(join(node.to, 'podwire.d')).sort(), [
    'libatomic.so.1',
    'podwire',
    'podwire-ipam',
    'ready',
  ])
})
