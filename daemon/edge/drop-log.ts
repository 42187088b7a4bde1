import type { Reply } from '../../cni/core/netlink/message.ts'
import { bindLog, parseLogged } from '../../cni/core/netlink/nflog.ts'
import { isErrno, Netlink, PROTOCOL } from '../../cni/edge/netlink.ts'
import { CniError, messageOf } from '../../cni/spec/error.ts'
import type { Log } from '../core/log.ts'
import { type DroppedPacket, parseDropped } from '../core/policy/dropped-packet.ts'
import { LOG_GROUP } from '../core/policy/rule-set.ts'

/** How often to look: a line of the log may be so late. In between the socket has room for some hundred packets. */
const EVERY_MS = 250
/** Of each packet: IPv6's header is 40, TCP's as far as its flags 14, and rarely there are headers between. */
const BYTES = 128

/**
 * Tells of packets that rules made with `log` drop, in the namespace that the process is in now, until it is disposed of.
 * It is a sample: the rules tell of ten a second in each direction, after a burst of twenty. The process does not live on
 * for it. Throws when somebody else listens to the group.
 */
export function listenToDrops(told: (packet: DroppedPacket) => void, log: Log): Disposable {
  const netlink = bind()
  const timer = setInterval(() => {
    try {
      tellAll(netlink, told, log)
    } catch (error) {
      clearInterval(timer)
      log.warn({}, `Cannot hear of packets that NetworkPolicies drop any more: ${messageOf(error)}`)
    }
  }, EVERY_MS)
  timer.unref()
  return {
    [Symbol.dispose]() {
      clearInterval(timer)
      netlink[Symbol.dispose]()
    },
  }
}

function bind(): Netlink {
  const netlink = new Netlink(PROTOCOL.netfilter)
  try {
    netlink.request(bindLog(LOG_GROUP, BYTES))
    return netlink
  } catch (error) {
    netlink[Symbol.dispose]()
    const reason = isErrno(error, 'EPERM')
      ? `somebody else listens to group ${LOG_GROUP} of NFLOG; see /proc/net/netfilter/nfnetlink_log`
      : messageOf(error)
    throw new CniError('netlink', `Cannot listen to packets that NetworkPolicies drop: ${reason}`, {
      cause: error,
    })
  }
}

/** Tells of all that has come until now. */
function tellAll(netlink: Netlink, told: (packet: DroppedPacket) => void, log: Log): void {
  for (;;) {
    const replies = receive(netlink, log)
    if (replies.length === 0) return
    for (const packet of replies.flatMap(reply => read(reply) ?? [])) told(packet)
  }
}

function receive(netlink: Netlink, log: Log): Reply[] {
  try {
    return netlink.told()
  } catch (error) {
    if (!isErrno(error, 'ENOBUFS')) throw error
    log.warn(
      {},
      'Lost some of the packets that NetworkPolicies dropped: more came than could be read in time',
    )
    return receive(netlink, log)
  }
}

function read(reply: Reply): DroppedPacket | undefined {
  const logged = parseLogged(reply)
  return logged && parseDropped(logged)
}
