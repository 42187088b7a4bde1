import type { Family } from '../../../ipam/core/ip.ts'
import { parseAttrs, viewOf } from './attr.ts'
import { IFLA } from './link-header.ts'

// include/uapi/linux/if_link.h: where a link's attribute IFLA_AF_SPEC has the settings of each family
const [AF_INET, IFLA_INET_CONF] = [2, 1]
const [AF_INET6, IFLA_INET6_CONF] = [10, 2]
// include/uapi/linux/ip.h counts IPv4's from 1, ipv6.h IPv6's from 0
const IPV4_DEVCONF = { forwarding: 1, sendRedirects: 6 } as const
const DEVCONF = { forwarding: 0 } as const

/** Settings of an interface that the kernel shows with its link; those of /proc/sys/net/ipv4/conf/NAME and ipv6. */
export interface Settings {
  readonly forwarding: Readonly<Record<Family['version'], boolean>>
  /** `send_redirects` */
  readonly redirects: boolean
}

/** What a kernel does that has set up nothing; each is then worth setting. */
export const UNSET: Settings = { forwarding: { 4: false, 6: false }, redirects: true }

/** Reads the settings in the body of an RTM_NEWLINK; what is not in it counts as {@link UNSET}. */
export function parseSettings(body: Uint8Array): Settings {
  const families = parseAttrs(parseAttrs(body.subarray(16)).get(IFLA.afSpec) ?? new Uint8Array())
  const at = (family: number, attr: number, index: number): number | undefined => {
    const values = parseAttrs(families.get(family) ?? new Uint8Array()).get(attr)
    return values === undefined || values.length < 4 * index + 4
      ? undefined
      : viewOf(values).getInt32(4 * index, true)
  }
  return {
    forwarding: {
      4: at(AF_INET, IFLA_INET_CONF, IPV4_DEVCONF.forwarding - 1) === 1,
      6: at(AF_INET6, IFLA_INET6_CONF, DEVCONF.forwarding) === 1,
    },
    redirects: at(AF_INET, IFLA_INET_CONF, IPV4_DEVCONF.sendRedirects - 1) !== 0,
  }
}
