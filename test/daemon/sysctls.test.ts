import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import t from 'tap'
import type { Log } from '../../daemon/core/log.ts'
import { ensureSysctls, restoreSysctls } from '../../daemon/sysctls.ts'
import { fakeLog } from '../support/log.ts'
import { Lab } from '../netns/lab.ts'
import { advertise } from './router.ts'

/*
 * The daemon's settings on a real kernel: this process plays the node, in the namespace that test/isolated made.
 */

const NET = '/proc/sys/net'
const set = (key: string, value: string): void => writeFileSync(`${NET}/${key}`, value)
const get = (key: string): string => readFileSync(`${NET}/${key}`, 'utf8').trim()
const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8' })

/** Ensures the settings; answers what was said. */
function ensure(families: (4 | 6)[], folder = '/proc/sys'): string[] {
  const lines: string[] = []
  const say = (_: object, message: string): void => void lines.push(message)
  const log: Log = { debug: say, info: say, warn: say, error: say }
  ensureSysctls({ folder, families: new Set(families), bridge: 'cbr0', log, remember: () => {} })
  return lines
}

t.test('settings are set once, each with a line that says from what to what', async t => {
  for (const device of ['all', 'default']) set(`ipv4/conf/${device}/send_redirects`, '1')
  ip('link', 'add', 'cbr0', 'type', 'bridge')
  t.teardown(() => ip('link', 'del', 'cbr0'))
  set('ipv4/ip_forward', '0')
  set('ipv6/conf/all/forwarding', '0')
  t.same(ensure([4]), [
    'Set net.ipv4.ip_forward from 0 to 1: pods are reached by routing',
    ...['all', 'default', 'cbr0'].map(
      device =>
        `Set net.ipv4.conf.${device}.send_redirects from 1 to 0: pods must not be told to bypass the bridge`,
    ),
  ])
  t.equal(get('ipv4/ip_forward'), '1')
  t.equal(get('ipv4/conf/cbr0/send_redirects'), '0')
  t.equal(get('ipv6/conf/all/forwarding'), '0', 'the pods have no IPv6')
  t.same(ensure([4]), [], 'a second time there is nothing to do')
  t.same(ensure([4, 6]), ['Set net.ipv6.conf.all.forwarding from 0 to 1: pods are reached by routing'])
  t.equal(get('ipv6/conf/all/forwarding'), '1')
})

t.test('bridges show both families to IP’s hooks as soon as they do one', async t => {
  const keys = ['bridge/bridge-nf-call-iptables', 'bridge/bridge-nf-call-ip6tables'] as const
  if (!existsSync(`${NET}/${keys[0]}`)) {
    t.pass('this kernel has no br_netfilter')
    return
  }
  for (const [i, key] of keys.entries()) {
    set(key, '0')
    set(keys[1 - i]!, '1')
    t.same(ensure([]), [
      `Set net.${key.replace('/', '.')} from 0 to 1: NetworkPolicies must see what the bridge passes of either family`,
    ])
    t.equal(get(key), '1')
  }
  t.same(ensure([]), [])
})

/** Waits for the default route that comes from the router's advertisement. */
async function heardRouter(router: string, index: number): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!ip('-6', 'route', 'show', 'default').includes('proto ra')) {
    if (performance.now() > deadline) throw new Error('Waited in vain for the default route')
    advertise(router, index)
    await after(20)
  }
}

t.test('a default route from router advertisements outlives forwarding', async t => {
  const lab = new Lab(t)
  const router = lab.namespace('router')
  set('ipv6/conf/all/forwarding', '0')
  ip('link', 'add', 'up.lnk0', 'type', 'veth', 'peer', 'name', 'down0', 'netns', router)
  t.teardown(() => ip('link', 'del', 'up.lnk0'))
  await lab.inside(
    router,
    'sh',
    '-c',
    'echo 0 > /proc/sys/net/ipv6/conf/down0/accept_dad; ip link set down0 up',
  )
  set('ipv6/conf/up.lnk0/accept_ra', '1')
  ip('link', 'set', 'up.lnk0', 'up')
  const [{ ifindex }] = await lab.ip(router, 'link', 'show', 'down0')
  await heardRouter(lab.path(router), ifindex)
  set('ipv6/conf/all/forwarding', '1')
  t.notMatch(ip('-6', 'route', 'show', 'default'), 'proto ra', 'the kernel removes it, were it not for us')
  set('ipv6/conf/all/forwarding', '0')
  await heardRouter(lab.path(router), ifindex)
  t.same(ensure([6]), [
    'Set net.ipv6.conf.up/lnk0.accept_ra from 1 to 2: a node that forwards would lose its default route',
    'Set net.ipv6.conf.all.forwarding from 0 to 1: pods are reached by routing',
  ])
  t.match(ip('-6', 'route', 'show', 'default'), 'proto ra')
  t.same(ensure([6]), [])
})

/** A folder in the place of /proc/sys that nobody can write to. */
function readOnly(settings: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync('/run/sys-')
  for (const [key, value] of Object.entries(settings)) {
    mkdirSync(dirname(`${folder}/${key}`), { recursive: true })
    writeFileSync(`${folder}/${key}`, `${value}\n`)
  }
  execFileSync('mount', ['--bind', folder, folder])
  execFileSync('mount', ['-o', 'remount,bind,ro', folder])
  return folder
}

const REDIRECTS = { 'net/ipv4/conf/all/send_redirects': '0', 'net/ipv4/conf/default/send_redirects': '0' }

t.test('settings that cannot be written but are right already are fine', async t => {
  t.same(ensure([4], readOnly({ ...REDIRECTS, 'net/ipv4/ip_forward': '1' })), [])
})

t.test('settings that cannot be written and are wrong are an error that says what to do', async t => {
  const folder = readOnly({
    ...REDIRECTS,
    'net/ipv4/ip_forward': '0',
    'net/ipv4/conf/all/send_redirects': '1',
  })
  t.throws(() => ensure([4], folder), {
    message: `Cannot set net.ipv4.ip_forward to 1: EROFS; is ${folder} writable?; Cannot set net.ipv4.conf.all.send_redirects to 0: EROFS; is ${folder} writable?`,
  })
  t.throws(() => ensure([6], folder), {
    message: 'Cannot set net.ipv6.conf.all.forwarding to 1: the kernel has no such setting',
  })
})

t.test(
  'restoreSysctls() gives settings back what was remembered of them, and passes over what is gone',
  async t => {
    set('ipv4/conf/default/send_redirects', '1')
    const former = new Map<string, string>()
    const { log } = fakeLog()
    const remember = (key: string, value: string) => void former.set(key, value)
    ensureSysctls({ folder: '/proc/sys', families: new Set([4]), bridge: 'cbr0', log, remember })
    t.equal(get('ipv4/conf/default/send_redirects'), '0')
    former.set('net/ipv4/conf/gone0/send_redirects', '1')
    restoreSysctls(former, '/proc/sys', log)
    t.equal(get('ipv4/conf/default/send_redirects'), '1')
  },
)
