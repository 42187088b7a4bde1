import type { Stage } from './stage.ts'

/** How much of pods there is on a node; the leak of leak.ts is not counted, for it goes in its own time. */
export interface Traces {
  readonly addresses: number
  readonly veths: number
  /** Lines of all that nft lists: chains, maps and their elements. */
  readonly rules: number
  readonly routes: number
}

const COUNT = `
cd /run/podwire/ipam/podwire && echo addresses $(grep -L '^leak' * | grep -vc '^last_reserved_ip')
echo veths $(ip -o link show type veth | grep -c master)
echo rules $(nft list table inet podwire | wc -l)
echo routes $( (ip -4 route show table all; ip -6 route show table all) | grep -vcE 'cache|expires')
`

/** Counts what there is on each node. */
export const tracesOfAll = (stage: Stage): Promise<Record<string, Traces>> =>
  stage.onEachNode(async node => {
    const lines = (await stage.inNode(node, COUNT)).trim().split('\n')
    const counts = lines.map(line => line.split(' ')).map(([name = '', count]) => [name, Number(count)])
    return Object.fromEntries(counts) as Traces
  })
