import type { Step } from '../step.ts'
import { bandwidthSteps } from './bandwidth.ts'
import { bridgeSteps, gatewaySteps } from './bridge.ts'
import { interfaceSteps } from './interface.ts'
import { linkSteps } from './link.ts'
import { rulesSteps } from './rules.ts'
import type { Wish } from './wish.ts'

/**
 * Everything that wires one attachment, in the order in which it must happen.
 * The container's end comes up after the node's: then its first frame finds a port that forwards.
 */
export function plan(wish: Wish): Step[] {
  return [
    ...bridgeSteps(wish),
    ...gatewaySteps(wish),
    ...linkSteps(wish),
    ...bandwidthSteps(wish),
    ...(wish.config.containerUp ? interfaceSteps(wish) : []),
    ...rulesSteps(wish),
  ]
}
