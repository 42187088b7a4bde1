import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import type { Family } from '../../ipam/core/ip.ts'

/** 4 or 6. */
export type Version = Family['version']

/** The families of a cluster's pods and Services, the main one first. */
export type Families = readonly [Version, ...Version[]]

/** The image that has what the tests run in pods: sh, socat, nc, dig, curl, ping. Every node has it. */
export const TOOLS_IMAGE = 'localhost/busybox:1'

/**
 * A Kubernetes cluster to test on: several nodes on one layer 2 segment, with kubelet, containerd and kube-proxy, and no
 * pod network. Its nodes are known by the names of their Node objects; the first in the order of names holds the
 * control plane.
 */
export interface Cluster {
  /** Starts it with that many nodes. What was left of one before is taken away first. */
  up(nodes: number, families: Families): Promise<void>
  /** Ends it; nothing is left. */
  down(): Promise<void>
  /** kubectl as the cluster's administrator; answers its stdout. */
  kubectl(args: readonly string[], input?: string): Promise<string>
  /** The same for a conversation: who starts it writes to its stdin, and ends it by ending that. */
  startKubectl(args: readonly string[]): ChildProcessWithoutNullStreams
  /** Runs a command on a node, as root; answers its stdout. */
  inNode(node: string, command: readonly string[]): Promise<string>
  /** Gives an image archive to every node. */
  load(archive: string): Promise<void>
  /** Ends a node at once, as a power cut does. */
  stopNode(node: string): Promise<void>
  /** Boots a node that was stopped: what was below /run is gone. */
  startNode(node: string): Promise<void>
  /** What the node's own programs (kubelet, containerd) have logged. */
  logs(node: string): Promise<string>
  /** Runs a command on a machine that is on the nodes' segment, but not of the cluster. */
  outside(command: readonly string[]): Promise<string>
  /** That machine's addresses. */
  outsideAddresses(): Promise<Readonly<Partial<Record<Version, string>>>>
}
