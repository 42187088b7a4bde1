import { formatIp } from '../../../../ipam/core/ip.ts'
import type { Case, End } from './ends.ts'
import type { Decision, Judgement } from '../evaluate.ts'
import { explain } from './explain.ts'

/** A case and what the API says about it. */
export interface Judged {
  readonly asked: Case
  readonly judgement: Judgement
}

/** The answer in lines: of each family by itself, or once when all are alike. */
export function formatAnswer(judged: readonly Judged[]): string[] {
  const reasons = judged.map(({ asked, judgement }) => linesOf(asked, judgement))
  const [first = []] = reasons
  if (reasons.every(lines => lines.join('\n') === first.join('\n'))) return block('', judged, first)
  return judged.flatMap((each, i) =>
    block(`IPv${each.asked.packet.source.family.version}: `, [each], reasons[i]!),
  )
}

function block(title: string, judged: readonly Judged[], [verdict, ...reasons]: readonly string[]): string[] {
  const { source, destination, packet } = judged[0]!.asked
  const ends = ['source', 'destination'] as const
  const [from, to] = ends.map(end => judged.map(({ asked }) => formatIp(asked.packet[end])).join(', '))
  const what = `${packet.protocol.toUpperCase()} from ${who(source, from!)} to ${who(destination, to!)}, port ${packet.port}`
  return [`${title}${verdict}`, what, ...reasons.map(line => `  ${line}`)]
}

/** An end with the addresses that the packets have for it. */
function who({ pod, node }: End, addresses: string): string {
  if (pod !== undefined) return `${pod.namespace}/${pod.name} (${addresses})`
  return node === undefined ? addresses : `node ${node} (${addresses})`
}

/** The verdict, then the reasons. */
const linesOf = ({ source, destination, packet }: Case, judgement: Judgement): string[] => [
  ...explain(judgement),
  ...judgement.decisions.flatMap(problemsOf),
  ...[source, destination].flatMap(onHost),
  ...(isStranger(destination, 'ingress', judgement)
    ? [
        `${formatIp(packet.destination)} is no address of a pod or node; of a Service ask for the pods behind it, as policies do`,
      ]
    : []),
]

/** A policy may deny because a part of it is not understood. */
const problemsOf = ({ reason }: Decision): string[] =>
  reason.kind === 'isolated'
    ? reason.policies.flatMap(({ namespace, name, problems }) =>
        problems.map(problem => `in ${namespace}/${name}: ${problem}`),
      )
    : []

const onHost = ({ pod, node }: End): string[] =>
  pod === undefined || node === undefined
    ? []
    : [
        `${pod.namespace}/${pod.name} is on the host's network: no policy is for it, and others see node ${node}`,
      ]

const isStranger = ({ node }: End, direction: Decision['direction'], { decisions }: Judgement): boolean =>
  node === undefined && !decisions.some(decision => decision.direction === direction)
