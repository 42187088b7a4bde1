import type { Test } from 'tap'
import { page } from './daemon.ts'
import type { Stage } from './stage.ts'
import { tracesOfAll } from './traces.ts'

/** What the daemons say of themselves. */
export async function testObservation(t: Test, stage: Stage): Promise<void> {
  await t.test('/healthz and /readyz say that all is well', async t => {
    for (const { name } of stage.nodes) {
      t.match(await page(stage, name, '/healthz'), [200, /^alive/])
      t.match(await page(stage, name, '/readyz'), [200, /\nready\n$/])
    }
  })

  await t.test('/metrics counts the routes, addresses and nodes that there are', async t => {
    const traces = await tracesOfAll(stage)
    for (const { name } of stage.nodes) {
      const [status, text] = await page(stage, name, '/metrics')
      t.equal(status, 200)
      const value = metrics(text)
      t.equal(value('podwire_nodes'), stage.nodes.length)
      t.equal(value('podwire_nodes_unroutable'), 0)
      t.equal(value('podwire_addresses_used'), traces[name]!.addresses)
      t.ok(value('podwire_addresses_free') > 100, 'there are addresses left')
      const routes = (stage.nodes.length - 1) * stage.families.length
      t.equal(value('podwire_routes_wanted'), routes)
      t.equal(value('podwire_routes_present'), routes)
      // The first call to the API server may come before kube-proxy has made its address one.
      t.notMatch(text, /^podwire_errors_total\{part="(?!api")\w+"\} [1-9]/m)
    }
  })
}

/** Reads Prometheus' text format; a metric's value is the sum over its labels, 0 when there is none. */
function metrics(text: string): (name: string) => number {
  const samples = text
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('#'))
    .map(line => [line.split(/[{ ]/)[0], Number(line.slice(line.lastIndexOf(' ')))] as const)
  return name => samples.filter(([of]) => of === name).reduce((sum, [, value]) => sum + value, 0)
}
