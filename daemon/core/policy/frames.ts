/*
 * What the pods' bridge takes on itself, where br_netfilter is, is asked about if it is an IP packet. A frame with a tag of
 * VLAN 0, a priority alone (IEEE 802.1Q, 6.9), is none for br_netfilter, but for who gets it: the kernel takes away as many
 * such tags as there are. `bridge-nf-filter-vlan-tagged` would have br_netfilter look behind one tag, not behind two, and
 * on everybody's bridges into VLANs that are nobody's business. So such frames of containers are dropped.
 *
 * The rules have to be where bridges have theirs, in a table of another family. They are for all links that are called as
 * ours are: which bridge it is not every kernel can be asked (NFT_BRIDGE_META), and behind a veth nobody needs priorities.
 */

export const FRAMES_TABLE = 'bridge podwire'
const CHAIN = `${FRAMES_TABLE} policy-frames`

/** Loads the rules, whether or not they are there. */
export const framesScript = (): string =>
  [
    `add table ${FRAMES_TABLE}`,
    `add chain ${CHAIN} { type filter hook forward priority filter; policy accept; }`,
    `flush chain ${CHAIN}`,
    ...['8021q', '8021ad'].map(type => `add rule ${CHAIN} iifname "veth*" ether type ${type} vlan id 0 drop`),
    '',
  ].join('\n')
