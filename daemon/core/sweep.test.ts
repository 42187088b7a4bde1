import fc from 'fast-check'
import t from 'tap'
import { aliasOf, hostVethName, ifbName } from '../../cni/core/names.ts'
import type { NetworkName } from '../../cni/spec/config.ts'
import { type Attachment, parseContainerId, parseIfName } from '../../cni/spec/environment.ts'
import {
  examine,
  type Finding,
  type HeldAddress,
  markOf,
  note,
  type NodeLink,
  type Sight,
  type Sightings,
  staleAmong,
} from './sweep.ts'

const network = 'podwire' as NetworkName
const attachmentOf = (id: string, ifname = 'eth0'): Attachment => ({
  containerId: parseContainerId(id, 'id'),
  ifname: parseIfName(ifname, 'ifname'),
})
const veth = (id: string): string => hostVethName(attachmentOf(id))
const link = (id: string): NodeLink => ({
  index: 7,
  kind: 'veth',
  name: veth(id),
  alias: aliasOf(network, attachmentOf(id)),
})
const ifb = (id: string): NodeLink => ({
  ...link(id),
  kind: 'ifb',
  name: ifbName(hostVethName(attachmentOf(id))),
})
const held = (file: string, containerId: string, ifname: string | undefined = 'eth0'): HeldAddress => ({
  file,
  owner: { kind: 'held', containerId, ifname },
  mark: `inode of ${file}`,
})
const look = (sight: Partial<Sight>): Finding =>
  examine({ network, addresses: [], ruleOwners: [], links: [], ...sight })
const namesOf = ({ suspects }: Finding): string[] => suspects.map(({ kind, name }) => `${kind} ${name}`)

t.test('examine() suspects who holds addresses without a veth, once however many', t => {
  const addresses = [held('10.1.0.2', 'a'), held('10.1.0.3', 'b'), held('fd00::2', 'a')]
  const finding = look({ addresses, links: [link('b')] })
  t.equal(finding.alive, 1)
  t.same(namesOf(finding), ['attachment a/eth0'])
  t.match(finding.suspects[0], { veth: veth('a'), addresses: [addresses[0], addresses[2]] })
  t.end()
})

t.test('examine() takes a veth for alive that nobody has labelled yet, or somebody else has', t => {
  const addresses = [held('10.1.0.2', 'a'), held('10.1.0.3', 'b')]
  const links = [
    { ...link('a'), alias: undefined },
    { ...link('b'), alias: 'podwire other b eth0' },
  ]
  t.same(look({ addresses, links }), { alive: 2, suspects: [] })
  t.end()
})

t.test('examine() knows a veth of another name by its alias', t => {
  const links = [{ ...link('a'), name: 'renamed' }]
  t.same(look({ addresses: [held('10.1.0.2', 'a')], links }), { alive: 1, suspects: [] })
  t.end()
})

t.test('examine() tells the interfaces of one container apart', t => {
  const addresses = [held('10.1.0.2', 'a'), held('10.1.0.3', 'a', 'net1')]
  t.same(namesOf(look({ addresses, links: [link('a')] })), ['attachment a/net1'])
  t.end()
})

t.test('examine() suspects rules of this network without link and holder', t => {
  const owner = (id: string, tag: string = network) => ({
    network: tag,
    veth: hostVethName(attachmentOf(id)),
  })
  const finding = look({
    addresses: [held('10.1.0.2', 'holder')],
    ruleOwners: [owner('gone'), owner('gone'), owner('holder'), owner('alive'), owner('foreign', 'other')],
    links: [link('alive')],
  })
  t.same(namesOf(finding), ['attachment holder/eth0', `rules rules of ${veth('gone')}`])
  t.end()
})

t.test('examine() takes an ifb device for no sign of life', t => {
  const finding = look({ addresses: [held('10.1.0.2', 'a')], links: [ifb('a')] })
  t.equal(finding.alive, 0)
  t.same(namesOf(finding), ['attachment a/eth0'], 'whose DEL removes it, too')
  t.end()
})

t.test('examine() suspects an ifb device of this network without veth and holder', t => {
  const finding = look({
    addresses: [held('10.1.0.2', 'b')],
    links: [ifb('a'), ifb('b'), ifb('c'), link('c')],
  })
  t.same(namesOf(finding), ['attachment b/eth0', `ifb ${ifb('a').name}`])
  const again = look({ links: [{ ...ifb('a'), index: 8 }] })
  t.not(again.suspects[0]?.mark, finding.suspects[1]?.mark, 'it is another one after the next ADD')
  t.end()
})

t.test('examine() lets ifb devices of others, and of veths with other names or labels, be', t => {
  const links = [
    { ...ifb('a'), alias: 'podwire other a eth0' },
    { ...ifb('b'), alias: undefined },
    { ...ifb('c'), kind: 'dummy' },
    { ...ifb('d'), name: 'renamed' },
    link('d'),
    ifb('e'),
    { ...link('e'), name: 'uplink' },
    ifb('f'),
    { ...link('f'), alias: undefined },
  ]
  t.same(look({ links }).suspects, [])
  t.end()
})

t.test('examine() tells of files that are no reservation, with the reason', t => {
  const file = (name: string, owner: HeldAddress['owner']): HeldAddress => ({ file: name, owner, mark: 'm' })
  const { alive, suspects } = look({
    addresses: [
      file('10.1.0.2', { kind: 'empty' }),
      file('10.1.0.3', { kind: 'damaged' }),
      file('10.1.0.4', { kind: 'held', containerId: 'a', ifname: undefined }),
      file('10.1.0.5', { kind: 'held', containerId: 'a', ifname: '../../etc' }),
    ],
  })
  t.equal(alive, 0)
  t.same(
    suspects.map(suspect => suspect.kind === 'file' && [suspect.name, suspect.problem]),
    [
      ['10.1.0.2', 'it is empty'],
      ['10.1.0.3', 'it is damaged or cannot be read'],
      ['10.1.0.4', 'it names a container without a usable interface name'],
      ['10.1.0.5', 'it names a container without a usable interface name'],
    ],
  )
  t.end()
})

t.test('markOf() goes by what is held, not by its order', t => {
  const [a, b] = [held('10.1.0.2', 'a'), held('fd00::2', 'a')]
  t.equal(markOf([a, b]), markOf([b, a]))
  t.not(markOf([a]), markOf([a, b]))
  t.not(markOf([a]), markOf([{ ...a, mark: 'another inode' }]))
  t.end()
})

const GRACE = 100
const suspectsAt = (...addresses: HeldAddress[]) => look({ addresses }).suspects

t.test('staleAmong() waits out the grace period from the first sighting', t => {
  const suspects = suspectsAt(held('10.1.0.2', 'a'))
  t.same(staleAmong(new Map(), suspects, 0, 0), [], 'never at first sight')
  const seen = note(note(new Map(), suspects, 0), suspects, 60)
  t.same(staleAmong(seen, suspects, GRACE - 1, GRACE), [])
  t.same(staleAmong(seen, suspects, GRACE, GRACE), suspects)
  t.end()
})

t.test('note() forgets what is no suspect any more, and what has changed hands', t => {
  const suspects = suspectsAt(held('10.1.0.2', 'a'))
  const gone = note(note(new Map(), suspects, 0), [], 50)
  t.same(staleAmong(note(gone, suspects, 60), suspects, GRACE, GRACE), [])
  const again = suspectsAt({ ...held('10.1.0.2', 'a'), mark: 'another inode' })
  const seen = note(new Map(), suspects, 0)
  t.same(staleAmong(seen, again, GRACE, GRACE), [])
  t.same(staleAmong(note(seen, again, GRACE), again, GRACE + 1, GRACE), [])
  t.end()
})

/** An attachment's life: what a runtime and a kernel can do to it. */
type Event =
  | { readonly kind: 'reserve' | 'wire' | 'die' | 'del'; readonly id: string }
  | { readonly kind: 'sweep'; readonly after: number }

/** A node on which events happen in any order; an ADD that has not died makes its veth within the grace period. */
class ModelNode {
  readonly files = new Map<string, string>()
  readonly veths = new Set<string>()
  readonly #working = new Map<string, number>()
  #sightings: Sightings = new Map()
  #inode = 0
  now = 0

  happen(event: Event): void {
    if (event.kind === 'sweep') return void this.sweep(event.after)
    const { kind, id } = event
    if (kind === 'reserve' && !this.files.has(id)) {
      this.files.set(id, `inode ${(this.#inode += 1)}`)
      this.#working.set(id, this.now)
    } else if (kind === 'wire' && this.#working.delete(id)) this.veths.add(id)
    else if (kind === 'die') {
      this.veths.delete(id)
      this.#working.delete(id)
    } else if (kind === 'del') {
      this.veths.delete(id)
      this.#working.delete(id)
      this.files.delete(id)
    }
  }

  /** Sweeps after a while; answers what it removed. */
  sweep(after: number): string[] {
    this.now += after
    for (const [id, since] of this.#working) if (this.now - since >= GRACE) this.happen({ kind: 'wire', id })
    const addresses = [...this.files].map(([id, mark]) => ({ ...held(`10.1.0.${id}`, id), mark }))
    const { suspects } = look({ addresses, links: [...this.veths].map(link) })
    const stale = staleAmong(this.#sightings, suspects, this.now, GRACE)
    this.#sightings = note(this.#sightings, suspects, this.now)
    const removed = stale.map(({ name }) => name.split('/')[0]!)
    for (const id of removed) {
      if (this.veths.has(id) || this.#working.has(id)) throw new Error(`${id} was alive`)
      this.files.delete(id)
    }
    return removed
  }
}

const ids = fc.constantFrom('1', '2', '3')
const events: fc.Arbitrary<Event> = fc.oneof(
  fc.record({ kind: fc.constantFrom('reserve', 'wire', 'die', 'del'), id: ids }),
  fc.record({ kind: fc.constant('sweep'), after: fc.integer({ min: 0, max: 2 * GRACE }) }),
)

t.test('whatever happens, sweeps never remove what lives, and in the end all that is dead', t => {
  fc.assert(
    fc.property(fc.array(events, { maxLength: 60 }), history => {
      const node = new ModelNode()
      for (const event of history) node.happen(event)
      node.sweep(0)
      node.sweep(GRACE)
      node.sweep(GRACE)
      return [...node.files.keys()].every(id => node.veths.has(id))
    }),
    { numRuns: 2000 },
  )
  t.end()
})
