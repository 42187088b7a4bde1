import type { Decision, Judgement, Reason } from '../evaluate.ts'
import type { Direction, NetworkPolicy } from '../network-policy.ts'

/** A judgement in sentences, for `podwire policy explain`: first the verdict, then what each end says. */
export const explain = ({ isAllowed, decisions }: Judgement): string[] => [
  isAllowed ? 'allowed' : 'denied',
  ...decisions.map(decision => explainDecision(decision)),
  ...(decisions.length === 0 ? ['no end is a pod that policies are for'] : []),
]

function explainDecision({ direction, pod, isAllowed, reason }: Decision): string {
  const end = `${direction} ${direction === 'egress' ? 'from' : 'to'} ${pod.namespace}/${pod.name}`
  return `${end} is ${isAllowed ? 'allowed' : 'denied'}: ${explainReason(reason, direction)}`
}

const nameOf = ({ namespace, name }: NetworkPolicy): string => `${namespace}/${name}`

function explainReason(reason: Reason, direction: Direction): string {
  switch (reason.kind) {
    case 'not-isolated':
      return `no policy isolates the pod for ${direction}`
    case 'self':
      return 'a pod reaches itself'
    case 'own-node':
      return 'a pod and its own node always reach each other'
    case 'discovery':
      return 'neighbour discovery passes'
    case 'allowed':
      return `by ${nameOf(reason.policy)}, ${direction}[${reason.rule.index}]`
    case 'isolated':
      return `isolated by ${reason.policies.map(nameOf).join(', ')}, and no rule of ${reason.policies.length === 1 ? 'it' : 'these'} allows it`
    case 'unknown-pod':
      return 'the API server has not told of the pod yet'
  }
}
