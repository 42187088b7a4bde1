import ffi from 'node:ffi'
import { closeSync } from 'node:fs'
import { errno, errnoName, libc } from '../../cni/edge/libc.ts'
import { Netns } from '../../cni/edge/netns.ts'
import type { NetnsPath } from '../../cni/spec/environment.ts'
import { bytesOf, IPV4 } from '../../ipam/core/ip.ts'
import { decodePacket, encodePacket, type RawPacket } from './packet.ts'

/*
 * Packets of a namespace without any process in it: sockets stay in the namespace where they were opened. What is sent is
 * on its way through all hooks, up to its receiver, by the time that the call returns, or very nearly so.
 */

const { functions } = ffi.dlopen(null, {
  sendto: { return: 'int64', arguments: ['int32', 'buffer', 'uint64', 'int32', 'buffer', 'uint32'] },
})

const AF_PACKET = 17
const SOCK = { dgram: 2, raw: 3, nonblock: 0o4000 } as const
const IPPROTO_RAW = 255
const SOL_SOCKET = 1
const SO_BROADCAST = 6
const SO_RCVBUFFORCE = 33
const ETHERTYPES = [0x0800, 0x86dd] as const
/** Bytes of packets, with what the kernel needs around them, that may wait to be looked at. */
const BUFFER = 32 << 20

/** Sends into a namespace's network, and sees all that comes in to it. */
export class RawSocket implements Disposable {
  readonly #senders: Readonly<Record<4 | 6, number>>
  readonly #framer: number
  readonly #receivers: readonly number[]

  constructor(path: string) {
    using netns = Netns.open(path as NetnsPath, true)
    const open = (...args: Parameters<ReturnType<typeof libc>['socket']>): number =>
      checked(netns.run(() => libc().socket(...args)))
    this.#senders = { 4: open(2, SOCK.raw, IPPROTO_RAW), 6: open(10, SOCK.raw, IPPROTO_RAW) }
    this.#framer = open(AF_PACKET, SOCK.raw, 0)
    this.#receivers = ETHERTYPES.map(type => open(AF_PACKET, SOCK.dgram | SOCK.nonblock, swapped(type)))
    for (const fd of this.#receivers) setOption(fd, SO_RCVBUFFORCE, BUFFER)
    setOption(this.#senders[4], SO_BROADCAST, 1)
  }

  /** Sends a packet; `link` is the index of the one to send it over, where its destination is link-local. */
  send(packet: RawPacket, link = 0): void {
    const [bytes, { destination }] = [encodePacket(packet), packet]
    const address =
      destination.family === IPV4
        ? Uint8Array.of(2, 0, 0, 0, ...bytesOf(destination), 0, 0, 0, 0, 0, 0, 0, 0)
        : Uint8Array.of(10, 0, 0, 0, 0, 0, 0, 0, ...bytesOf(destination), link, 0, 0, 0)
    sendTo(this.#senders[destination.family.version], bytes, address)
  }

  /** Sends a frame as it is over the link of this index. */
  sendFrame(frame: Uint8Array, link: number): void {
    // sockaddr_ll (packet(7))
    const address = Uint8Array.of(AF_PACKET, 0, 0, 0, link, 0, 0, 0, ...Array<number>(12).fill(0))
    sendTo(this.#framer, frame, address)
  }

  /** What has come in since the last time. */
  receive(): RawPacket[] {
    return this.#receivers.flatMap(fd => [...received(fd)].flatMap(bytes => decodePacket(bytes) ?? []))
  }

  [Symbol.dispose](): void {
    for (const fd of [...Object.values(this.#senders), this.#framer, ...this.#receivers]) closeSync(fd)
  }
}

const sendTo = (fd: number, bytes: Uint8Array, address: Uint8Array): void =>
  void checked(Number(functions.sendto(fd, bytes, BigInt(bytes.length), 0, address, address.length)))

function setOption(fd: number, name: number, value: number): void {
  const bytes = new Uint8Array(Int32Array.of(value).buffer)
  checked(libc().setsockopt(fd, SOL_SOCKET, name, bytes, bytes.length))
}

/** All that waits in a socket. */
function* received(fd: number): Iterable<Uint8Array> {
  for (;;) {
    const bytes = new Uint8Array(2048)
    const length = Number(libc().recv(fd, bytes, BigInt(bytes.length), 0))
    if (length < 0 && errnoName(errno()) === 'EAGAIN') return
    yield bytes.subarray(0, checked(length))
  }
}

const swapped = (type: number): number => ((type & 255) << 8) | (type >> 8)

function checked(result: number): number {
  if (result < 0) throw new Error(`Cannot use a raw socket: ${errnoName(errno())}`)
  return result
}
