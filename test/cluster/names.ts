import type { Test } from 'tap'
import type { Cast } from './cast.ts'
import { inPod, PORT } from './pods.ts'
import { comesOut, fromPod } from './probes.ts'
import { HEADLESS, type Service, SERVICE_PORT } from './services.ts'
import type { Stage } from './stage.ts'

/** Names, through the cluster's own DNS. */
export async function testNames(
  t: Test,
  stage: Stage,
  cast: Cast,
  services: readonly Service[],
): Promise<void> {
  await t.test("pods ask the cluster's DNS by its Service", async t => {
    const dns = await stage.get('--namespace=kube-system', 'service', 'kube-dns')
    for (const { pod } of cast) {
      t.match(await inPod(stage, pod.name, 'cat /etc/resolv.conf'), `nameserver ${dns.spec.clusterIP}\n`)
    }
  })

  await t.test('a Service is reached by its name, in full and through the search path', t => {
    const suffixes = ['', '.default', '.default.svc', '.default.svc.cluster.local']
    const calls = cast.flatMap(({ twin }) =>
      services.flatMap(({ name, pod }) =>
        suffixes.flatMap(suffix =>
          stage.families.map(version => ({
            from: fromPod(stage, twin.name),
            to: name + suffix,
            port: SERVICE_PORT,
            version,
            server: pod.name,
          })),
        ),
      ),
    )
    return comesOut(t, calls)
  })

  await t.test("a headless Service's name gives the addresses of its pods", async t => {
    const [version] = stage.families
    const addresses = cast.map(({ pod }) => pod.addresses[version]!)
    const type = version === 4 ? 'A' : 'AAAA'
    const lookUp = async () => {
      const said = await inPod(stage, cast[0]!.twin.name, `dig +short +search ${HEADLESS} ${type}`)
      return said.split('\n').filter(line => line !== '')
    }
    await stage.until('the name of every pod', async () => (await lookUp()).length === addresses.length)
    t.same((await lookUp()).sort(), addresses.sort())
    const from = fromPod(stage, cast[0]!.twin.name)
    const said = await from.run(`nc -${version} -w3 ${HEADLESS} ${PORT} </dev/null`)
    t.ok(
      cast.some(({ pod }) => said.startsWith(`${pod.name} `)),
      'and one of them answers',
    )
  })
}
