import { once } from 'node:events'
import type { Log } from './core/log.ts'
import type { Options } from './core/options.ts'
import { Service } from './service.ts'

/** Serves calls until the signal and does nothing else: for machines that run containers without a cluster. */
export async function runPluginOnly({ sysctlDir }: Options, log: Log, signal: AbortSignal): Promise<void> {
  const service = new Service({ sysctlDir, isReady: () => true, called: () => {}, log })
  await service.warmUp()
  await service.reconcile()
  if (!signal.aborted) await once(signal, 'abort')
  await service.close()
}
