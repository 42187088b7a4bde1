import { type Pod, podOf } from './pods.ts'
import { PODWIRE, type Stage } from './stage.ts'

/*
 * What the tests do to the daemon, and how they look at it.
 */

export const CONFLIST = '/etc/cni/net.d/10-podwire.conflist'

/** The daemon's pods by node. */
export async function daemons(stage: Stage): Promise<Record<string, Pod>> {
  const pods = (await stage.get('pods', ...PODWIRE)).map(podOf) as Pod[]
  return Object.fromEntries(pods.map(pod => [pod.node, pod]))
}

/** Waits until all daemons are of the newest template and ready. */
export const rolledOut = (stage: Stage): Promise<string> =>
  stage.kubectl('--namespace=kube-system', 'rollout', 'status', 'daemonset/podwire', '--timeout=90s')

/** The file that a node's runtime reads: another inode or time when it was written anew, whatever is in it. */
export const conflistOf = (stage: Stage, node: string): Promise<string> =>
  stage.inNode(node, `stat -c '%i %y %z' ${CONFLIST}`)

/** A program on a node as the shell sees it, by its container: its process id as $pid. */
const withPid = (containerId: string): string =>
  `pid=$(ctr --namespace k8s.io tasks ls | awk '$1 == "${containerId}" { print $2 }'); [ -n "$pid" ] || exit 1\n`

/** Sends SIGTERM to a container's program and answers how long it went on, in milliseconds. */
export async function terminate(stage: Stage, { node, containerId }: Pod): Promise<number> {
  const script = `${withPid(containerId)}
    began=$(date +%s%N)
    kill -TERM $pid
    while [ -e /proc/$pid ] && [ $(($(date +%s%N) - began)) -lt 20000000000 ]; do sleep 0.01; done
    echo $((($(date +%s%N) - began) / 1000000))`
  return Number(await stage.inNode(node, script))
}

/** One page of a node's daemon, read on that node: status and text. */
export async function page(
  stage: Stage,
  node: string,
  path: string,
): Promise<[status: number, text: string]> {
  const { addresses } = stage.nodes.find(({ name }) => name === node)!
  const [version] = stage.families
  const host = version === 6 ? `[${addresses[6]}]` : addresses[4]
  const said = await stage.inNode(node, `curl -sS -m 5 -w '%{http_code}' http://${host}:9117${path}`)
  return [Number(said.slice(-3)), said.slice(0, -3)]
}

/**
 * What the daemon has put into a node's kernel, as text; without counters and what expires, and sorted: what is loaded anew
 * comes last.
 */
export async function dataPlane(stage: Stage, node: string): Promise<string> {
  const routes = 'ip -4 route show proto 117; ip -6 route show proto 117; ip -o link show type bridge'
  const table = await stage.inNode(node, 'nft --stateless list table inet podwire')
  const objects = table.match(/^\t(set|map|chain) .*?^\t\}$/gms) ?? []
  const lasting = objects.map(object => object.replace(/(?<=\n\t\ttimeout .*\n)\t\telements = [^]*?\}\n/, ''))
  return [await stage.inNode(node, routes), ...lasting.toSorted()].join('\n')
}
