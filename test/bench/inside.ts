import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { startChild } from './child.ts'

const ISOLATED = `${import.meta.dirname}/../isolated`

/** Runs a program of this folder in namespaces of its own, and gives what it {@link answer}s. Throws when it fails. */
export async function inside<T>(program: string, argument: number): Promise<T> {
  const path = `${import.meta.dirname}/${program}.ts`
  const args = [process.execPath, '--disable-warning=ExperimentalWarning', path, `${argument}`]
  const child = startChild(ISOLATED, args, ['ignore', 'pipe', 'inherit'])
  const [said, [code]] = await Promise.all([text(child.stdout!), once(child, 'exit') as Promise<[number]>])
  if (code !== 0) throw new Error(`${program} failed; what it said stands above`)
  return JSON.parse(said) as T
}

/** What such a program has found out, and its end. */
export function answer(found: unknown): never {
  process.stdout.write(JSON.stringify(found))
  process.exit(0)
}
