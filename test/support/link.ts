import type { Link } from '../../cni/core/netlink/link.ts'

/** A veth's end that is down, in no bridge and nobody's; a test says what is different. */
export const LINK: Link = {
  index: 1,
  name: 'veth0',
  flags: 0,
  mac: undefined,
  mtu: 1500,
  kind: 'veth',
  alias: undefined,
  master: undefined,
  peer: undefined,
  hairpin: false,
  isolated: false,
  locked: undefined,
  vlanFiltering: false,
}
