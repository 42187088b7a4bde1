import { formatIp, type Ip } from '../../../../ipam/core/ip.ts'
import type { Judged } from './answer.ts'
import { countersSet, SIDES, verdictMap } from '../base.ts'
import type { Decision } from '../evaluate.ts'
import type { Pod } from '../objects.ts'
import { type Step, type Table, walk, type Way } from './walk.ts'

/** Where the kernel is asked. */
export interface Where {
  readonly table: Table
  /** Undefined where nobody has told: then it is that of a pod whose address is in a map here. */
  readonly nodeName: string | undefined
  /** All pods; the daemon's own are among them. */
  readonly pods: readonly Pod[]
  /** The command that asks the same on another node. */
  readonly again: string
}

/** What the kernel of this node does with the packets, in lines, and where to ask about the ends on other nodes. */
export async function explainKernel(where: Where, judged: readonly Judged[]): Promise<string[]> {
  const here: string[] = []
  const elsewhere = new Set<string>()
  for (const each of judged) {
    const own = await ownDecisions(where, each)
    if (own.length > 0) here.push(...(await look(where, each, own)))
    for (const decision of each.judgement.decisions)
      if (!own.includes(decision)) elsewhere.add(referral(where, decision))
  }
  if (here.length + elsewhere.size === 0)
    return ['No node has rules for this: no end is a pod of the cluster']
  return [...here, ...elsewhere]
}

/** The address of the pod that a decision is about. */
const addressOf = ({ direction }: Decision, { asked: { packet } }: Judged): Ip =>
  SIDES[direction].pod === 'saddr' ? packet.source : packet.destination

/** Those of pods on this node, which has the rules for them. */
async function ownDecisions(where: Where, judged: Judged): Promise<Decision[]> {
  const { decisions } = judged.judgement
  const here = where.nodeName ?? (await nodeByMaps(where, judged))
  return decisions.filter(({ node }) => node === here)
}

/** The node of a pod that is isolated here; undefined when there is none. */
async function nodeByMaps({ table }: Where, judged: Judged): Promise<string | undefined> {
  for (const decision of judged.judgement.decisions) {
    const ip = addressOf(decision, judged)
    const found = await table.element(verdictMap(decision.direction, ip.family), formatIp(ip))
    if (found !== undefined) return decision.node
  }
  return undefined
}

async function look({ table }: Where, judged: Judged, own: readonly Decision[]): Promise<string[]> {
  const { packet } = judged.asked
  const { node } = own[0]!
  const title = `On this node, ${node}, IPv${packet.source.family.version}:`
  if (packet.receiver === node) return [title, '  what a node itself receives meets no rule']
  const way = await walk(table, { packet, isOwn: packet.sender === node })
  if (way === undefined)
    return [title, '  there are no rules for policies; see whether podwired runs and is in order']
  const counts: string[] = []
  for (const decision of own) counts.push(...(await countOf(table, decision, judged)))
  return [title, ...way.steps.flatMap(formatStep), ...counts, concludes(way, own)]
}

function formatStep(step: Step): string[] {
  if (step.kind === 'element') return [`  ${step.set} has ${step.found ?? `no ${step.key}`}`]
  const lines = step.text.trimEnd().split('\n')
  // The rules stand at the end of the chain, a line each; of a base chain the hook stands before them.
  const end = lines.lastIndexOf('\t}')
  return lines.map((line, i) => {
    const rule = i - (end - step.rules)
    const mark = rule === step.met ? '->' : step.unclear.includes(rule) ? ' ?' : '  '
    return mark + line
  })
}

/** What the pod has lost so far, whoever sent it. */
async function countOf(table: Table, decision: Decision, judged: Judged): Promise<string[]> {
  const { direction, pod } = decision
  const ip = addressOf(decision, judged)
  const found = await table.element(countersSet(direction, ip.family), formatIp(ip))
  const [, packets, bytes] = /counter packets (\d+) bytes (\d+)/.exec(found ?? '') ?? []
  if (packets === undefined) return []
  return [
    `  dropped so far for ${direction} of ${pod.namespace}/${pod.name}: ${packets} packets, ${bytes} bytes`,
  ]
}

/** The rules follow the API; when they do not, somebody is to know. */
function concludes({ isAllowed }: Way, own: readonly Decision[]): string {
  const isWanted = own.every(decision => decision.isAllowed)
  const does = isAllowed ? '  this node lets it pass' : '  this node drops it'
  if (isAllowed === isWanted) return does
  return `${does}, which is not what the API server says: podwired has not followed yet, or fails; see its log and /readyz`
}

/** The pods of the DaemonSet have this label (deploy/podwire.yaml). */
const LABEL = 'app.kubernetes.io/name'

function referral({ pods, again }: Where, { direction, pod, node }: Decision): string {
  const daemon = pods.find(each => each.node === node && each.labels.get(LABEL) === 'podwire')
  const command =
    daemon === undefined
      ? `${again} --node-name=${node}`
      : `kubectl exec -n ${daemon.namespace} ${daemon.name} -- ${again}`
  return `Node ${node} has the rules for ${direction} of ${pod.namespace}/${pod.name}; there: ${command}`
}
