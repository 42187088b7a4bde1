/** Whether two values of plain data are the same: primitives, objects, arrays and maps, whose order does not matter. */
export function areEqual(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false
  if (one instanceof Map && other instanceof Map) return haveSame(one, other)
  return haveSame(new Map(Object.entries(one)), new Map(Object.entries(other)))
}

const haveSame = (one: ReadonlyMap<unknown, unknown>, other: ReadonlyMap<unknown, unknown>): boolean =>
  one.size === other.size &&
  one.entries().every(([key, value]) => other.has(key) && areEqual(value, other.get(key)))
