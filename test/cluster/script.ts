import { spawn } from 'node:child_process'
import { removeCgroup } from '../conformance/cgroup.ts'
import type { Cluster, Families } from './cluster.ts'
import { run } from './run.ts'

/** Where the segment's end outside of the cluster is; it has these addresses. */
const FABRIC = 'kube-fabric'
const OUTSIDE = { 4: '172.30.0.1', 6: 'fd00:172:30::1' } as const

/** The script may have to build Kubernetes first. */
const UP_MS = 1_800_000

/** A cluster that a script makes without Docker: `SCRIPT up|down|kubectl|node|load|logs|stop-node|start-node`. */
export function scriptCluster(script: string): Cluster {
  const call = (...args: readonly string[]): Promise<string> => run([script, ...args])
  const kubectl = (args: readonly string[], input = '') => run([script, 'kubectl', ...args], { input })
  const containersOf = async (node: string): Promise<string[]> => {
    const ids = await call('node', numberOf(node), 'ctr', '--namespace=k8s.io', 'containers', 'ls', '--quiet')
    return ids.split('\n').filter(id => id !== '')
  }
  return {
    up: async (nodes, families) => {
      const up = () => run([script, 'up', `${nodes}`, ...dualOption(families)], { patienceMs: UP_MS })
      // On a busy machine a container runtime may not be there yet when the script asks it for the first time.
      await up().catch(async () => {
        await call('down')
        await up()
      })
    },
    down: async () => {
      const nodes = await kubectl(['get', 'nodes', '--output=name']).catch(() => '')
      const names = nodes.split('\n').filter(line => line !== '')
      const ids = await Promise.all(
        names.map(name => containersOf(name.replace('node/', '')).catch(() => [])),
      )
      await call('down')
      await removeCgroups(ids.flat())
    },
    kubectl,
    startKubectl: args => spawn(script, ['kubectl', ...args]),
    inNode: (node, command) => call('node', numberOf(node), ...command),
    load: async archive => void (await call('load', archive)),
    stopNode: async node => {
      const ids = await containersOf(node)
      await call('stop-node', numberOf(node))
      await removeCgroups(ids)
    },
    startNode: async node => void (await call('start-node', numberOf(node))),
    logs: async node => {
      const units = ['kubelet', 'containerd', 'kube-proxy'].map(async unit => {
        const log = await call('logs', numberOf(node), unit)
        return `--- ${unit} of ${node}\n${log}`
      })
      return (await Promise.all(units)).join('\n')
    },
    outside: command => run(['ip', 'netns', 'exec', FABRIC, ...command]),
    outsideAddresses: async () => OUTSIDE,
  }
}

function dualOption(families: Families): readonly string[] {
  if (families[0] === 6)
    throw new Error('Cannot start a cluster of IPv6 alone: the script has none; use kind')
  return families.length === 2 ? ['--dual'] : []
}

/**
 * Killing a node leaves its containers' control groups, which power cuts do not, and at which every kubelet that starts
 * later on this machine looks for over a second each.
 */
const removeCgroups = async (ids: readonly string[]): Promise<void> => {
  await Promise.all(ids.map(id => removeCgroup(`/k8s.io/${id}`)))
}

/** The script counts its nodes: node1, node2... */
const numberOf = (node: string): string => node.replace('node', '')
