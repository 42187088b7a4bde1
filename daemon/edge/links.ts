import { delLink, delLinkGroup, setLink } from '../../cni/core/netlink/link.ts'
import { Site } from '../../cni/edge/site.ts'

/** Links that are about to go are in a group from here on, "po" in ASCII and zeros, so that nobody else's are in it. */
const FIRST_GROUP = 0x706f0000
const GROUPS = 0x10000
let batches = 0

/**
 * Deletes links of the node, all with one request: the kernel waits once until nobody uses them any more, not once for
 * each. The waiting is another thread's. Answers with the links that are still there, or were not, and why.
 */
export async function removeLinks(names: readonly string[]): Promise<Map<string, unknown>> {
  using host = new Site()
  const failures = new Map<string, unknown>()
  const [first, ...others] = names
  if (first !== undefined && others.length === 0) {
    await attempt(failures, first, () => host.netlink.requestAside(delLink(first)))
    return failures
  }
  const group = FIRST_GROUP + (batches++ % GROUPS)
  for (const name of names)
    await attempt(failures, name, () => host.netlink.request(setLink(name, { group })))
  const marked = names.filter(name => !failures.has(name))
  if (marked.length === 0) return failures
  try {
    await host.netlink.requestAside(delLinkGroup(group))
  } catch {
    // Something in the group resists; the others are not to suffer for it.
    for (const name of marked) await attempt(failures, name, () => host.netlink.requestAside(delLink(name)))
  }
  return failures
}

async function attempt(failures: Map<string, unknown>, name: string, job: () => unknown): Promise<void> {
  try {
    await job()
  } catch (error) {
    failures.set(name, error)
  }
}
