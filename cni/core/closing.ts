import { bytesOf, type Ip } from '../../ipam/core/ip.ts'
import { asComment, createElements, deleteElements, type Element } from './netlink/element.ts'
import type { Request } from './netlink/message.ts'
import type { SetShape } from './netlink/set.ts'
import type { Attached } from './pod.ts'

/*
 * What the plugin does to the policies' part of table `inet podwire`, which is podwired's, when podwired is not there: it
 * takes an address out of all sets, and closes a pod. daemon/core/policy/README.md draws what they are for.
 */

const PREFIX = 'policy-'
/** The MACs of pods that may send by their own addresses alone. Whoever has another MAC is not asked: it may have any. */
export const MACS_SET = `${PREFIX}macs`

/** Whether pods come and go in a set with their addresses; in sets of ranges they do not. */
export const hasPods = ({ name, isOfRanges, version }: SetShape): boolean =>
  name.startsWith(PREFIX) && !isOfRanges && version !== undefined

/** An element of a set. */
export interface Place {
  readonly set: string
  readonly key: Uint8Array
}

/** Takes elements out of their sets; refused with ENOENT when one is not there. */
export const removal = (places: readonly Place[]): Request[] =>
  [...Map.groupBy(places, ({ set }) => set)].flatMap(([set, own]) =>
    deleteElements(
      set,
      own.map(({ key }) => key),
    ),
  )

/**
 * Closes a pod in both directions, but to itself; nothing of its addresses may be in the sets. Refused with ENOENT when
 * the policies' maps and chains are not there.
 */
export const closing = (pod: Attached): Request[] =>
  pod.addresses.flatMap(ip => closingOf(ip, asComment(`${pod.namespace}/${pod.name}`)))

function closingOf(ip: Ip, comment: string): Request[] {
  const { version } = ip.family
  const key = bytesOf(ip)
  const add = (set: string, element: Partial<Element>): Request[] =>
    createElements(`${PREFIX}${set}${version}`, [{ key, data: undefined, comment: undefined, ...element }])
  return [
    ...(['ingress', 'egress'] as const).flatMap(direction => [
      ...add(direction, { data: { kind: 'goto', chain: `${PREFIX}drop-${direction}` }, comment }),
      ...add(`dropped-${direction}`, {}),
    ]),
    ...add('self', { key: Uint8Array.of(...key, ...key) }),
  ]
}
