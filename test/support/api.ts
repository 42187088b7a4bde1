import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What a request asks for. */
export interface Asked {
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
}

/** How a request is answered; a watch is one whose response stays open. */
export type Answering = (asked: Asked, response: ServerResponse) => void

interface Teardown {
  teardown(handler: () => void | Promise<void>): void
}

/** An API server of a test's own: real HTTP on loopback, answering as the test says, request by request. */
export class FakeApi {
  readonly kubeconfig: string
  readonly asked: Asked[] = []
  /** The answers to come, first one first; the last one stays. */
  readonly answers: Answering[]

  private constructor(kubeconfig: string, answers: Answering[]) {
    this.kubeconfig = kubeconfig
    this.answers = answers
  }

  static async start(t: Teardown, ...answers: Answering[]): Promise<FakeApi> {
    const folder = mkdtempSync('/tmp/podwire-api-')
    const api = new FakeApi(`${folder}/kubeconfig`, answers)
    const server = createServer((request, response) => {
      const { pathname: path, searchParams: query } = new URL(request.url ?? '', 'http://api')
      const asked = { path, query, headers: request.headers }
      api.asked.push(asked)
      const answering = api.answers.length > 1 ? api.answers.shift() : api.answers[0]
      answering?.(asked, response)
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    writeFileSync(api.kubeconfig, kubeconfig(`http://127.0.0.1:${port}`))
    t.teardown(async () => {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
      rmSync(folder, { recursive: true })
    })
    return api
  }
}

const kubeconfig = (server: string): string => `
clusters: [{name: c, cluster: {server: "${server}", insecure-skip-tls-verify: true}}]
users: [{name: u, user: {token: secret}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`

export const nodeObject = (name: string, version = '1', podCIDR = '10.244.1.0/24') => ({
  metadata: { name, resourceVersion: version },
  spec: { podCIDR },
})

/** Answers with JSON. */
export const answer =
  (body: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Answering =>
  (_, response) => {
    response.writeHead(status, { 'Content-Type': 'application/json', ...headers })
    response.end(JSON.stringify(body))
  }

/** Answers with a list, or a page of one. */
export const listOf = (objects: readonly unknown[], version = '10', next?: string): Answering =>
  answer({ items: objects, metadata: { resourceVersion: version, continue: next } })

/** Answers with the lines of a watch; `open` keeps it open after them. */
export const watchOf =
  (events: readonly (readonly [type: string, object: unknown])[], open = true): Answering =>
  (_, response) => {
    response.writeHead(200)
    response.flushHeaders()
    for (const [type, object] of events) response.write(`${JSON.stringify({ type, object })}\n`)
    if (!open) response.end()
  }
