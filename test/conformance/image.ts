import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { arch } from 'node:process'
import { type Entry, tar } from './tar.ts'

/** What a container of the image can run, all in one static executable. */
const COMMANDS = ['sh', 'ip', 'ping', 'wget', 'httpd', 'sleep']

/** The image's name in a runtime's store. */
export const IMAGE = 'localhost/tiny:1'

/** What the page says that a container of it serves when it is not told to run something else. */
export const PAGE = 'a page from a container'

/** An image that needs no registry: an archive as `docker save` makes it, which every runtime reads. */
export function imageArchive(): Buffer {
  const layer = tar(files())
  const digest = `sha256:${createHash('sha256').update(layer).digest('hex')}`
  const config = {
    architecture: arch === 'x64' ? 'amd64' : arch,
    os: 'linux',
    config: { Env: ['PATH=/bin'], Cmd: ['httpd', '-f', '-h', '/www'] },
    rootfs: { type: 'layers', diff_ids: [digest] },
  }
  const manifest = [{ Config: 'config.json', RepoTags: [IMAGE], Layers: ['layer.tar'] }]
  return tar([
    { path: 'layer.tar', content: layer },
    { path: 'config.json', content: Buffer.from(JSON.stringify(config)) },
    { path: 'manifest.json', content: Buffer.from(JSON.stringify(manifest)) },
  ])
}

function files(): Entry[] {
  return [
    { path: 'bin/busybox', content: readFileSync('/bin/busybox') },
    ...COMMANDS.map(command => ({ path: `bin/${command}`, target: 'busybox' })),
    { path: 'www/index.html', content: Buffer.from(PAGE) },
  ]
}
