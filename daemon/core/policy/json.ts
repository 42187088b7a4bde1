import { isObject, type Json } from '../../../cni/spec/read.ts'
import { type Protocol, PROTOCOLS } from '../../../cni/core/netlink/field.ts'
import { isObjectName } from '../../../cni/core/pod.ts'

/** What an object of the API has under a key; null counts as absent, as it does for the API server. */
export const at = (value: unknown, key: string): unknown =>
  isObject(value as Json) && Object.hasOwn(value as object, key)
    ? ((value as { readonly [key: string]: unknown })[key] ?? undefined)
    : undefined

/** A list; anything else has no items. */
export const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

export const text = (value: unknown): string => (typeof value === 'string' ? value : '')

/** The entries of an object whose values are strings: labels and annotations. */
export const strings = (value: unknown): ReadonlyMap<string, string> =>
  new Map(
    Object.entries(isObject(value as Json) ? (value as object) : {}).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    ),
  )

/** A value as a message shows it. */
export const show = (value: unknown): string => (JSON.stringify(value) ?? 'undefined').slice(0, 80)

/** `metadata.name`, or another name there. Throws when it is none: then nobody could say what the object is. */
export function readName(json: unknown, kind: string, key = 'name'): string {
  const name = text(at(at(json, 'metadata'), key))
  if (!isObjectName(name)) throw new Error(`Cannot read a ${kind} object: it has no proper metadata.${key}`)
  return name
}

/** A protocol of the API; TCP when absent, undefined for what is none. */
export function parseProtocol(value: unknown): Protocol | undefined {
  const names = Object.keys(PROTOCOLS) as readonly Protocol[]
  return value === undefined ? 'tcp' : names.find(name => name.toUpperCase() === value)
}

/** A port's number. */
export const isPort = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 65535
