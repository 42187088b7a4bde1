/** How many items come before the first that is not `early`, found by halving: sorted, all the early ones come first. */
export function countEarly<T>(items: readonly T[], isEarly: (item: T) => boolean): number {
  let [low, high] = [0, items.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (isEarly(items[middle]!)) low = middle + 1
    else high = middle
  }
  return low
}

/** Whether one of the ranges, which are sorted and do not touch, has the value in it. */
export function isWithin<T>(
  ranges: readonly T[],
  value: bigint | number,
  [firstOf, lastOf]: readonly [(range: T) => bigint | number, (range: T) => bigint | number],
): boolean {
  const range = ranges[countEarly(ranges, each => firstOf(each) <= value) - 1]
  return range !== undefined && value <= lastOf(range)
}
