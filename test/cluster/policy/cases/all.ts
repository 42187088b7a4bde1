import type { Scene } from '../scene.ts'
import { blocks } from './blocks.ts'
import type { Case } from './case.ts'
import { ISOLATION } from './isolation.ts'
import { PEERS } from './peers.ts'
import { PORT_CASES } from './ports.ts'
import { UNIONS } from './unions.ts'

/** All cases of the truth table. */
export const allCases = (scene: Scene): Case[] => [
  ...ISOLATION,
  ...PEERS,
  ...blocks(scene),
  ...PORT_CASES,
  ...UNIONS,
]
