import type { Cidr, Ip } from '../../ipam/core/ip.ts'

/** What an ADD answers, in the shape of version 1.1.0 with addresses parsed (SPEC 1.1.0, section 5). */
export interface Result {
  readonly interfaces: readonly ResultInterface[]
  readonly ips: readonly ResultIp[]
  readonly routes: readonly Route[]
  readonly dns: Dns
}

export interface ResultInterface {
  readonly name: string
  readonly mac?: string
  /** Bytes. */
  readonly mtu?: number
  /** The path of the namespace it is in; absent for one on the node itself. */
  readonly sandbox?: string
}

export interface ResultIp {
  readonly address: Cidr
  readonly gateway?: Ip
  /** Its interface, as an index into `interfaces`. */
  readonly interface?: number
}

export interface Route {
  readonly dst: Cidr
  /** The next hop; absent means the gateway of the address of the same family. */
  readonly gw?: Ip
  readonly mtu?: number
  readonly advmss?: number
  readonly priority?: number
  readonly table?: number
  readonly scope?: number
}

export interface Dns {
  readonly nameservers?: readonly string[]
  readonly domain?: string
  readonly search?: readonly string[]
  readonly options?: readonly string[]
}

export const EMPTY_RESULT: Result = { interfaces: [], ips: [], routes: [], dns: {} }
