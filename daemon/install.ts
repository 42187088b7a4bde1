import { constants } from 'node:fs'
import { copyFile, link, mkdir, readlink, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Log } from './core/log.ts'
import { INNER, READY } from './core/places.ts'
import { attempt, lookAt, removeDrafts, replaceFile, replaceLink, sameBytes } from './edge/files.ts'

/*
 * In the plugins' folder of the node, and nothing but this is ever touched there:
 *
 *   podwire, podwire-ipam       the launcher, twice
 *   podwire.d/podwire           the executable
 *   podwire.d/podwire-ipam      its hard link: it looks at the name it is called by
 *   podwire.d/libatomic.so.1    the library that Node.js 26 needs and kind's nodes lack
 *   podwire.d/ready             a symbolic link that leads somewhere when pods can be wired
 */

const PROGRAM = 'podwire'
const IPAM = 'podwire-ipam'
const LAUNCHER = 'podwire-launch'
const LIBRARY = 'libatomic.so.1'
const GATE = 'ready'
const RUNNABLE = 0o755

/** Where to install from and to. */
export interface InstallOptions {
  /** Folder with `podwire`, `podwire-launch` and, where nodes need it, `libatomic.so.1`. */
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
    ...(hasLibrary ? [copyStep(join(from, LIBRARY), join(inner, LIBRARY))] : []),
    copyStep(join(from, PROGRAM), join(inner, PROGRAM)),
    [join(inner, IPAM), () => ensureLink(join(inner, PROGRAM), join(inner, IPAM))],
    [join(inner, GATE), () => ensureGate(join(inner, GATE))],
    ...[IPAM, PROGRAM].map(name => copyStep(join(from, LAUNCHER), join(to, name))),
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

/** Before anything is written. A program in the folder of plugins would install the launcher as the executable. */
async function refuseNonsense(from: string, to: string): Promise<void> {
  const source = await attempt('read', join(from, PROGRAM), () => stat(from))
  const target = await attempt('read', to, () => stat(to), ['ENOENT'])
  if (source?.ino === target?.ino && source?.dev === target?.dev)
    throw new Error(
      `Cannot install the plugin from ${from}: that is where it would go; start podwired elsewhere`,
    )
  for (const name of [PROGRAM, LAUNCHER])
    await attempt('read', join(from, name), () => stat(join(from, name)))
}

const isThere = async (path: string): Promise<boolean> =>
  (await attempt('read', path, () => stat(path), ['ENOENT'])) !== undefined

const copyStep = (source: string, target: string) => [target, () => ensureCopy(source, target)] as const

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

async function ensureGate(path: string): Promise<boolean> {
  if ((await lookAt(path))?.isSymbolicLink() && (await attempt('read', path, () => readlink(path))) === READY)
    return false
  await replaceLink(path, READY)
  return true
}

/** Whether a plain file with the mode of a program is there. */
async function isRunnable(path: string): Promise<boolean> {
  const found = await lookAt(path)
  return found?.isFile() === true && (found.mode & 0o777) === RUNNABLE
}

/** Our files in the folder of plugins, launchers first: nobody is to start a program that is half gone. */
export const pluginFiles = (to: string): readonly string[] => [
  ...[PROGRAM, IPAM].map(name => join(to, name)),
  ...[PROGRAM, IPAM, LIBRARY, GATE].map(name => join(to, INNER, name)),
]
