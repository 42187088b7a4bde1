/*
 * `podwired uninstall` in a process of its own, so that it can run in the namespace of a lab's host. Its arguments are
 * the folders of plugins, configs and state; it prints what it says, and ends with 1 when it throws.
 */
import { messageOf } from '../../cni/spec/error.ts'
import { pluginWorld } from '../../daemon/edge/world.ts'
import { uninstall } from '../../daemon/uninstall.ts'
import { fakeLog } from '../support/log.ts'

const [cniBinDir = '', cniConfDir = '', stateDir = ''] = process.argv.slice(2)
const { log, lines } = fakeLog()
const sysctls = { folder: '/proc/sys', former: new Map() }
await uninstall({ cniBinDir, cniConfDir, sysctls, stateDir, world: pluginWorld(log), log }).catch(
  (error: unknown) => {
    lines.push(`thrown ${messageOf(error)}`)
    process.exitCode = 1
  },
)
process.stdout.write(lines.join('\n'))
