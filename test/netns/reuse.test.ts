import t from 'tap'
import { Lab } from './lab.ts'

/*
 * An address that goes from one container to another: whoever knew the old one's MAC reaches the new one at once.
 */

const ADDRESSES = ['10.1.0.50', 'fd00:1::50']
const IPAM = { ranges: [[{ subnet: '10.1.0.0/24' }], [{ subnet: 'fd00:1::/64' }]] }

const macIn = async (lab: Lab, netns: string, address: string): Promise<string | undefined> =>
  (await lab.ip(netns, 'neighbour', 'show', 'to', address))[0]?.lladdr

for (const mode of ['l2', 'l3']) {
  t.test(`${mode}: an address that is given out again is reachable at once`, async t => {
    const lab = new Lab(t)
    const config = lab.config({ mode, runtimeConfig: { ips: ADDRESSES } }, IPAM)
    const client = await lab.attach(lab.config({ mode }, IPAM))
    const former = await lab.attach(config)
    const peers = [client.netns, lab.host]
    const knows = mode === 'l2' ? peers : [lab.host]
    for (const address of ADDRESSES) {
      for (const from of peers)
        t.ok(await lab.pings(from, address), `${from} reaches the former at ${address}`)
      for (const from of knows) t.equal(await macIn(lab, from, address), former.result.interfaces[2].mac)
    }
    t.match(await lab.call('DEL', config, former), { code: 0 })
    const next = await lab.attach(config)
    t.not(next.result.interfaces[2].mac, former.result.interfaces[2].mac, 'it has another MAC')
    for (const address of ADDRESSES) {
      for (const from of knows) {
        const mac = await macIn(lab, from, address)
        t.not(mac, former.result.interfaces[2].mac, `${from} has forgotten the former at ${address}`)
      }
      for (const from of peers) t.ok(await lab.pings(from, address), `${from} reaches the next at ${address}`)
    }
  })
}
