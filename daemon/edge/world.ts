import { WITHOUT_DAEMON } from '../../cni/edge/policies.ts'
import { removeLink } from '../../cni/edge/site.ts'
import { PROC_SYS } from '../../cni/edge/sysctl.ts'
import { appendTrace } from '../../cni/edge/trace-file.ts'
import type { World } from '../../cni/spec/world.ts'
import type { Log } from '../core/log.ts'

/**
 * The world of the plugin's code where the daemon itself calls it: no call of a runtime's, so no CNI variables, no
 * config on standard input, and nobody who reads an answer. What the code says to people goes to the log.
 */
export function pluginWorld(
  log: Log,
  sysctls = PROC_SYS,
  remove: World['removeLink'] = removeLink,
  policies = WITHOUT_DAEMON,
): World {
  return {
    program: 'podwired',
    argv: [],
    // PATH is where nft is looked for.
    env: { PATH: process.env['PATH'] },
    sysctls,
    policies,
    stdin: async () => new Uint8Array(),
    stdout: () => {},
    stderr: line => log.warn({}, line),
    append: appendTrace,
    now: () => performance.now(),
    removeLink: remove,
  }
}
