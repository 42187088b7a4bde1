import { execFileSync } from 'node:child_process'

const SCRIPT = `
  ip link add ifb0 type ifb
  tc qdisc add dev ifb0 root tbf rate 1mbit burst 10k latency 25ms
  tc qdisc add dev lo ingress
  tc filter add dev lo parent ffff: protocol all u32 match u32 0 0 action mirred egress redirect dev ifb0`

/** Why this kernel cannot limit what pods send and get; false when it can. */
export function whyNoLimits(): string | false {
  try {
    execFileSync('unshare', ['-n', 'sh', '-ec', SCRIPT], { stdio: 'pipe' })
    return false
  } catch {
    return 'the kernel limits no rates (ifb, sch_tbf, sch_ingress, cls_u32, act_mirred)'
  }
}
