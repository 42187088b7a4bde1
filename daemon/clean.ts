import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../cni/spec/error.ts'
import { formatIp } from '../ipam/core/ip.ts'
import { retryMs } from './core/backoff.ts'
import type { Log } from './core/log.ts'
import type { Command, Options } from './core/options.ts'
import { plain, serve } from './edge/http.ts'
import { formerSysctls, STATE_DIR } from './edge/state.ts'
import { pluginWorld } from './edge/world.ts'
import { uninstall } from './uninstall.ts'

/**
 * `podwired uninstall`: takes everything off the node and returns the exit code. With `wait` it tries until all is gone,
 * then says so at /readyz until the signal: so a DaemonSet that runs it is rolled out when every node is clean.
 */
export async function clean(
  { wait, options }: Extract<Command, { kind: 'uninstall' }>,
  log: Log,
  signal: AbortSignal,
): Promise<number> {
  if (!wait) return (await attempt(options, log)) ? 0 : 1
  let isClean = false
  const pages = {
    '/healthz': () => plain(200, 'alive\n'),
    '/readyz': () => plain(isClean ? 200 : 503, isClean ? 'this node is clean\n' : 'not clean yet\n'),
  }
  using _ = serve({ address: formatIp(options.listenAddress), port: options.listenPort, pages, log })
  for (let failures = 1; !isClean && !signal.aborted; failures += 1) {
    isClean = await attempt(options, log)
    if (!isClean) await sleep(retryMs(failures), undefined, { signal }).catch(() => {})
  }
  if (!signal.aborted) await once(signal, 'abort')
  return isClean ? 0 : 1
}

async function attempt({ cniBinDir, cniConfDir, sysctlDir }: Options, log: Log): Promise<boolean> {
  try {
    const sysctls = { folder: sysctlDir, former: formerSysctls() }
    await uninstall({ cniBinDir, cniConfDir, sysctls, stateDir: STATE_DIR, world: pluginWorld(log), log })
    log.info({}, 'Podwire is off this node')
    return true
  } catch (error) {
    log.error({}, messageOf(error))
    return false
  }
}
