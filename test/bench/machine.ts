import { spawnSync } from 'node:child_process'
import { cpus, release, totalmem } from 'node:os'
import packageJson from '../../package.json' with { type: 'json' }

/** Where and with what something was measured. */
export interface Machine {
  readonly cpu: string
  readonly processors: number
  readonly memoryGb: number
  readonly kernel: string
  readonly versions: Readonly<Record<string, string>>
}

export const describeMachine = (): Machine => ({
  cpu: cpus()[0]?.model ?? 'unknown',
  processors: cpus().length,
  memoryGb: Math.round(totalmem() / 1e9),
  kernel: release(),
  versions: {
    podwire: packageJson.version,
    node: process.version,
    'containernetworking-plugins': said(
      'dpkg-query',
      '--show',
      '--showformat=${Version}',
      'containernetworking-plugins',
    ),
    nft: said('nft', '--version'),
    iptables: said('iptables', '--version'),
    iperf3: said('iperf3', '--version'),
  },
})

/** The first line that a program says, which is its version; the reference plugins do not know theirs. */
function said(program: string, ...args: readonly string[]): string {
  const { stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] },
  })
  return `${stdout ?? ''}${stderr ?? ''}`.trim().split('\n')[0] || 'not there'
}
