import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { CniError } from '../../cni/spec/error.ts'
import { reserve } from '../../ipam/add.ts'
import { formatIp } from '../../ipam/core/ip.ts'
import { ipam } from '../../ipam/plugin.ts'
import { attachmentOf, callOf, Folder } from './calls.ts'

const IDS = ['a', 'b', 'c', 'd', 'e']
const SETS = [[{ subnet: '10.0.0.0/29' }], [{ subnet: 'fd00::/125' }]]
/** Addresses of the smaller set. */
const ROOM = 5

type Turn = {
  readonly verb: 'ADD' | 'DEL' | 'release' | 'GC' | 'foreign ADD' | 'foreign DEL'
  readonly id: string
}

const turns = fc.array(
  fc.record<Turn>({
    verb: fc.constantFrom('ADD', 'ADD', 'DEL', 'release', 'GC', 'foreign ADD', 'foreign DEL'),
    id: fc.constantFrom(...IDS),
  }),
  { maxLength: 40 },
)

/** The store, and beside it what must be in it: the addresses of each id. */
class Pair {
  readonly folder = new Folder()
  readonly model = new Map<string, readonly string[]>()
  readonly #last = new Map<string, { readonly ips: readonly string[]; release(): void }>()

  #call(id: string) {
    return callOf({ ipam: { dataDir: this.folder.dataDir, ranges: SETS }, id })
  }

  add(id: string): void {
    try {
      const { result, release } = reserve(this.#call(id))
      const ips = result.ips.map(({ address }) => formatIp(address.ip))
      t.notOk(this.model.has(id), 'an attachment gets its addresses once')
      t.notOk(
        [...this.model.values()].flat().some(ip => ips.includes(ip)),
        'and no one that another holds',
      )
      this.model.set(id, ips)
      this.#last.set(id, { ips, release })
    } catch (error) {
      if (!(error instanceof CniError)) throw error
      t.equal(error.kind, this.model.has(id) ? 'attachment-exists' : 'pool-exhausted')
      if (!this.model.has(id)) t.ok(this.model.size >= ROOM)
    }
  }

  async del(id: string): Promise<void> {
    await ipam.del(this.#call(id))
    this.model.delete(id)
  }

  /** Frees what the last ADD of an id got, unless a DEL or GC was first. */
  release(id: string): void {
    const last = this.#last.get(id)
    last?.release()
    if (last !== undefined && this.model.get(id) === last.ips) this.model.delete(id)
  }

  async gc(id: string): Promise<void> {
    await ipam.gc({ ...this.#call(id), valid: [attachmentOf(id)] })
    for (const other of this.model.keys()) if (other !== id) this.model.delete(other)
  }

  /** What host-local does, in its order. */
  foreignAdd(id: string): void {
    if (this.model.has(id)) return
    const held = [...this.model.values()].flat()
    const free = ['10.0.0.', 'fd00::'].flatMap(
      net => [2, 3, 4, 5, 6].map(n => net + n).find(ip => !held.includes(ip)) ?? [],
    )
    if (free.length < 2) return
    mkdirSync(this.folder.network, { recursive: true })
    for (const [set, ip] of free.entries()) {
      writeFileSync(join(this.folder.network, ip), `${id}\r\neth0`, { flag: 'wx' })
      writeFileSync(join(this.folder.network, `last_reserved_ip.${set}`), ip)
    }
    this.model.set(id, free)
  }

  foreignDel(id: string): void {
    for (const ip of this.model.get(id) ?? []) rmSync(join(this.folder.network, ip))
    this.model.delete(id)
  }

  check(): void {
    const expected = [...this.model].flatMap(([id, ips]) => ips.map(ip => [ip, `${id}\r\neth0`]))
    t.same(this.folder.addresses(), Object.fromEntries(expected))
  }
}

async function play(pair: Pair, { verb, id }: Turn): Promise<void> {
  if (verb === 'ADD') pair.add(id)
  else if (verb === 'DEL') await pair.del(id)
  else if (verb === 'release') pair.release(id)
  else if (verb === 'GC') await pair.gc(id)
  else if (verb === 'foreign ADD') pair.foreignAdd(id)
  else pair.foreignDel(id)
}

t.test('whatever is called in whatever order, the store holds exactly what was given out', async () => {
  await fc.assert(
    fc.asyncProperty(turns, async turns => {
      const pair = new Pair()
      using _ = pair.folder
      for (const turn of turns) {
        await play(pair, turn)
        pair.check()
      }
    }),
    { numRuns: 150 },
  )
})
