import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import type { Lab } from '../netns/lab.ts'

const PAGE = 'a page from a pod'
const SERVER = `require('node:http').createServer((_, response) => response.end('${PAGE}'))
  .listen(Number(process.argv[1]), () => console.log('ready'))`
const CLIENT = `fetch(process.argv[1], { signal: AbortSignal.timeout(2000) })
  .then(async response => console.log(await response.text()))`

interface Teardown {
  teardown(handler: () => Promise<void>): void
}

/** Serves a page in a namespace until the test ends. */
export async function serve(t: Teardown, lab: Lab, namespace: string, port: number): Promise<void> {
  const net = `--net=${lab.path(namespace)}`
  const server = spawn('nsenter', [net, process.execPath, '-e', SERVER, String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(async () => {
    server.kill()
    if (server.exitCode === null && server.signalCode === null) await once(server, 'close')
  })
  await once(server.stdout, 'data')
}

/** Whether a page comes from there, within two seconds. */
export async function answers(lab: Lab, from: string, url: string): Promise<boolean> {
  const net = `--net=${lab.path(from)}`
  const got = promisify(execFile)('nsenter', [net, process.execPath, '-e', CLIENT, url])
  return got.then(
    ({ stdout }) => stdout.trim() === PAGE,
    () => false,
  )
}
