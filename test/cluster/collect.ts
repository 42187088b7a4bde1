import { mkdir, writeFile } from 'node:fs/promises'
import { messageOf } from '../../cni/spec/error.ts'
import { PODWIRE, type Stage } from './stage.ts'

const NODE = `
ip -br address; ip -4 route; ip -6 route; ip neigh; nft list table inet podwire
ls -lR /run/podwire /opt/cni/bin /etc/cni/net.d; cat /etc/cni/net.d/*; true`

/** What the reader of a failure sees at once; the rest is in the folder. */
const GIST = ['pods', 'nodes', 'daemons']

/**
 * Writes down the state of the whole cluster, so that a failure on a machine that is gone can be understood. Answers
 * what to show at once.
 */
export async function collect(stage: Stage, folder: string): Promise<string> {
  await mkdir(folder, { recursive: true })
  const sources: Record<string, () => Promise<string>> = {
    pods: () => stage.kubectl('get', 'pods', '--all-namespaces', '--output=wide'),
    nodes: () => stage.kubectl('get', 'nodes', '--output=wide'),
    daemons: () => stage.kubectl('logs', ...PODWIRE, '--prefix', '--tail=40'),
    previous: () => stage.kubectl('logs', ...PODWIRE, '--prefix', '--tail=100', '--previous'),
    objects: () => stage.kubectl('get', 'nodes,pods,services,endpoints', '--all-namespaces', '--output=yaml'),
    events: () => stage.kubectl('get', 'events', '--all-namespaces', '--sort-by=.lastTimestamp'),
  }
  for (const { name } of stage.nodes) {
    sources[name] = () => stage.inNode(name, NODE)
    sources[`${name}-logs`] = () => stage.cluster.logs(name)
  }
  const texts = Object.entries(sources).map(async ([name, read]) => {
    const text = await read().catch(messageOf)
    await writeFile(`${folder}/${name}.txt`, text)
    return GIST.includes(name) ? `--- ${name}\n${text}` : ''
  })
  return `${(await Promise.all(texts)).join('')}--- the whole is in ${folder}`
}
