import { readGolden } from './golden.ts'

/*
 * test/golden/netlink.json: what `ip`, `bridge` and `tc` of iproute2 6.1 and `nft` 1.0.6 sent to a Linux 6.18, and what it answered, recorded
 * with strace; and what it told, through rules with `log`, whoever is bound to their group. The requests' sequence number
 * is 1.
 */
const RECORD = JSON.parse(readGolden('netlink.json')) as Record<
  'requests' | 'replies',
  Record<string, string>
>

const bytes = (side: 'requests' | 'replies', key: string): Uint8Array =>
  Uint8Array.fromHex(RECORD[side][key] as string)

/** Hex digits that are written in groups, as one. */
export const joined = (groups: string): string => groups.replaceAll(' ', '')

/** What the command sent. */
export const request = (command: string): Uint8Array => bytes('requests', command)
/** The datagram that answered the command. */
export const reply = (command: string): Uint8Array => bytes('replies', command)
