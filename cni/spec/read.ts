import { CniError } from './error.ts'

/** Any JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject
/** A JSON object, not yet looked at. */
export interface JsonObject {
  readonly [key: string]: Json | undefined
}

const fail = (path: string, expected: string, value: Json): never => {
  throw new CniError('invalid-config', `Cannot use "${path}": expected ${expected}, got ${show(value)}`)
}

const show = (value: Json): string => {
  const text = JSON.stringify(value)
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}

/** Whether a JSON value is an object, arrays excluded. */
export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * A JSON object together with the path that leads to it, so that every complaint names the key.
 * A key that holds `null` counts as absent: runtimes send null for "nothing" (containernetworking/plugins#510).
 * All methods throw `invalid-config` when a value is there but is not what it should be.
 */
export class Reader {
  readonly #object: JsonObject
  readonly #path: string
  readonly #anyCase: boolean

  constructor(object: JsonObject, path = '', anyCase = false) {
    this.#object = object
    this.#path = path
    this.#anyCase = anyCase
  }

  /**
   * The same object, its own keys read as Go's encoding/json reads them: capitals do not matter. For what containerd
   * makes of Go structs without names for JSON (containerd/go-cni, types.go).
   */
  inAnyCase(): Reader {
    return new Reader(this.#object, this.#path, true)
  }

  /** The full name of a key, as in `ipam.ranges`. */
  path(key: string): string {
    return this.#path === '' ? key : `${this.#path}.${key}`
  }

  value(key: string): Json | undefined {
    if (Object.hasOwn(this.#object, key)) return this.#object[key] ?? undefined
    if (!this.#anyCase) return undefined
    const name = Object.keys(this.#object).find(other => other.toLowerCase() === key.toLowerCase())
    return name === undefined ? undefined : (this.#object[name] ?? undefined)
  }

  string(key: string): string | undefined {
    const value = this.value(key)
    return value === undefined || typeof value === 'string' ? value : fail(this.path(key), 'a string', value)
  }

  boolean(key: string): boolean | undefined {
    const value = this.value(key)
    return value === undefined || typeof value === 'boolean'
      ? value
      : fail(this.path(key), 'true or false', value)
  }

  integer(key: string, min: number, max: number): number | undefined {
    const value = this.value(key)
    if (value === undefined) return undefined
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
    return fail(this.path(key), `a whole number from ${min} to ${max}`, value)
  }

  /** The object under a key; an absent one reads as empty. */
  object(key: string): Reader {
    const value = this.value(key)
    if (value === undefined) return new Reader({}, this.path(key))
    return isObject(value) ? new Reader(value, this.path(key)) : fail(this.path(key), 'an object', value)
  }

  /** The items of a list, each through `parse(item, path)`; an absent list reads as undefined. */
  list<T>(key: string, parse: (item: Json, path: string) => T): T[] | undefined {
    const value = this.value(key)
    return value === undefined ? undefined : readList(value, this.path(key), parse)
  }

  /** A list of strings. */
  strings(key: string): string[] | undefined {
    return this.list(key, readString)
  }

  /** A list of objects. */
  objects(key: string): Reader[] | undefined {
    return this.list(key, readObject)
  }
}

/** Reads a JSON value as a list. */
export function readList<T>(value: Json, path: string, parse: (item: Json, path: string) => T): T[] {
  if (!Array.isArray(value)) return fail(path, 'a list', value)
  return (value as readonly Json[]).map((item, i) => parse(item, `${path}[${i}]`))
}

/** Reads a JSON value as a string. */
export function readString(value: Json, path: string): string {
  return typeof value === 'string' ? value : fail(path, 'a string', value)
}

/** Reads a JSON value as an object. */
export function readObject(value: Json, path: string): Reader {
  return isObject(value) ? new Reader(value, path) : fail(path, 'an object', value)
}
