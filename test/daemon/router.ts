import ffi from 'node:ffi'
import { closeSync } from 'node:fs'
import { Netns } from '../../cni/edge/netns.ts'
import type { NetnsPath } from '../../cni/spec/environment.ts'

const C = ffi.dlopen(null, {
  socket: { return: 'int32', arguments: ['int32', 'int32', 'int32'] },
  setsockopt: { return: 'int32', arguments: ['int32', 'int32', 'int32', 'buffer', 'uint32'] },
  sendto: { return: 'int64', arguments: ['int32', 'buffer', 'uint64', 'int32', 'buffer', 'uint32'] },
}).functions

const AF_INET6 = 10
const SOCK_RAW = 3
const IPPROTO_IPV6 = 41
const IPPROTO_ICMPV6 = 58
const IPV6_MULTICAST_HOPS = 18

/** RFC 4861, section 4.2: type 134, a hop limit of 64, a router for half an hour. The kernel fills in the checksum. */
const ADVERTISEMENT = Buffer.from([134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0])

/** struct sockaddr_in6 of ff02::1, all nodes, on an interface. */
function allNodes(index: number): Buffer {
  const address = Buffer.alloc(28)
  address.writeUInt16LE(AF_INET6, 0)
  address.set([0xff, 0x02], 8)
  address[23] = 1
  address.writeUInt32LE(index, 24)
  return address
}

/** Sends a router advertisement from a namespace, through one of its interfaces. */
export function advertise(path: string, index: number): void {
  using netns = Netns.open(path as NetnsPath, false)
  const fd = netns.run(() => C.socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6))
  try {
    // Advertisements count only when no router can have passed them on.
    C.setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, Buffer.from(Int32Array.of(255).buffer), 4)
    const address = allNodes(index)
    const sent = C.sendto(fd, ADVERTISEMENT, BigInt(ADVERTISEMENT.length), 0, address, address.length)
    if (Number(sent) < 0) throw new Error('Cannot send a router advertisement')
  } finally {
    closeSync(fd)
  }
}
