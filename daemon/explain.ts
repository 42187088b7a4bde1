import { type Collection, NAMESPACES, NETWORK_POLICIES, NODES, PODS } from './collections.ts'
import { formatAnswer, type Judged } from './core/policy/explain/answer.ts'
import { casesOf, type Told } from './core/policy/explain/ends.ts'
import { evaluate } from './core/policy/evaluate.ts'
import { explainKernel } from './core/policy/explain/kernel-answer.ts'
import { parsePolicyCommand, POLICY_HELP, type PolicyCommand } from './core/policy/explain/question.ts'
import { openApi } from './edge/kubernetes.ts'
import { listedTable } from './edge/listed-table.ts'
import { list, type ListOptions } from './list.ts'

/** What of the process it takes. */
export interface Asking {
  /** What follows `podwire policy`. */
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdout: (text: string) => void
  /** Is told of what nobody could read. */
  readonly log: ListOptions<unknown>['log']
}

/**
 * `podwire policy explain`: prints whether a connection may come about and why, and returns the exit code: 0 for
 * allowed, 1 for denied. Throws a sentence for people when it cannot tell.
 */
export async function explainPolicy(
  { argv, env, stdout, log }: Asking,
  signal: AbortSignal,
): Promise<number> {
  const command = parsePolicyCommand(argv, env)
  if (command.kind === 'help') {
    stdout(POLICY_HELP)
    return 0
  }
  const told = await ask(command, log, signal)
  const objects = { ...told, podCidrs: told.nodes.flatMap(({ podCidrs }) => podCidrs), attached: [] }
  const judged = casesOf(command.question, told).map((asked): Judged => {
    // No node in particular: what every one does with its own ends.
    const site = { node: '', unknownPods: 'closed' } as const
    return { asked, judgement: evaluate(objects, site, asked.packet) }
  })
  stdout(textOf(formatAnswer(judged)))
  if (command.kernel) {
    const where = { ...command, table: listedTable({ env }), pods: told.pods }
    stdout(`\n${textOf(await explainKernel(where, judged))}`)
  }
  return judged.every(({ judgement }) => judgement.isAllowed) ? 0 : 1
}

const textOf = (lines: readonly string[]): string => lines.map(line => `${line}\n`).join('')

/** All that decides, as the API server knows it now. */
async function ask(
  { kubeconfig }: Extract<PolicyCommand, { kind: 'explain' }>,
  log: Asking['log'],
  signal: AbortSignal,
): Promise<Told> {
  const api = openApi(kubeconfig)
  const all = async <T>(collection: Collection<T>): Promise<T[]> =>
    (await list({ ...collection, api, log }, signal)).items
  const [pods, namespaces, policies, nodes] = await Promise.all([
    all(PODS),
    all(NAMESPACES),
    all(NETWORK_POLICIES),
    all(NODES),
  ])
  return { pods, namespaces, policies, nodes }
}
