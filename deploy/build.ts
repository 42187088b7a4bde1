import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'

/*
 * Makes the executable: each program in one script, the scripts inside a copy of the Node.js runtime, and the names it
 * answers to. The same sources give the same bytes. Usage: node deploy/build.ts [x64|arm64]
 */

/** The entry of each program; deploy/start.cjs chooses. The plugins share one, so that a call loads nothing else. */
const PROGRAMS = { podwire: 'cni/main.ts', podwired: 'daemon/main.ts' }
/** The other names of the executable, as hard links. */
const NAMES = ['podwire-ipam', 'podwired']

const OPTIONS = [
  // node:ffi is experimental and says so on stderr, which is the runtime's log.
  '--no-warnings',
  // A call ends before a helper thread is of use, or before garbage is worth collecting: together 3 ms of an ADD.
  // Stripping the binary and running without JIT were measured too, and gained nothing.
  '--v8-pool-size=0',
  '--min-semi-space-size=16',
  '--max-semi-space-size=16',
]

/** Bundles a program into one script. */
async function bundle(entry: string, outfile: string): Promise<void> {
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node26',
    minify: true,
    // Class and function names stay in error messages and stacks.
    keepNames: true,
    // deploy/start.cjs reads it as Latin-1.
    charset: 'ascii',
    // `await import('node:x')` becomes a lazy require: that spares the start of the module loader.
    supported: { 'dynamic-import': false },
    legalComments: 'none',
    logLevel: 'warning',
  })
}

/** Puts the programs into a copy of the runtime of that architecture. */
function embed(parts: string, arch: string): void {
  const path = `${parts}/podwire.json`
  const assets = Object.keys(PROGRAMS).flatMap(name => [`${name}.script`, `${name}.code`])
  const config = {
    main: 'deploy/start.cjs',
    assets: Object.fromEntries(assets.map(name => [name, `${parts}/${name}`])),
    output: `${parts}/podwire`,
    ...(arch === process.arch ? {} : { executable: fetchRuntime(arch) }),
    disableExperimentalSEAWarning: true,
    execArgv: OPTIONS,
    // What a runtime has in NODE_OPTIONS changes nothing.
    execArgvExtension: 'cli',
  }
  writeFileSync(path, JSON.stringify(config))
  run(process.execPath, ['--build-sea', path])
}

/** The runtime of another architecture: the very package that package-lock.json pins, with its checksum. */
function fetchRuntime(arch: string): string {
  const folder = join('node_modules/.cache', arch)
  const node = join(folder, `node_modules/node-linux-${arch}/bin/node`)
  if (!existsSync(node)) {
    mkdirSync(folder, { recursive: true })
    for (const file of ['package.json', 'package-lock.json']) copyFileSync(file, join(folder, file))
    const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
    run('npm', ['ci', '--omit=dev', '--os=linux', `--cpu=${arch}`, ...quiet], folder)
  }
  if (existsSync(node)) return node
  throw new Error(`Cannot build for "${arch}": package.json pins no such runtime; use ARCH=x64 or ARCH=arm64`)
}

/** Runs a command; what it says is read only when it fails. */
function run(command: string, args: readonly string[], cwd = '.'): void {
  execFileSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] })
}

/** Puts the executable into place under all its names, by renaming: one that is running stays whole. */
function install(parts: string, folder: string): void {
  for (const name of NAMES) linkSync(`${parts}/podwire`, `${parts}/${name}`)
  for (const name of ['podwire', ...NAMES]) renameSync(`${parts}/${name}`, `${folder}/${name}`)
}

const arch = process.argv[2] ?? process.arch
const folder = arch === process.arch ? 'dist' : `dist/${arch}`
mkdirSync(folder, { recursive: true })
const parts = mkdtempSync(`${folder}/parts-`)
try {
  for (const [name, entry] of Object.entries(PROGRAMS)) {
    await bundle(entry, `${parts}/${name}.cjs`)
    // Compiled code does not travel between architectures; the daemon starts once, and its code would cost memory.
    const mode = arch === process.arch && name === 'podwire' ? 'eager' : 'none'
    run(process.execPath, ['--predictable', 'deploy/compile.ts', `${parts}/${name}`, mode])
  }
  embed(parts, arch)
  install(parts, folder)
} finally {
  rmSync(parts, { recursive: true })
}
