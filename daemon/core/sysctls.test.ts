import t from 'tap'
import { planSysctls, type SysctlNode } from './sysctls.ts'

const FRESH: Readonly<Record<string, string>> = {
  'net/ipv4/ip_forward': '0',
  'net/ipv4/conf/all/send_redirects': '1',
  'net/ipv4/conf/default/send_redirects': '1',
  'net/ipv6/conf/all/forwarding': '0',
  'net/ipv6/conf/eth0/accept_ra': '1',
  'net/ipv6/conf/eth1/accept_ra': '0',
}

/** What is planned, a group a line. */
function planned(node: Partial<SysctlNode>, settings: Readonly<Record<string, string>> = FRESH): string[] {
  const whole = { families: new Set([4, 6] as const), bridge: 'cbr0', uplinks: [], ...node }
  return planSysctls(whole, key => settings[key]).map(group =>
    group.map(({ key, from, to }) => `${key.slice(4)} ${from}->${to}`).join(' then '),
  )
}

t.test('planSysctls() changes only what differs', t => {
  t.same(planned({}), [
    'ipv4/ip_forward 0->1',
    'ipv4/conf/all/send_redirects 1->0',
    'ipv4/conf/default/send_redirects 1->0',
    'ipv6/conf/all/forwarding 0->1',
  ])
  const done = Object.fromEntries(
    Object.keys(FRESH).map(key => [key, key.endsWith('send_redirects') ? '0' : '1']),
  )
  t.same(planned({ uplinks: ['eth0'] }, done), [], 'who forwards already has seen to accept_ra')
  t.end()
})

t.test('planSysctls() leaves a family alone that pods have no addresses of', t => {
  t.same(planned({ families: new Set([6]) }), ['ipv6/conf/all/forwarding 0->1'])
  t.equal(planned({ families: new Set([4]) }).length, 3)
  t.end()
})

t.test('planSysctls() sets the bridge’s redirects when the bridge is there', t => {
  const settings = { ...FRESH, 'net/ipv4/conf/cbr0/send_redirects': '1' }
  t.equal(planned({ families: new Set([4]) }, settings)[3], 'ipv4/conf/cbr0/send_redirects 1->0')
  t.end()
})

t.test('planSysctls() keeps a default route from router advertisements before it forwards', t => {
  t.same(planned({ families: new Set([6]), uplinks: ['eth0', 'eth1', 'gone0'] }), [
    'ipv6/conf/eth0/accept_ra 1->2 then ipv6/conf/all/forwarding 0->1',
  ])
  t.end()
})

t.test('planSysctls() has bridges show both families to IP’s hooks, or none', t => {
  const [ip, ip6] = ['net/bridge/bridge-nf-call-iptables', 'net/bridge/bridge-nf-call-ip6tables']
  const bridge = (v4: string, v6: string) => planned({ families: new Set() }, { [ip]: v4, [ip6]: v6 })
  t.same(bridge('0', '0'), [])
  t.same(bridge('1', '0'), ['bridge/bridge-nf-call-ip6tables 0->1'])
  t.same(bridge('0', '1'), ['bridge/bridge-nf-call-iptables 0->1'])
  t.same(bridge('1', '1'), [])
  t.end()
})

t.test('planSysctls() plans what cannot be read: setting it will say why', t => {
  t.same(planned({ families: new Set([6]) }, {}), ['ipv6/conf/all/forwarding undefined->1'])
  t.end()
})
