import { constants } from 'node:fs'
import { copyFile, link, mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Log } from './core/log.ts'
import { INNER, wrapperOf } from './core/wrapper.ts'
import { attempt, fillWith, holdsText, lookAt, removeDrafts, replaceFile, sameBytes } from './edge/files.ts'

/*
 * In the plugins' folder of the node, and nothing but this is ever touched there:
 *
 *   podwire, podwire-ipam       wrappers
 *   podwire.d/podwire           the executable
 *   podwire.d/podwire-ipam      its hard link: it looks at the name it is called by
 *   podwire.d/libatomic.so.1    the library that Node.js 26 needs and kind's nodes lack
 */

const PROGRAM = 'podwire'
const IPAM = 'podwire-ipam'
const LIBRARY = 'libatomic.so.1'
const RUNNABLE = 0o755

/** Where to install from and to. */
export interface InstallOptions {
  /** Folder with the executable `podwire` and, where nodes need it, `libatomic.so.1`. */
  readonly from: string
  /** The node's folder of plugins: `/opt/cni/bin`. */
  readonly to: string
  readonly log: Log
}

/** What came of an installation. */
export interface InstallReport {
  /** Paths that were written; empty when all was there already. */
  readonly written: readonly string[]
  /** Whether the library was there to be installed; without, the node must have one. */
  readonly hasLibrary: boolean
}

/**
 * Puts the plugin into the node's folder of plugins, over an older one and over an executable that was copied there by
 * hand. What is equal is not touched. Each file is replaced by a rename, what others need before those: so every call
 * that a runtime makes meanwhile finds a plugin that works, and one that runs keeps its file. Throws when something
 * cannot be read or written; what is there already works then as before, and a next run goes on.
 */
export async function installPlugin({ from, to, log }: InstallOptions): Promise<InstallReport> {
  await refuseNonsense(from, to)
  const inner = join(to, INNER)
  await attempt('make the folder', inner, () => mkdir(inner, { recursive: true }))
  const hasLibrary = await isThere(join(from, LIBRARY))
  const steps: (readonly [string, () => Promise<boolean>])[] = [
    ...(hasLibrary ? [copyStep(from, inner, LIBRARY)] : []),
    copyStep(from, inner, PROGRAM),
    [join(inner, IPAM), () => ensureLink(join(inner, PROGRAM), join(inner, IPAM))],
    ...[IPAM, PROGRAM].map(name => [join(to, name), () => ensureWrapper(join(to, name), name)] as const),
  ]
  if (!hasLibrary)
    log.warn({ from }, `Installed no ${LIBRARY}: there is none in ${from}; the node needs its own`)
  const written: string[] = []
  for (const [path, ensure] of steps) {
    await removeDrafts(path)
    if (!(await ensure())) continue
    written.push(path)
    log.info({ path }, `Installed ${path}`)
  }
  if (written.length === 0) log.debug({ to }, `The plugin in ${to} is up to date`)
  return { written, hasLibrary }
}

/** Before anything is written. A program in the folder of plugins would install its own wrapper as the executable. */
async function refuseNonsense(from: string, to: string): Promise<void> {
  await attempt('read', join(from, PROGRAM), () => stat(join(from, PROGRAM)))
  const source = await attempt('read', from, () => stat(from))
  const target = await attempt('read', to, () => stat(to), ['ENOENT'])
  if (source?.ino !== target?.ino || source?.dev !== target?.dev) return
  throw new Error(
    `Cannot install the plugin from ${from}: that is where it would go; start podwired elsewhere`,
  )
}

const isThere = async (path: string): Promise<boolean> =>
  (await attempt('read', path, () => stat(path), ['ENOENT'])) !== undefined

const copyStep = (from: string, inner: string, name: string) =>
  [join(inner, name), () => ensureCopy(join(from, name), join(inner, name))] as const

/** Makes a file a copy of another, unless it is one. */
async function ensureCopy(source: string, target: string): Promise<boolean> {
  if (await isRunnable(target)) {
    if (await attempt('compare', target, () => sameBytes(source, target))) return false
  }
  await replaceFile(target, RUNNABLE, draft => copyFile(source, draft, constants.COPYFILE_EXCL))
  return true
}

async function ensureLink(program: string, name: string): Promise<boolean> {
  if ((await lookAt(program))?.ino === (await lookAt(name))?.ino) return false
  await replaceFile(name, RUNNABLE, draft => link(program, draft))
  return true
}

async function ensureWrapper(path: string, name: string): Promise<boolean> {
  const text = wrapperOf(name)
  if ((await isRunnable(path)) && holdsText(path, text)) return false
  await replaceFile(path, RUNNABLE, fillWith(text))
  return true
}

/** Whether a plain file with the mode of a program is there. */
async function isRunnable(path: string): Promise<boolean> {
  const found = await lookAt(path)
  return found?.isFile() === true && (found.mode & 0o777) === RUNNABLE
}

/** Our files in the folder of plugins, wrappers first: nobody is to start a program that is half gone. */
export const pluginFiles = (to: string): readonly string[] => [
  ...[PROGRAM, IPAM].map(name => join(to, name)),
  ...[PROGRAM, IPAM, LIBRARY].map(name => join(to, INNER, name)),
]
