import type { Attached } from '../core/pod.ts'

/** What of NetworkPolicies a call has to see to: the executable and the daemon each in their way. */
export interface Policies {
  /**
   * A pod is about to have its addresses: done when its policies are in force, and nothing that former owners of the
   * addresses were allowed still is. Does nothing on a node that enforces none. Throws `try-again` when it cannot, and
   * `invalid-environment` for a pod whose name no policy can mean; what is done by then, {@link detach} undoes.
   */
  attach(pod: Attached): Promise<void>
  /** An attachment is gone, if it ever was there: its addresses may become another's. */
  detach(id: string): Promise<void>
}
