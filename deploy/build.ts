import { build } from 'esbuild'
import { execFileSync } from 'node:child_process'
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/*
 * Makes the executable: all of cni/main.ts in one script, that script inside a copy of the Node.js runtime, and the
 * names it answers to. Usage: node deploy/build.ts [x64|arm64] [MAIN]
 */

const NAMES = ['podwire-ipam', 'podwired']

/** Bundles the program into one CommonJS file, the form that a single executable starts fastest from. */
async function bundle(main: string, outfile: string): Promise<void> {
  await build({
    entryPoints: [main],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node26',
    minify: true,
    // Class and function names stay in error messages and stacks.
    keepNames: true,
    // `await import('node:x')` becomes a lazy require: that spares the start of the module loader.
    supported: { 'dynamic-import': false },
    legalComments: 'none',
    logLevel: 'warning',
  })
}

/** Puts the script into a copy of `runtime`; the runtime of this machine also compiles it ahead of time. */
function embed(main: string, output: string, runtime: string | undefined): void {
  const config = {
    main,
    output,
    ...(runtime === undefined ? {} : { executable: runtime }),
    disableExperimentalSEAWarning: true,
    useCodeCache: runtime === undefined,
    execArgv: ['--no-warnings'],
    // What a runtime has in NODE_OPTIONS changes nothing.
    execArgvExtension: 'none',
  }
  const path = `${main}.json`
  writeFileSync(path, JSON.stringify(config))
  // --predictable: or else the code cache would hold this process's random hash seed, and no two builds be equal.
  execFileSync(process.execPath, ['--predictable', '--build-sea', path], { stdio: ['ignore', 'ignore', 'inherit'] })
}

/** The runtime of another architecture, from the package of the version that package.json pins. */
function fetchRuntime(arch: string): string {
  const name = `node-linux-${arch}`
  const folder = join('node_modules/.cache', name)
  const node = join(folder, 'node_modules', name, 'bin/node')
  const version = pinned(name)
  const manifest = join(folder, 'node_modules', name, 'package.json')
  if (existsSync(node) && (readJson(manifest) as { version: string }).version === version) return node
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{"private": true}')
  const options = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  const target = ['--os=linux', `--cpu=${arch}`, '--force', '--prefix', folder]
  execFileSync('npm', ['install', ...options, ...target, `${name}@${version}`], { stdio: 'inherit' })
  return node
}

function pinned(name: string): string {
  const { optionalDependencies } = readJson('package.json') as {
    optionalDependencies: Record<string, string>
  }
  const version = optionalDependencies[name]
  if (version !== undefined) return version
  throw new Error(`Cannot build for "${name}": package.json pins no such runtime; use ARCH=x64 or ARCH=arm64`)
}

const readJson = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'))

async function run(arch: string, main: string): Promise<void> {
  const native = arch === process.arch
  const output = native ? 'dist/podwire' : `dist/${arch}/podwire`
  const script = native ? 'dist/podwire.cjs' : `dist/${arch}/podwire.cjs`
  mkdirSync(dirname(output), { recursive: true })
  await bundle(main, script)
  // A new file, never the old one rewritten: it may be running.
  rmSync(output, { force: true })
  embed(script, output, native ? undefined : fetchRuntime(arch))
  for (const name of NAMES) {
    const link = join(dirname(output), name)
    rmSync(link, { force: true })
    linkSync(output, link)
  }
}

await run(process.argv[2] ?? process.arch, process.argv[3] ?? 'cni/main.ts')
