import { basename } from 'node:path'
import { readAll, writeAll } from './edge/fd.ts'
import { WITHOUT_DAEMON } from './edge/policies.ts'
import { removeLink } from './edge/site.ts'
import { PROC_SYS } from './edge/sysctl.ts'
import { appendTrace } from './edge/trace-file.ts'
import { messageOf } from './spec/error.ts'
import type { Plugin } from './spec/plugin.ts'
import { run } from './spec/run.ts'
import type { World } from './spec/world.ts'

const STDIN = 0
const STDOUT = 1
const STDERR = 2

/** The programs in this executable, by the name that it is called by. */
const PLUGINS: Readonly<Record<string, () => Promise<Plugin>>> = {
  podwire: async () => (await import('./plugin.ts')).podwire,
  'podwire-ipam': async () => (await import('../ipam/plugin.ts')).ipam,
}

const HELP = `podwire: a CNI plugin. Container runtimes call it with CNI_COMMAND in the environment and a network
config on standard input; it answers in JSON.

  podwire --version   print the version
  podwire --help      print this
  podwire --trace     as a plugin: print each step on stderr, as the command that does the same
  podwire policy explain --help
                      how to learn whether one pod may reach another, and which NetworkPolicy decides

By hand, as root:

  ip netns add demo
  export CNI_CONTAINERID=demo CNI_NETNS=/run/netns/demo CNI_IFNAME=eth0 CNI_PATH=/opt/cni/bin
  echo '{"cniVersion": "1.1.0", "name": "demo", "type": "podwire", "isGateway": true,
    "ipam": {"type": "podwire-ipam", "subnet": "10.99.0.0/24"}}' > demo.conf
  CNI_COMMAND=ADD podwire --trace < demo.conf
  ip -n demo address
  CNI_COMMAND=DEL podwire < demo.conf
  ip netns del demo
`

/** The world of this process. */
function processWorld(): World {
  return {
    program: programName(),
    argv: process.argv.slice(2),
    env: process.env,
    sysctls: PROC_SYS,
    policies: WITHOUT_DAEMON,
    stdin: async () => readAll(STDIN),
    stdout: text => writeAll(STDOUT, text),
    stderr: writeLine,
    append: appendTrace,
    now: () => performance.now(),
    removeLink,
  }
}

/**
 * The name of the hard link that was called: argv[0] as the caller gave it, for process.execPath has symbolic links
 * resolved. From sources that is the name of the runtime; then, and under any other name, this is `podwire`.
 */
function programName(): string {
  const name = basename(process.argv0)
  return Object.hasOwn(PLUGINS, name) ? name : 'podwire'
}

/** A line for people: where nobody can read it, it is no loss. */
function writeLine(line: string): void {
  try {
    writeAll(STDERR, `${line}\n`)
  } catch {
    // There is no place left to say so.
  }
}

async function main(world: World): Promise<number> {
  const load = PLUGINS[world.program]!
  return world.env['CNI_COMMAND'] ? run(world, await load()) : commandLine(world, load)
}

/** Somebody started the program by hand. */
async function commandLine(world: World, load: () => Promise<Plugin>): Promise<number> {
  const unknown = world.argv.find(argument => !['--help', '--version', '--trace'].includes(argument))
  if (unknown !== undefined)
    return refuse(world, `Unknown argument "${unknown}"; see ${world.program} --help`, 2)
  if (world.argv.includes('--help')) return print(world, HELP)
  if (world.argv.includes('--version')) return print(world, `${world.program} ${await version()}\n`)
  return run(world, await load())
}

async function version(): Promise<string> {
  return (await import('../package.json', { with: { type: 'json' } })).default.version
}

async function print(world: World, text: string): Promise<number> {
  try {
    await world.stdout(text)
    return 0
  } catch (error) {
    return refuse(world, `Cannot write to standard output: ${messageOf(error)}`, 1)
  }
}

function refuse(world: World, message: string, code: number): number {
  world.stderr(message)
  return code
}

void main(processWorld()).then(code => (process.exitCode = code))
