import t, { type Test } from 'tap'
import { Lab } from './lab.ts'

/*
 * One pod's life in every version of the specification, every address family and both modes:
 * ADD, CHECK, a ping that must be answered at once, DEL, and DEL again.
 */

const VERSIONS = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0']
const FAMILIES = {
  v4: [{ subnet: '10.1.0.0/24', gateway: '10.1.0.1' }],
  v6: [{ subnet: 'fd00:1::/64', gateway: 'fd00:1::1' }],
  dual: [
    { subnet: '10.1.0.0/24', gateway: '10.1.0.1' },
    { subnet: 'fd00:1::/64', gateway: 'fd00:1::1' },
  ],
}
const atLeast = (version: string, other: string) => VERSIONS.indexOf(version) >= VERSIONS.indexOf(other)

for (const mode of ['l2', 'l3']) {
  for (const [family, subnets] of Object.entries(FAMILIES)) {
    t.test(`${mode} ${family}`, async t => {
      const lab = new Lab(t)
      for (const version of VERSIONS) await life(t, lab, { version, mode, subnets })
    })
  }
}

interface Case {
  version: string
  mode: string
  subnets: { subnet: string; gateway: string }[]
}

async function life(t: Test, lab: Lab, { version, mode, subnets }: Case) {
  const ranges = subnets.map(({ subnet }) => [{ subnet }])
  const config = lab.config({ cniVersion: version, mode }, { ranges })
  const pods = [lab.namespace(), lab.namespace()].map((netns, i) => ({ id: `c${i}`, netns }))
  const results = []
  for (const pod of pods) {
    const added = await lab.call('ADD', config, pod)
    t.equal(added.code, 0, `${version}: ADD succeeds ${added.stdout}`)
    t.equal(added.json.cniVersion, version, `${version}: the result has the config's version`)
    results.push(added.json)
  }
  for (const { gateway } of subnets) {
    t.ok(await lab.pings(pods[0]!.netns, gateway), `${version}: the gateway ${gateway} answers at once`)
  }
  for (const address of addressesOf(results[1], version)) {
    t.ok(await lab.pings(pods[0]!.netns, address), `${version}: the other pod answers at ${address}`)
    t.ok(await lab.pings(lab.host, address), `${version}: the pod answers the node at ${address}`)
  }
  for (const [i, pod] of pods.entries()) {
    const checked = await lab.call('CHECK', { ...config, prevResult: results[i] }, pod)
    if (atLeast(version, '0.4.0')) t.match(checked, { code: 0, stdout: /^$/ }, `${version}: CHECK is silent`)
    else t.equal(checked.json.code, 1, `${version}: CHECK is too new for it`)
    t.match(await lab.call('DEL', config, pod), { code: 0, stdout: /^$/ }, `${version}: DEL`)
    t.match(await lab.call('DEL', config, pod), { code: 0, stdout: /^$/ }, `${version}: DEL again`)
  }
  t.same(
    await lab.traces(),
    { links: ['cbr0'], rules: [], reservations: [] },
    `${version}: only the bridge stays`,
  )
}

/** The addresses in a result of any version. */
function addressesOf(result: any, version: string): string[] {
  const cidrs = atLeast(version, '0.3.0')
    ? result.ips.map((ip: { address: string }) => ip.address)
    : [result.ip4?.ip, result.ip6?.ip].filter(ip => ip !== undefined)
  return cidrs.map((cidr: string) => cidr.split('/')[0])
}
