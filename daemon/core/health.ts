/** What the daemon keeps as it should be, in the order in which it comes about at a start. */
export const PARTS = [
  'api',
  'node',
  'install',
  'socket',
  'sysctls',
  'routes',
  'masquerade',
  'policy',
  'conflist',
  'sweep',
] as const

export type PartName = (typeof PARTS)[number]

/** How a part is; `since` is when it first failed, in milliseconds of a clock that only goes forward. */
export type Condition =
  | { readonly kind: 'waiting'; readonly reason: string }
  | { readonly kind: 'ok' }
  | { readonly kind: 'failing'; readonly reason: string; readonly since: number }

/** An answer to a probe: whether all is well, and the text that says why. */
export interface Report {
  readonly ok: boolean
  readonly text: string
}

/** How a part is before anything was tried. */
export const UNTRIED: Condition = { kind: 'waiting', reason: 'its turn has not come yet' }

/**
 * How long the API server may be away before the node counts as not ready. Pods are wired without it, and what it
 * would have said is at worst a route to a node that is just joining; a rolling API server is back within this time.
 */
const API_GRACE_MS = 120_000

/**
 * How long one round may take. Thousands of routes are a matter of seconds, a hung `nft` is ended well before; what
 * takes longer than this is stuck, and only a new process will help.
 */
const ROUND_LIMIT_MS = 300_000

/** How a part is after it failed: since when does not change while it goes on failing. */
export const failing = (before: Condition, reason: string, now: number): Condition => ({
  kind: 'failing',
  reason,
  since: before.kind === 'failing' ? before.since : now,
})

/**
 * Whether a part keeps the node from being ready. A failing sweep costs addresses, not connections; it never does.
 */
export function gates(part: PartName, condition: Condition, now: number): boolean {
  if (condition.kind === 'ok' || part === 'sweep') return false
  return part !== 'api' || condition.kind === 'waiting' || now - condition.since >= API_GRACE_MS
}

/**
 * The answer to `/readyz`: one line for each part, then the sum. `[+]` is in order, `[-]` keeps the node from being
 * ready, `[!]` is not in order but does not. `details` says more of parts that are in order.
 */
export function readiness(
  conditions: Readonly<Record<PartName, Condition>>,
  details: Readonly<Partial<Record<PartName, string>>>,
  now: number,
): Report {
  const gating = PARTS.filter(part => gates(part, conditions[part], now))
  const lines = PARTS.map(part => {
    const condition = conditions[part]
    const sign = condition.kind === 'ok' ? '+' : gating.includes(part) ? '-' : '!'
    return `[${sign}] ${part}: ${oneLine(describe(part, condition, details[part], now))}`
  })
  const ok = gating.length === 0
  return { ok, text: [...lines, ok ? 'ready' : `not ready: ${gating.join(', ')}`, ''].join('\n') }
}

function describe(part: PartName, condition: Condition, detail: string | undefined, now: number): string {
  switch (condition.kind) {
    case 'waiting':
      return `waiting: ${condition.reason}`
    case 'ok':
      return detail ?? 'in order'
    case 'failing': {
      const state = part === 'api' ? 'not heard from the API server' : 'failing'
      return `${state} for ${seconds(now - condition.since)}: ${condition.reason}`
    }
  }
}

/**
 * The answer to `/healthz`: alive as long as the reconcile loop ends its rounds. The next one is due `resyncMs` after
 * the last, at the latest.
 */
export function liveness(sinceRoundMs: number, resyncMs: number): Report {
  const ok = sinceRoundMs <= resyncMs + ROUND_LIMIT_MS
  const last = `the last round ended ${seconds(sinceRoundMs)} ago`
  return { ok, text: ok ? `alive: ${last}\n` : `stuck: ${last}, and one is due every ${seconds(resyncMs)}\n` }
}

export const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`

/** Errors carry what programs and servers said; whatever that is, it stays on its line. */
const oneLine = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ')
