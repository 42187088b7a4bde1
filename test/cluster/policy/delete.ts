import type { Stage } from '../stage.ts'

/** Deletes all policies of the tests, or those whose labels meet a selector too. */
export const deletePolicies = (stage: Stage, ...selectors: readonly string[]): Promise<string> =>
  stage.kubectl(
    'delete',
    'networkpolicies',
    '--all-namespaces',
    `--selector=${['test=podwire', ...selectors].join(',')}`,
  )
