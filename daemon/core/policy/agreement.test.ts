import fc from 'fast-check'
import t from 'tap'
import { applyDifference, canonical } from '../../../test/support/interpret.ts'
import { objects, PACKETS } from '../../../test/support/policy.ts'
import { formatIp } from '../../../ipam/core/ip.ts'
import { affected } from './affected.ts'
import { compile, Compiler } from './compile.ts'
import { difference } from './difference.ts'
import { evaluate, type Packet } from './evaluate.ts'
import { explain } from './explain/explain.ts'
import { judge } from './judge.ts'
import { type Objects, type Site } from './objects.ts'
import type { RuleSet } from './rule-set.ts'
import { updateScript } from './script.ts'

const site = fc.record({
  node: fc.constant('n1'),
  unknownPods: fc.constantFrom('closed' as const, 'open' as const),
  log: fc.boolean(),
})

const show = ({ source, destination, protocol, port, sender, receiver }: Packet): string =>
  `${formatIp(source)} of ${sender} > ${formatIp(destination)} of ${receiver} ${protocol} ${port}`

/** What evaluate() says of the ends that are on this node. */
const expected = (all: Objects, where: Site, packet: Packet): 'accept' | 'drop' =>
  evaluate(all, where, packet).decisions.every(({ node, isAllowed }) => node !== where.node || isAllowed)
    ? 'accept'
    : 'drop'

t.test('the compiled rules and the API objects agree on every packet', async t => {
  fc.assert(
    fc.property(objects, site, (all, where) => {
      const rules = compile(all, where)
      const wrong = PACKETS.filter(packet => judge(rules, 'n1', packet) !== expected(all, where, packet))
      if (wrong.length > 0) throw new Error(wrong.map(show).join('\n'))
    }),
    { numRuns: 100 },
  )
  t.pass()
})

t.test('evaluate() names the policies that deny, and the rule that allows', async t => {
  fc.assert(
    fc.property(objects, site, fc.constantFrom(...PACKETS), (all, where, packet) => {
      const judgement = evaluate(all, where, packet)
      const [verdict, ...reasons] = explain(judgement)
      return (
        verdict === (judgement.isAllowed ? 'allowed' : 'denied') &&
        judgement.decisions.every(({ reason, isAllowed }, i) => {
          if (reason.kind === 'isolated')
            return !isAllowed && / is denied: isolated by (red|blue|green)\/p\d/.test(reasons[i]!)
          if (reason.kind !== 'allowed') return true
          const rules = reason.policy[judgement.decisions[i]!.direction]!
          return isAllowed && rules.includes(reason.rule) && / by \w+\/p\d, \w+\[\d\]$/.test(reasons[i]!)
        })
      )
    }),
    { numRuns: 300 },
  )
  t.pass()
})

type Change = (compiler: Compiler) => void

/** What turns one cluster into another, bit by bit. */
function changesBetween(before: Objects, after: Objects): Change[] {
  return [
    ...before.pods.map(
      (pod): Change =>
        to =>
          to.deletePod(pod),
    ),
    ...before.policies.map(
      (policy): Change =>
        to =>
          to.deletePolicy(policy),
    ),
    ...before.namespaces.map(
      ({ name }): Change =>
        to =>
          to.deleteNamespace(name),
    ),
    ...before.attached.map(
      ({ id }): Change =>
        to =>
          to.detach(id),
    ),
    ...after.pods.map(
      (pod): Change =>
        to =>
          to.setPod(pod),
    ),
    ...after.policies.map(
      (policy): Change =>
        to =>
          to.setPolicy(policy),
    ),
    ...after.namespaces.map(
      (namespace): Change =>
        to =>
          to.setNamespace(namespace),
    ),
    ...after.attached.map(
      (attached): Change =>
        to =>
          to.attach(attached),
    ),
    to => to.setPodCidrs(after.podCidrs),
  ]
}

/** Two clusters that differ in some kinds of objects only, so that many rules stay. */
const pairs = fc
  .tuple(objects, objects, fc.subarray(['pods', 'namespaces', 'policies', 'podCidrs', 'attached'] as const))
  .map(([from, other, kinds]): [Objects, Objects] => [
    from,
    { ...from, ...Object.fromEntries(kinds.map(kind => [kind, other[kind]])) },
  ])

/** Which changes are compiled alone, and which together with the next. */
const pauses = fc.array(fc.boolean(), { minLength: 20, maxLength: 20 })

/** The rule sets on the way from one cluster to another. */
function* way(from: Objects, to: Objects, where: Site & { log: boolean }, stops: readonly boolean[]) {
  const compiler = new Compiler(where)
  for (const change of changesBetween(
    { ...from, pods: [], policies: [], namespaces: [], attached: [] },
    from,
  ))
    change(compiler)
  yield compiler.compile()
  for (const [i, change] of changesBetween(from, to).entries()) {
    change(compiler)
    if (stops[i % stops.length]) yield compiler.compile()
  }
  yield compiler.compile()
}

t.test('taking in changes comes to the same as compiling from nothing', async t => {
  fc.assert(
    fc.property(pairs, site, pauses, ([from, to], where, stops) => {
      const last = [...way(from, to, where, stops)].at(-1)!
      return canonical(last) === canonical(compile(to, where))
    }),
    { numRuns: 100 },
  )
  t.pass()
})

t.test('a difference turns what is present into what is wanted, and nothing into nothing', async t => {
  fc.assert(
    fc.property(pairs, site, pauses, ([from, to], where, stops) => {
      let present: RuleSet | undefined
      for (const wanted of way(from, to, where, stops)) {
        const change = difference(present ?? wanted, wanted)
        const made = applyDifference(present ?? wanted, change)
        if (canonical(made) !== canonical(wanted)) return false
        const isSame = present === undefined || canonical(present) === canonical(wanted)
        if (isSame !== (updateScript(wanted, change) === '')) return false
        present = wanted
      }
      return true
    }),
    { numRuns: 60 },
  )
  t.pass()
})

t.test('affected() knows everybody whose connections a change may forbid', async t => {
  fc.assert(
    fc.property(pairs, site, ([from, to], where) => {
      const [present, wanted] = [...way(from, to, where, [false])] as [RuleSet, RuleSet]
      const { ingress, egress } = affected(present, wanted)
      const missed = PACKETS.filter(packet => {
        const forbidden = [present, wanted].map(rules => judge(rules, 'n1', packet)).join()
        return (
          forbidden === 'accept,drop' &&
          !ingress.has(formatIp(packet.destination)) &&
          !egress.has(formatIp(packet.source))
        )
      })
      if (missed.length > 0) throw new Error(missed.map(show).join('\n'))
    }),
    { numRuns: 60 },
  )
  t.pass()
})
