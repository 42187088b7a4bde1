import { concat, parseAttrs, readText, u8 } from './attr.ts'
import { FLAG, type Reply, type Request } from './message.ts'
import { be32, header, SUBSYSTEM } from './nfnetlink.ts'

/*
 * Packets that rules with `log group GROUP` tell of (include/uapi/linux/netfilter/nfnetlink_log.h). The kernel hands them
 * to the one socket of the namespace that is bound to the group; as long as there is none, such a rule does nothing.
 */

const PACKET = 0
const CONFIG = 1
const SETTING = { command: 1, mode: 2, timeout: 4 } as const
const BIND = 1
const COPY_PACKET = 2
const LOGGED = { payload: 9, prefix: 10 } as const

/** How long the kernel gathers packets for one datagram, in hundredths of a second. */
const GATHERED_FOR = 10

/** What a rule has told of a packet. */
export interface LoggedPacket {
  /** The rule's `log prefix`; empty when it has none. */
  readonly prefix: string
  /** The packet's first bytes, from its IP header on. */
  readonly payload: Uint8Array
}

/** Has a group's packets told to the socket that asks, so many bytes of each; EPERM when another one is bound to it. */
export const bindLog = (group: number, bytes: number): Request => ({
  type: (SUBSYSTEM.log << 8) | CONFIG,
  flags: FLAG.ack,
  header: header(0, group),
  attrs: [
    [SETTING.command, u8(BIND)],
    // struct nfulnl_msg_config_mode: its last byte is a pad.
    [SETTING.mode, concat([be32(bytes), u8(COPY_PACKET), u8(0)])],
    [SETTING.timeout, be32(GATHERED_FOR)],
  ],
})

/** The packet in a message; undefined for a message about anything else. */
export function parseLogged({ type, body }: Reply): LoggedPacket | undefined {
  if (type !== ((SUBSYSTEM.log << 8) | PACKET)) return undefined
  const attrs = parseAttrs(body.subarray(4))
  const payload = attrs.get(LOGGED.payload)
  return payload && { prefix: readText(attrs.get(LOGGED.prefix)) ?? '', payload }
}
