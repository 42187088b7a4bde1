/** Whether two values of plain data are the same: primitives, objects, arrays and maps, whose order does not matter. */
export function areEqual(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false
  if (Array.isArray(one) && Array.isArray(other))
    return one.length === other.length && one.every((value, i) => areEqual(value, other[i]))
  if (one instanceof Map && other instanceof Map) return haveSame(one, other)
  const [entries, others] = [Object.entries(one), other as { readonly [key: string]: unknown }]
  return (
    entries.length === Object.keys(other).length &&
    entries.every(([key, value]) => Object.hasOwn(other, key) && areEqual(value, others[key]))
  )
}

const haveSame = (one: ReadonlyMap<unknown, unknown>, other: ReadonlyMap<unknown, unknown>): boolean =>
  one.size === other.size &&
  one.entries().every(([key, value]) => other.has(key) && areEqual(value, other.get(key)))
