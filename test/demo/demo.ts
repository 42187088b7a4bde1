import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { drawNode } from './picture.ts'
import { cni, inside, namespace, removeNamespaces, serve, step, tell, type Pod } from './stage.ts'

/*
 * `make demo`: what a container runtime does with a CNI plugin, by hand, on this machine's kernel, in network
 * namespaces that go with the process. Every answer shown is the kernel's or the plugin's.
 */

const folder = mkdtempSync('/run/demo-')
const node = namespace('node')
const config = {
  cniVersion: '1.1.0',
  name: 'demo',
  type: 'podwire',
  isDefaultGateway: true,
  ipMasq: true,
  ipam: {
    type: 'podwire-ipam',
    dataDir: `${folder}/ipam`,
    ranges: [[{ subnet: '10.244.1.0/24' }], [{ subnet: 'fd00:10:244:1::/64' }]],
  },
}
const pods: Pod[] = ['red', 'green', 'blue'].map(name => ({
  name,
  netns: namespace(name),
  trace: `${folder}/${name}.trace`,
}))

async function main(): Promise<void> {
  step('A node and three pods, each an empty network namespace. This is the network config:')
  tell(JSON.stringify(config, null, 2))

  step(
    'ADD: the runtime starts the plugin once for each pod, the config on stdin, the rest in the environment.',
  )
  const results = []
  for (const pod of pods) results.push(await cni('ADD', node, config, pod))
  tell(
    `CNI_COMMAND=ADD CNI_CONTAINERID=red CNI_IFNAME=eth0 CNI_NETNS=/run/netns/${pods[0]!.netns} dist/podwire < config`,
  )
  tell(JSON.stringify(results[0], null, 2))

  step('What the kernel has now: a bridge, and a veth pair into each pod.')
  tell(await drawNode(node, pods))

  step('How it got there: the trace of the first ADD, in ms, each line the command that does the same.')
  tell(readFileSync(pods[0]!.trace, 'utf8'))

  step('Does it carry packets? Pods reach each other and the node, over IPv4 and IPv6.')
  await pings(results)
  await fetchPages(results)

  step('CHECK: the plugin compares what it made with what is there. Silence means that all is well.')
  for (const [i, pod] of pods.entries()) await cni('CHECK', node, { ...config, prevResult: results[i] }, pod)
  tell(`CHECK was silent for ${pods.map(pod => pod.name).join(', ')}.`)

  step('DEL: everything that ADD made goes; a second DEL finds nothing to do and is content.')
  for (const pod of [...pods, ...pods]) await cni('DEL', node, config, pod)
  await proveEmpty()
}

/* oxlint-disable-next-line typescript/no-explicit-any -- JSON as the plugin printed it */
const addressesOf = (result: any): string[] =>
  result.ips.map((ip: { address: string }) => ip.address.split('/')[0])

async function pings(results: readonly unknown[]): Promise<void> {
  const targets = [...addressesOf(results[1]), '10.244.1.1', 'fd00:10:244:1::1']
  for (const target of targets)
    tell(lastPing(`red -> ${target}`, await inside(pods[0]!.netns, 'ping', '-nc1', '-W1', target)))
  const [address = ''] = addressesOf(results[2])
  tell(lastPing(`node -> ${address}`, await inside(node, 'ping', '-nc1', '-W1', address)))
}

const lastPing = (who: string, output: string): string =>
  `ping  ${who.padEnd(28)} ${/time=.*/.exec(output)?.[0]}`

async function fetchPages(results: readonly unknown[]): Promise<void> {
  using _server = await serve(pods[2]!)
  const [v4 = '', v6 = ''] = addressesOf(results[2])
  for (const [from, netns] of [
    ['red', pods[0]!.netns],
    ['node', node],
  ] as const) {
    for (const host of [v4, `[${v6}]`]) {
      const page = await inside(
        netns,
        process.execPath,
        '-e',
        `fetch('http://${host}:8080').then(r => r.text()).then(console.log)`,
      )
      tell(`fetch ${`${from} -> ${host}:8080`.padEnd(36)} "${page.trim()}"`)
    }
  }
}

async function proveEmpty(): Promise<void> {
  const veths = await inside(node, 'ip', '-br', 'link', 'show', 'type', 'veth')
  const reserved = await inside(
    node,
    'find',
    `${folder}/ipam`,
    '-type',
    'f',
    '-not',
    '-name',
    'last_reserved_ip.*',
  )
  const rules =
    (await inside(node, 'nft', 'list', 'table', 'inet', 'podwire')).match(/comment "[^"]*"/g) ?? []
  tell(
    `veths left: ${veths.trim() || 'none'}\naddresses held: ${reserved.trim() || 'none'}\nrules left: ${rules.join() || 'none'}`,
  )
  tell('The bridge stays for the next pod: it belongs to the node, as with the reference plugin.')
  if (`${veths}${reserved}`.trim() !== '' || rules.length > 0)
    throw new Error('DEL has left something behind')
}

try {
  await main()
  console.log('\nAll of it worked.')
} finally {
  removeNamespaces()
  rmSync(folder, { recursive: true })
}
