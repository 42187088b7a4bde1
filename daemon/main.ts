import { realpathSync } from 'node:fs'
import { dirname } from 'node:path'
import { writeAll } from '../cni/edge/fd.ts'
import { messageOf } from '../cni/spec/error.ts'
import packageJson from '../package.json' with { type: 'json' }
import { type Command, HELP, parseOptions } from './core/options.ts'
import { runDaemon } from './daemon.ts'
import { explainPolicy } from './explain.ts'
import { openLog } from './edge/log.ts'
import { clean } from './clean.ts'
import { runPluginOnly } from './plugin-only.ts'

const STDOUT = 1
const STDERR = 2

/** The program `podwired`, and of `podwire` what is for people. */
async function main(): Promise<number> {
  const [first, ...rest] = process.argv.slice(2)
  if (first === 'policy') return policy(rest)
  let command: Command
  try {
    command = parseOptions(process.argv.slice(2), process.env)
  } catch (error) {
    writeAll(STDERR, `podwired: ${messageOf(error)}\n`)
    return 2
  }
  return perform(command)
}

/** `podwire policy`, which answers somebody at a terminal; deploy/start.cjs leads here. */
async function policy(argv: readonly string[]): Promise<number> {
  const tell = (text: string): void => writeAll(STDERR, `podwire: ${text}\n`)
  const log = { warn: (_: object, text: string) => tell(text) }
  const stdout = (text: string): void => writeAll(STDOUT, text)
  try {
    return await explainPolicy({ argv, env: process.env, stdout, log }, told.signal)
  } catch (error) {
    tell(messageOf(error))
    return 2
  }
}

async function perform(command: Command): Promise<number> {
  switch (command.kind) {
    case 'help':
      writeAll(STDOUT, HELP)
      return 0
    case 'version':
      writeAll(STDOUT, `podwired ${packageJson.version}\n`)
      return 0
    case 'uninstall':
      return clean(command, openLog(command.options.logLevel), told.signal)
    case 'plugin-only':
      await runPluginOnly(command.options, openLog(command.options.logLevel), told.signal)
      return 0
    case 'run':
      await Promise.race([run(command), leave])
      return 0
  }
}

const run = (command: Extract<Command, { kind: 'run' }>): Promise<void> =>
  runDaemon(
    { ...command, source, version: packageJson.version, log: openLog(command.options.logLevel) },
    told.signal,
  )

/** The folder of this very executable: the plugin in it is the one that this daemon belongs to. */
const source = dirname(realpathSync(process.execPath))

const told = new AbortController()

/** How long a round that is at work may take to end; all it does is done in one piece or not at all. */
const PATIENCE_MS = 500

/** Some time after SIGTERM or SIGINT. */
const leave = new Promise<void>(resolve => {
  for (const name of ['SIGTERM', 'SIGINT'] as const)
    process.on(name, () => {
      told.abort()
      setTimeout(resolve, PATIENCE_MS)
    })
})

void main().then(code => process.exit(code))
