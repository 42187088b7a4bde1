import { isObject, type Json } from '../../../cni/spec/read.ts'
import { at, show } from './json.ts'

const OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const

/** What labels have to meet. NotIn and DoesNotExist are met where the key is absent. */
export interface Requirement {
  readonly key: string
  readonly operator: (typeof OPERATORS)[number]
  /** Sorted; empty for Exists and DoesNotExist. */
  readonly values: readonly string[]
}

/** A LabelSelector of meta/v1: all of these; with none, it matches everything. */
export type Selector = readonly Requirement[]

/**
 * Reads a LabelSelector. A part that makes no sense is left out and named in `problems`: what is left matches more than
 * was meant, and it is for the caller to say whether that is the safe side. An absent selector reads as an empty one.
 */
export function parseSelector(json: unknown, path: string, problems: string[]): Selector {
  if (json === undefined) return []
  if (!isObject(json as Json)) {
    problems.push(`${path} ${show(json)} is no selector`)
    return []
  }
  return [
    ...parseLabels(at(json, 'matchLabels'), `${path}.matchLabels`, problems),
    ...parseExpressions(at(json, 'matchExpressions'), `${path}.matchExpressions`, problems),
  ]
}

function parseLabels(json: unknown = {}, path: string, problems: string[]): Selector {
  if (!isObject(json as Json)) {
    problems.push(`${path} ${show(json)} is no object`)
    return []
  }
  return Object.entries(json as object).flatMap(([key, value]: [string, unknown]) => {
    if (typeof value === 'string') return { key, operator: 'In', values: [value] }
    problems.push(`${path}.${key} ${show(value)} is no string`)
    return []
  })
}

function parseExpressions(json: unknown = [], path: string, problems: string[]): Selector {
  if (!Array.isArray(json)) {
    problems.push(`${path} ${show(json)} is no list`)
    return []
  }
  return json.flatMap((entry: unknown, i) => {
    const requirement = parseRequirement(entry)
    if (requirement === undefined) problems.push(`${path}[${i}] ${show(entry)} is no requirement`)
    return requirement ?? []
  })
}

function parseRequirement(json: unknown): Requirement | undefined {
  const [key, given, values] = [at(json, 'key'), at(json, 'operator'), at(json, 'values') ?? []]
  const operator = OPERATORS.find(name => name === given)
  if (typeof key !== 'string' || key === '' || operator === undefined || !isStrings(values)) return undefined
  const wantsValues = operator === 'In' || operator === 'NotIn'
  return values.length > 0 === wantsValues ? { key, operator, values: [...values].sort() } : undefined
}

const isStrings = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every(item => typeof item === 'string')
