import type { Stage } from './stage.ts'

/**
 * All that Podwire could leave on a node. Not looked at: rules of kube-proxy, which are in iptables' tables;
 * the empty folder that the kubelet makes to mount the state; link-local addresses, which a node that boots makes anew.
 */
const LOOK = `
echo LINKS; ip -o link | cut -d: -f2 | cut -d@ -f1
echo ADDRESSES; ip -o addr | awk '{ print $2, $4 }' | grep -v fe80
echo ROUTES; (ip -4 route show table all; ip -6 route show table all) | grep -vE 'expires|fe80'
echo TABLES; nft list tables | grep -vE ' (nat|filter|mangle|raw|security)$'
echo SETTINGS; grep -r . /proc/sys/net/ipv4/conf/all /proc/sys/net/ipv4/conf/default /proc/sys/net/ipv6/conf/all \\
  /proc/sys/net/ipv6/conf/default /proc/sys/net/ipv4/ip_forward 2>/dev/null
echo FILES; find /etc/cni/net.d /opt/cni/bin -type f -exec sha256sum {} +; find /run/podwire -mindepth 1 2>/dev/null
true`

/** A node's state by subject, each in lines without order. */
export type Snapshot = Readonly<Record<string, readonly string[]>>

/** What each node is like. */
export const snapshot = (stage: Stage): Promise<Record<string, Snapshot>> =>
  stage.onEachNode(async node => {
    const subjects: Record<string, string[]> = {}
    let lines: string[] = []
    for (const line of (await stage.inNode(node, LOOK)).split('\n').filter(line => line !== '')) {
      if (/^[A-Z]+$/.test(line)) subjects[line] = lines = []
      else lines.push(line.trim())
    }
    return Object.fromEntries(Object.entries(subjects).map(([subject, its]) => [subject, its.sort()]))
  })
