import { statSync } from 'node:fs'
import { CniError, DelegateError, messageOf } from '../spec/error.ts'
import type { Call } from '../spec/plugin.ts'
import { isObject, type Json, type JsonObject } from '../spec/read.ts'

/**
 * Calls another plugin as a runtime does (SPEC 1.1.0, section 4): the same environment, the same config, its answer on
 * stdout. Its error is passed on as it is. Returns its JSON, or undefined when it printed nothing.
 */
export async function callDelegate(
  call: Call,
  type: string,
  command: string,
): Promise<JsonObject | undefined> {
  const path = findDelegate(call, type)
  const { execute } = await import('./execute.ts')
  const env = { ...call.world.env, CNI_COMMAND: command }
  const outcome = await execute(path, [], JSON.stringify(call.config.json), env)
  for (const line of outcome.stderr.split('\n').filter(text => text !== '')) call.world.stderr(line)
  call.trace.step(`CNI_COMMAND=${command} ${path} < CONFIG`)
  if (outcome.code !== 0) throw delegateError(type, outcome.code, outcome.stdout, outcome.stderr)
  return outcome.stdout.trim() === '' ? undefined : parseAnswer(type, outcome.stdout)
}

/**
 * The file of a plugin, in the first folder of CNI_PATH that has it. Throws `delegate-missing`, and `invalid-config`
 * for a type that is no file name.
 */
export function findDelegate({ env: { path: folders } }: Call, type: string): string {
  if (type.includes('/') || type.includes('\0') || type === '.' || type === '..') {
    throw new CniError(
      'invalid-config',
      `Cannot use the plugin type "${type.slice(0, 80)}": it must be a file name, not a path`,
    )
  }
  const path = folders.map(folder => `${folder}/${type}`).find(isFile)
  if (path !== undefined) return path
  const where = folders.length === 0 ? 'CNI_PATH is empty' : `it is not in CNI_PATH=${folders.join(':')}`
  throw new CniError(
    'delegate-missing',
    `Cannot find the plugin "${type}": ${where}; install it there or correct "ipam.type"`,
  )
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile()
  } catch {
    // Not there, a name too long, a folder that may not be entered: not a plugin that can be called.
    return false
  }
}

function parseAnswer(type: string, stdout: string): JsonObject {
  const answer = tryJson(stdout)
  if (isObject(answer)) return answer
  throw new CniError('decode', `Cannot read the answer of the plugin "${type}": it is not a JSON object`, {
    details: stdout.slice(0, 500),
  })
}

function delegateError(type: string, code: number | null, stdout: string, stderr: string): CniError {
  const answer = tryJson(stdout)
  if (isObject(answer) && isCode(answer['code']) && typeof answer['msg'] === 'string') {
    const details = typeof answer['details'] === 'string' ? { details: answer['details'] } : {}
    return new DelegateError(answer['code'], answer['msg'], details)
  }
  const end = code === null ? 'a signal ended it' : `it ended with ${code} and no CNI error`
  return new CniError(
    'delegate-failed',
    `Cannot use the plugin "${type}": ${end}; see its stderr in the details`,
    {
      details: stderr.slice(0, 2000) || stdout.slice(0, 2000) || messageOf(end),
    },
  )
}

/** Runtimes decode an error's code as an unsigned whole number. */
const isCode = (code: Json | undefined): code is number => Number.isInteger(code) && Number(code) > 0

function tryJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json
  } catch {
    return undefined
  }
}
