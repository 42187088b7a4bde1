import t from 'tap'
import { cidr, ip } from '../../test/support/result.ts'
import { parseIfName } from '../spec/environment.ts'
import { commandOf, routeText } from './command.ts'
import { masqueradeElements } from './masquerade.ts'
import { sysctl } from './step.ts'

/*
 * What every step prints stands in test/golden/plan-*.txt; test/netns/commands.test.ts runs it. Here is what no plan
 * there shows.
 */

t.test('commandOf() writes a setting of an interface with a dot in its name as sysctl reads it', t => {
  const step = sysctl('host', 'net/ipv6/conf/br.5/accept_ra', '0', true)
  t.equal(commandOf(step), 'sysctl -w net.ipv6.conf.br/5.accept_ra=0')
  t.end()
})

t.test('commandOf() prints the script with its elements, as a here-document', t => {
  const step = {
    kind: 'rules',
    purpose: 'masquerade',
    owner: { network: 'pods', veth: parseIfName('veth0', '') },
    chains: [],
    script: 'add table inet podwire\n',
    elements: masqueradeElements({ network: 'pods', veth: parseIfName('veth0', '') }, [cidr('10.1.0.5/24')]),
  } as const
  t.equal(
    commandOf(step),
    "nft -f - <<'EOF'\nadd table inet podwire\n" +
      'add element inet podwire masquerade4 { 10.1.0.5 comment "pods veth0" : goto leaving-10.1.0.0/24 }\nEOF',
  )
  t.end()
})

t.test('routeText() writes every attribute of a route in the words of `ip route`', t => {
  const route = {
    dst: cidr('10.9.0.0/16'),
    gw: ip('10.1.0.1'),
    mtu: 1400,
    advmss: 1360,
    priority: 5,
    table: 117,
    scope: 0,
  }
  t.equal(routeText(route), '10.9.0.0/16 via 10.1.0.1 metric 5 table 117 mtu 1400 advmss 1360 scope 0')
  t.equal(routeText({ dst: cidr('fd00::/64') }), 'fd00::/64')
  t.end()
})
