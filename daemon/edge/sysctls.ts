import { getLinkByIndex, parseLink } from '../../cni/core/netlink/link.ts'
import { MAIN_TABLE } from '../../cni/core/netlink/route.ts'
import { isErrno } from '../../cni/edge/netlink.ts'
import { Site } from '../../cni/edge/site.ts'
import { IPV6 } from '../../ipam/core/ip.ts'

/** The names of the interfaces that `ip -6 route show default` names. Throws `netlink`. */
export function observeUplinks(): string[] {
  using site = new Site()
  const indexes = site
    .routes(IPV6)
    .filter(({ dst, table }) => dst.prefix === 0 && table === MAIN_TABLE)
    .flatMap(({ index }) => index ?? [])
  return [...new Set(indexes)].flatMap(index => nameOf(site, index))
}

/** None when the link is gone since. */
function nameOf(site: Site, index: number): string[] {
  try {
    const reply = site.netlink.request(getLinkByIndex(index))
    return reply === undefined ? [] : [parseLink(reply.body).name]
  } catch (error) {
    if (isErrno(error, 'ENODEV')) return []
    throw error
  }
}
