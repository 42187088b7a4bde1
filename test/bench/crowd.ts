import type { ControlPlane } from './control-plane.ts'
import { addressesAt, conditionsAt, nodeName, nodeObject, type Place } from './node-object.ts'

const NODES = '/api/v1/nodes'
/** Requests at a time. */
const WORKERS = 16

/** Does something for each number below this, several at a time. */
export async function forEach(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const goOn = async (): Promise<void> => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: WORKERS }, goOn))
}

/** The nodes of a cluster, as far as the API server can tell: nothing runs on them. */
export class Crowd {
  readonly #plane: ControlPlane

  constructor(plane: ControlPlane) {
    this.#plane = plane
  }

  /** Registers the nodes from place 0 on. */
  gather(size: number): Promise<void> {
    return forEach(size, place => this.add(place))
  }

  add(place: Place): Promise<string> {
    return this.#plane.send('POST', NODES, nodeObject(place))
  }

  remove(place: Place): Promise<string> {
    return this.#plane.send('DELETE', `${NODES}/${nodeName(place)}`)
  }

  /** Gives a node the InternalIP of another place. */
  move(place: Place, to: Place): Promise<string> {
    return this.#status(place, { addresses: addressesAt(place, to) })
  }

  /** What a kubelet does every five minutes when nothing happens. */
  beat(place: Place, beat: number): Promise<string> {
    return this.#status(place, { conditions: conditionsAt(beat) })
  }

  #status(place: Place, status: object): Promise<string> {
    return this.#plane.send('PATCH', `${NODES}/${nodeName(place)}/status`, { status })
  }
}
