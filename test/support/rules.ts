import { attachmentPair } from '../../cni/core/names.ts'
import { masqueradeScript, type Owner, spoofCheckScript } from '../../cni/core/table.ts'
import { cidr } from './result.ts'
import { attachment } from './wish.ts'

/** An attachment's rules, for tests that know them by the container's id. */
export const owner = (containerId: string, network = 'pods'): Owner => ({
  network,
  veth: attachmentPair(attachment(containerId, 'eth0')).name,
})

/** The scripts whose golden texts are in test/golden, by file: the kernel has to load what the core has to generate. */
export const SCRIPTS: Readonly<Record<string, string>> = {
  'rules-masquerade.nft': masqueradeScript(owner('c1'), [cidr('10.1.0.5/24'), cidr('fd00::5/64')]),
  'rules-spoof-check.nft': spoofCheckScript(owner('c1'), attachmentPair(attachment('c1', 'eth0')).peerMac),
}
