import { inside, type Pod } from './stage.ts'

interface Link {
  readonly ifname: string
  readonly address: string
  readonly mtu: number
  readonly master?: string
  readonly ifindex: number
  readonly link_index?: number
  readonly addr_info: readonly {
    readonly local: string
    readonly prefixlen: number
    readonly scope: string
  }[]
}

const linksOf = async (netns: string): Promise<Link[]> =>
  JSON.parse(await inside(netns, 'ip', '-json', 'address')).filter((link: Link) => link.ifname !== 'lo')

const addresses = (link: Link): string =>
  link.addr_info
    .filter(({ scope }) => scope === 'global')
    .map(({ local, prefixlen }) => `${local}/${prefixlen}`)
    .join('  ')

/** A node with its bridge and pods, as the kernel shows them, drawn with lines. */
export async function drawNode(node: string, pods: readonly Pod[]): Promise<string> {
  const links = await linksOf(node)
  const bridge = links.find(link => link.ifname === 'cbr0')
  if (bridge === undefined) return 'no bridge'
  const rows = await Promise.all(pods.map(pod => drawPod(pod, links)))
  return [
    `node "${node}"`,
    `└─ ${bridge.ifname}  ${addresses(bridge)}  mac ${bridge.address}  mtu ${bridge.mtu}`,
    ...rows.flatMap((row, i) => row.map((line, j) => `   ${branch(i === rows.length - 1, j === 0)}${line}`)),
  ].join('\n')
}

const branch = (isLast: boolean, isFirstLine: boolean): string => {
  if (isFirstLine) return isLast ? '└─ ' : '├─ '
  return isLast ? '   ' : '│  '
}

async function drawPod(pod: Pod, hostLinks: readonly Link[]): Promise<string[]> {
  const [eth0] = await linksOf(pod.netns)
  const veth = hostLinks.find(link => link.ifindex === eth0?.link_index)
  const routes: { dst: string; gateway?: string; dev: string }[] = JSON.parse(
    await inside(pod.netns, 'ip', '-json', 'route'),
  )
  if (eth0 === undefined || veth === undefined) return [`pod "${pod.name}" is not connected`]
  return [
    `${veth.ifname} ════ ${eth0.ifname}  pod "${pod.name}"  ${addresses(eth0)}`,
    `${' '.repeat(veth.ifname.length + 6)}mac ${eth0.address}; ${routes.map(({ dst, gateway }) => (gateway ? `${dst} via ${gateway}` : `${dst} on link`)).join(', ')}`,
  ]
}
