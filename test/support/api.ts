import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createSecureServer, Server as SecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Certificate } from './certificate.ts'

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
  readonly port: number
  readonly asked: Asked[] = []
  /** The answers to come, first one first; the last one stays. */
  readonly answers: Answering[]

  private constructor(kubeconfig: string, port: number, answers: Answering[]) {
    this.kubeconfig = kubeconfig
    this.port = port
    this.answers = answers
  }

  /** A server without TLS. */
  static start(t: Teardown, ...answers: Answering[]): Promise<FakeApi> {
    return FakeApi.#start(t, createServer(), 'insecure-skip-tls-verify: true', answers)
  }

  /** One that shows a certificate; its kubeconfig trusts `authority`. */
  static startSecure(
    t: Teardown,
    certificate: Certificate,
    authority: string,
    ...answers: Answering[]
  ): Promise<FakeApi> {
    const trust = `certificate-authority-data: ${Buffer.from(authority).toString('base64')}`
    return FakeApi.#start(t, createSecureServer(certificate), trust, answers)
  }

  static async #start(t: Teardown, server: Server | SecureServer, trust: string, answers: Answering[]) {
    const scheme = server instanceof SecureServer ? 'https' : 'http'
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const folder = mkdtempSync('/tmp/podwire-api-')
    const api = new FakeApi(`${folder}/kubeconfig`, port, answers)
    writeFileSync(api.kubeconfig, kubeconfig(`${scheme}://127.0.0.1:${port}`, trust))
    server.on('request', (request: IncomingMessage, response: ServerResponse) =>
      api.#answer(request, response),
    )
    t.teardown(async () => {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
      rmSync(folder, { recursive: true })
    })
    return api
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname: path, searchParams: query } = new URL(request.url ?? '', 'http://api')
    const asked = { path, query, headers: request.headers }
    this.asked.push(asked)
    const answering = this.answers.length > 1 ? this.answers.shift() : this.answers[0]
    answering?.(asked, response)
  }
}

const kubeconfig = (server: string, trust: string): string => `
clusters: [{name: c, cluster: {server: "${server}", ${trust}}}]
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
