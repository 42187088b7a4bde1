import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { reserve } from '../../ipam/add.ts'
import { formatIp, IPV4 } from '../../ipam/core/ip.ts'
import { ipam } from '../../ipam/plugin.ts'
import { callOf, Folder } from './calls.ts'

const ROUNDS = 400
const FIRST = 0x0a_14_00_02n

/** A folder with addresses held as the reference host-local leaves them, and the first ADD after it done. */
function folderWith(count: number): Folder {
  const folder = new Folder()
  mkdirSync(folder.network)
  const names = Array.from({ length: count }, (_, i) => formatIp({ family: IPV4, value: FIRST + BigInt(i) }))
  names.forEach((name, i) => writeFileSync(join(folder.network, name), `held${i}\r\neth0`, { mode: 0o600 }))
  writeFileSync(join(folder.network, 'last_reserved_ip.0'), names.at(-1)!)
  return folder
}

/** Milliseconds of one ADD and DEL. */
async function round(folder: Folder, id: string): Promise<number> {
  const call = callOf({ ipam: { dataDir: folder.dataDir, subnet: '10.20.0.0/16' }, id })
  const start = performance.now()
  reserve(call)
  await ipam.del(call)
  return performance.now() - start
}

const median = (times: readonly number[]): number => times.toSorted((a, b) => a - b)[times.length >> 1]!

t.test('ADD and DEL with 60,000 addresses held cost at most twice what they cost with 10', async t => {
  using few = folderWith(10)
  using many = folderWith(60_000)
  const first = await round(many, 'first')
  t.comment(`the one ADD and DEL that read all that host-local left: ${first.toFixed(0)} ms`)
  for (let i = 0; i < 50; i += 1) await round(few, `warm${i}`)
  const times: { few: number[]; many: number[] } = { few: [], many: [] }
  for (let i = 0; i < ROUNDS; i += 1) {
    times.few.push(await round(few, `c${i}`))
    times.many.push(await round(many, `c${i}`))
  }
  const [a, b] = [median(times.few), median(times.many)]
  t.comment(
    `ADD and DEL: ${a.toFixed(3)} ms with 10 held, ${b.toFixed(3)} ms with 60,000: ${(b / a).toFixed(2)} times`,
  )
  t.ok(b <= 2 * a, `${b.toFixed(3)} ms is at most twice ${a.toFixed(3)} ms`)
})
