import type { Version } from './cluster.ts'
import { inPod, type Pod } from './pods.ts'
import type { Stage } from './stage.ts'

/** Where the bytes go; a folder and a port for each transfer. */
const PORT = 9000

/**
 * Random bytes on one TCP connection from pod to pod, some hundred kilobytes each second, from `start` to `end`. Both ends
 * keep all they see. A connection that breaks is not opened again: then the receiver has less.
 */
export class Transfer {
  readonly #stage: Stage
  readonly #from: Pod
  readonly #to: Pod
  readonly #name: string

  private constructor(stage: Stage, from: Pod, to: Pod, version: Version) {
    this.#stage = stage
    this.#from = from
    this.#to = to
    this.#name = `/tmp/${from.name}-${to.name}-${version}`
  }

  static async start(stage: Stage, from: Pod, to: Pod, version: Version): Promise<Transfer> {
    const transfer = new Transfer(stage, from, to, version)
    const name = transfer.#name
    const port = PORT + version
    const receive = `socat -u TCP${version}-LISTEN:${port},reuseaddr OPEN:${name},creat,trunc`
    const chunks = `while [ ! -e ${name}.stop ]; do head -c 4096 /dev/urandom; usleep 10000; done`
    const target = version === 6 ? `[${to.addresses[6]}]` : to.addresses[4]
    const send = `(${chunks}) | tee ${name} | socat -u - TCP:${target}:${port},retry=50,interval=0.1`
    await inPod(stage, to.name, inBackground(receive))
    await inPod(stage, from.name, inBackground(`rm -f ${name}.stop; ${send}`))
    await stage.until('the transfer to begin', async () => (await transfer.received()).size > 0)
    return transfer
  }

  /** What the receiver has so far. */
  received(): Promise<Heap> {
    return this.#heap(this.#to)
  }

  /** Ends the transfer; answers what was sent, and what has come when no more is to come. */
  async end(): Promise<{ readonly sent: Heap; readonly received: Heap }> {
    await inPod(this.#stage, this.#from.name, `touch ${this.#name}.stop`)
    await this.#stage.until('the receiver to have all', async () => {
      const said = await inPod(this.#stage, this.#to.name, `pgrep -f OPEN:${this.#name} || echo ended`)
      return said.trim() === 'ended'
    })
    return { sent: await this.#heap(this.#from), received: await this.received() }
  }

  async #heap({ name }: Pod): Promise<Heap> {
    const said = await inPod(this.#stage, name, `wc -c <${this.#name}; sha256sum <${this.#name}`)
    const [size, sum = ''] = said.split(/\s+/)
    return { size: Number(size), sum }
  }
}

/** Bytes, by their number and checksum. */
interface Heap {
  readonly size: number
  readonly sum: string
}

const inBackground = (script: string): string => `(${script}) >/dev/null 2>&1 </dev/null &`
