import { text } from './attr.ts'
import { FLAG, type Request } from './message.ts'

// include/uapi/linux/netfilter/nfnetlink.h, nf_tables.h, include/uapi/linux/netfilter.h
const SUBSYSTEM_NFTABLES = 10
const GET_RULE = 7
const NFTA_RULE = { table: 1, chain: 2 } as const
const NFPROTO_INET = 1

/** `nft list chain inet TABLE CHAIN`: a message for each rule, none when there is no such chain. */
export const dumpRules = (table: string, chain: string): Request => ({
  type: (SUBSYSTEM_NFTABLES << 8) | GET_RULE,
  flags: FLAG.dump,
  // struct nfgenmsg
  header: Uint8Array.of(NFPROTO_INET, 0, 0, 0),
  attrs: [
    [NFTA_RULE.table, text(table)],
    [NFTA_RULE.chain, text(chain)],
  ],
})
