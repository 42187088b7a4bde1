/** The same items in a random order: what one leaves behind for the next then hits all of them alike. */
export function shuffle<T>(items: readonly T[], random: () => number = Math.random): T[] {
  const rest = [...items]
  return items.map(() => rest.splice(Math.floor(random() * rest.length), 1)[0] as T)
}
