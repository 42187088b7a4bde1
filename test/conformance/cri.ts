import { type ClientHttp2Session, connect } from 'node:http2'
import { connect as dial } from 'node:net'
import { encode, type Fields, Message } from './protobuf.ts'

const OK = '0'
const HEADER = 5

/** A pod as the kubelet asks for it. */
export interface PodSandbox {
  readonly name: string
  readonly cgroupParent: string
  readonly ports?: readonly { readonly container: number; readonly host: number }[]
}

interface Teardown {
  teardown(handler: () => void): void
}

/**
 * A client of the Container Runtime Interface, which is what the kubelet is: gRPC over a socket. Numbers are the
 * fields of k8s.io/cri-api, pkg/apis/runtime/v1/api.proto.
 */
export class Cri {
  readonly #session: ClientHttp2Session

  constructor(t: Teardown, socket: string) {
    this.#session = connect('http://localhost', { createConnection: () => dial(socket) })
    this.#session.on('error', () => {})
    t.teardown(() => this.#session.destroy())
  }

  /** Whether the runtime has what it needs to wire pods: the node's condition NetworkReady. */
  async isNetworkReady(): Promise<boolean> {
    const status = await this.#call('RuntimeService/Status', {})
    const conditions = status.message(1).messages(1)
    return conditions.some(condition => condition.text(1) === 'NetworkReady' && condition.number(2) === 1)
  }

  async hasImage(name: string): Promise<boolean> {
    const status = await this.#call('ImageService/ImageStatus', { 1: { 1: name } })
    return status.messages(1).length > 0
  }

  /** Starts a pod without containers; answers its id. */
  async runPodSandbox({ name, cgroupParent, ports = [] }: PodSandbox): Promise<string> {
    const config = {
      1: { 1: name, 2: `uid-of-${name}`, 3: 'default' },
      2: name,
      5: ports.map(({ container, host }) => ({ 2: container, 3: host })),
      8: { 1: cgroupParent },
    }
    return (await this.#call('RuntimeService/RunPodSandbox', { 1: config })).text(1)
  }

  /** The addresses that the runtime reports of a pod. */
  async podIps(id: string): Promise<string[]> {
    const network = (await this.#call('RuntimeService/PodSandboxStatus', { 1: id })).message(1).message(5)
    return [network.text(1), ...network.messages(2).map(more => more.text(1))]
  }

  async stopPodSandbox(id: string): Promise<void> {
    await this.#call('RuntimeService/StopPodSandbox', { 1: id })
  }

  async removePodSandbox(id: string): Promise<void> {
    await this.#call('RuntimeService/RemovePodSandbox', { 1: id })
  }

  async #call(method: string, fields: Fields): Promise<Message> {
    const message = encode(fields)
    const header = Buffer.alloc(HEADER)
    header.writeUInt32BE(message.length, 1)
    const stream = this.#session.request({
      ':method': 'POST',
      ':path': `/runtime.v1.${method}`,
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    let end: Readonly<Record<string, unknown>> = {}
    const take = (headers: Readonly<Record<string, unknown>>) => (end = { ...end, ...headers })
    stream.on('response', take).on('trailers', take)
    stream.end(Buffer.concat([header, message]))
    const answer = Buffer.concat(await Array.fromAsync<Buffer>(stream))
    if (end['grpc-status'] === OK) return new Message(answer.subarray(HEADER))
    throw new Error(`${method}: ${decodeURIComponent(String(end['grpc-message']))}`)
  }
}
