import type { Mac } from './mac.ts'
import { commentOf, fill, type Owner, script, spoofChain, TABLE } from './table.ts'

/** `macspoofchk`: drops frames that come out of a veth with a source MAC other than the container's. */
export function spoofCheckScript(owner: Owner, mac: Mac): string {
  const chain = spoofChain(owner.veth)
  return script([
    `add table ${TABLE}`,
    `add chain ${TABLE} ${chain} { type filter hook ingress device "${owner.veth}" priority -300; policy accept; }`,
    ...fill(chain, [`ether saddr != ${mac} drop comment "${commentOf(owner)}"`]),
  ])
}
