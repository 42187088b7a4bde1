/** How long a test waits for something that others do, in milliseconds. */
const DEADLINE = 10_000
const PAUSE = 20

/** How patiently to wait, in milliseconds; DEADLINE and PAUSE unless told. */
export interface Patience {
  readonly deadline?: number
  readonly pause?: number
}

/**
 * Asks until the answer is neither false nor empty nor an error; throws what was said last when the deadline has passed.
 * Empty counts as none because containerd 1.6 under load loses the output of an exec now and then.
 */
export async function until<T>(
  what: string,
  ask: () => Promise<T | false>,
  { deadline = DEADLINE, pause = PAUSE }: Patience = {},
): Promise<T> {
  const end = performance.now() + deadline
  for (;;) {
    const answer = await ask().catch((error: unknown) => error as Error)
    if (answer !== false && answer !== '' && !(answer instanceof Error)) return answer
    if (performance.now() > end) throw new Error(`Gave up waiting for ${what}`, { cause: answer })
    await new Promise(resolve => setTimeout(resolve, pause))
  }
}
