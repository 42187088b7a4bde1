import { parseNetworkPolicy } from '../../../daemon/core/policy/network-policy.ts'
import { type Objects, parseNamespace, parsePod } from '../../../daemon/core/policy/objects.ts'
import { parseCidr } from '../../../ipam/core/ip.ts'
import type { Resource, Stage } from '../stage.ts'

/** What the API server itself has of all that decides about packets. */
export async function readObjects(stage: Stage): Promise<Objects> {
  const items = (await stage.get(
    'pods,namespaces,networkpolicies,nodes',
    '--all-namespaces',
  )) as readonly Resource[]
  const of = (wanted: string): readonly Resource[] => items.filter(({ kind }) => kind === wanted)
  return {
    pods: of('Pod').map(parsePod),
    namespaces: of('Namespace').map(parseNamespace),
    policies: of('NetworkPolicy').map(parseNetworkPolicy),
    podCidrs: of('Node').flatMap(({ spec }) =>
      spec.podCIDRs.flatMap((cidr: string) => parseCidr(cidr) ?? []),
    ),
    attached: [],
  }
}
