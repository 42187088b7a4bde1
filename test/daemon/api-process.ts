import { createServer, type ServerResponse } from 'node:http'
import { createInterface } from 'node:readline'
import type { ApiCommand, ApiObject } from './api-server.ts'

/*
 * The process of an ApiServer: collections in memory, listed and watched as the API server's are. On stdin it is told of
 * objects, one JSON in a line, and answers each line with `done`. It ends with its stdin.
 */

interface Happened {
  readonly path: string
  readonly version: number
  readonly line: string
}

const happened: Happened[] = []
const collections = new Map<string, Map<string, ApiObject>>()
const watchers = new Map<ServerResponse, string>()
let isAway = false

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://api')
  if (isAway) return void request.socket.destroy()
  response.writeHead(200, { 'Content-Type': 'application/json' })
  if (searchParams.get('watch') !== 'true') return void response.end(listing(pathname))
  const since = Number(searchParams.get('resourceVersion'))
  for (const { path, version, line } of happened)
    if (path === pathname && version > since) response.write(line)
  response.flushHeaders()
  watchers.set(response, pathname)
  response.on('close', () => watchers.delete(response))
})

const listing = (path: string): string =>
  JSON.stringify({
    metadata: { resourceVersion: `${happened.length}` },
    items: [...(collections.get(path)?.values() ?? [])],
  })

function carryOut(command: ApiCommand): void {
  switch (command.kind) {
    case 'away':
      isAway = command.isAway
      if (isAway) server.closeAllConnections()
      return
    case 'set':
    case 'delete':
      return change(command)
  }
}

function change({ kind, path, object }: Extract<ApiCommand, { object: ApiObject }>): void {
  const { namespace = '', name } = object.metadata
  const objects = collections.get(path) ?? new Map<string, ApiObject>()
  collections.set(path, objects)
  if (kind === 'set') objects.set(`${namespace}/${name}`, object)
  else objects.delete(`${namespace}/${name}`)
  const version = happened.length + 1
  const metadata = { ...object.metadata, resourceVersion: `${version}` }
  const event = { type: kind === 'set' ? 'MODIFIED' : 'DELETED', object: { ...object, metadata } }
  happened.push({ path, version, line: `${JSON.stringify(event)}\n` })
  for (const [response, watched] of watchers) if (watched === path) response.write(happened.at(-1)!.line)
}

server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log('listening'))
for await (const line of createInterface({ input: process.stdin })) {
  carryOut(JSON.parse(line) as ApiCommand)
  console.log('done')
}
process.exit()
