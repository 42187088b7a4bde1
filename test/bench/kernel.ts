import type { Stage } from './stage.ts'
import { gatewayOf, type Network } from './system.ts'

/** A bridge that no plugin has made, for links that the runner makes itself. */
export function addBridge(stage: Stage, place: number): Network {
  const network: Network = { name: 'kernel', place, wish: 'plain' }
  stage.command('ip', 'link', 'add', network.name, 'up', 'type', 'bridge')
  stage.command('ip', 'address', 'add', `${gatewayOf(network)}/16`, 'dev', network.name)
  return network
}
