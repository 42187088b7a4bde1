import { rmSync } from 'node:fs'
import { inOwnNetns } from '../cni/edge/netns.ts'
import { messageOf } from '../cni/spec/error.ts'
import { parseCidr } from '../ipam/core/ip.ts'
import type { Calls } from './calls.ts'
import { pluginConfig } from './core/conflist.ts'
import type { Answer, Frame } from './core/frame.ts'
import type { Log } from './core/log.ts'
import { identify } from './edge/identify.ts'

const FOLDER = '/run/podwire/warm'
/** By then the compiler has seen what matters, as measured: later ADDs take no longer than the hundredth. */
const ROUNDS = 40

/**
 * Carries out ADD and DEL some times in namespaces of its own, so that the first pod is wired as fast as the hundredth.
 * Only for a daemon that does nothing else yet. What goes wrong here will go wrong again, and be told, with a pod.
 */
export async function warmUp(calls: Calls, log: Log): Promise<void> {
  try {
    await inOwnNetns(async path => {
      const ifnames = Array.from({ length: ROUNDS }, (_, i) => `eth${i}`)
      const call = (command: string, ifname: string): Promise<Answer> =>
        calls.carryOut(frameOf(command, path, ifname), () => true)
      for (const ifname of ifnames) explain(await call('ADD', ifname))
      const answers = await Promise.all(ifnames.map(ifname => call('DEL', ifname)))
      answers.forEach(explain)
    })
  } catch (error) {
    log.warn({}, `Cannot warm up: ${messageOf(error)}; the first pods will take some milliseconds longer`)
  } finally {
    rmSync(FOLDER, { recursive: true, force: true })
  }
}

function explain({ code, stdout }: Answer): void {
  if (code !== 0) throw new Error(stdout)
}

/** A call as the conflist leads to it, with addresses that nobody has (RFC 5737, RFC 3849). */
function frameOf(command: string, path: string, ifname: string): Frame {
  const podCidrs = ['192.0.2.0/24', '2001:db8::/64'].flatMap(text => parseCidr(text) ?? [])
  const config = pluginConfig({ podCidrs, mtu: 1500, portIsolation: true })
  const ipam = { ...(config['ipam'] as object), dataDir: FOLDER }
  return {
    program: 'podwire',
    env: { CNI_COMMAND: command, CNI_CONTAINERID: 'warm', CNI_NETNS: path, CNI_IFNAME: ifname },
    stdin: new TextEncoder().encode(JSON.stringify({ ...config, ipam })),
    mounts: 0n,
    netns: identify(path),
  }
}
