import { addressStatus } from './addresses.ts'
import { hasRules, parsePluginConfig } from './core/config.ts'
import { observeNode } from './edge/observe.ts'
import { probeKernel } from './edge/probe.ts'
import { Site } from './edge/site.ts'
import { CniError, messageOf } from './spec/error.ts'
import type { Call } from './spec/plugin.ts'

/** STATUS: silent when an ADD would find all it needs; else `not-available` with the reason. */
export async function status(call: Call): Promise<void> {
  const config = parsePluginConfig(call.config, new Map())
  try {
    using host = new Site()
    const node = observeNode(host, config)
    await probeKernel(call.world, config, node, hasRules(call.config))
  } catch (error) {
    throw new CniError('not-available', messageOf(error), { cause: error })
  }
  if (config.ipam !== undefined) await addressStatus(call, config.ipam)
}
