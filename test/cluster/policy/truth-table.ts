import type { Test } from 'tap'
import type { Stage } from '../stage.ts'
import { allCases } from './cases/all.ts'
import { type Case, objectsOf, slugOf } from './cases/case.ts'
import { deletePolicies } from './delete.ts'
import type { Scene } from './scene.ts'
import { agrees, everyPair, type Outcome } from './table.ts'

/** One table for each case, right after its policies have come and those of the case before have gone. */
export async function testTruthTable(t: Test, stage: Stage, scene: Scene): Promise<void> {
  await t.test('every pair reaches each other exactly as the API says', async t => {
    const cells = everyPair(stage, scene.probers)
    const knowsEndPort = await hasEndPort(stage)
    const outcomes: Outcome[] = []
    for (const its of casesFor(scene)) {
      if (its.needs === 'endPort' && !knowsEndPort) {
        t.pass(its.name, { skip: 'this API server knows no endPort' })
        continue
      }
      await inForceAlone(stage, its)
      outcomes.push(await agrees(t, stage, its.name, cells))
    }
    await deletePolicies(stage)
    outcomes.push(await agrees(t, stage, 'without policies', cells))
    tell(outcomes)
  })
}

/** Each family has rules of its own: where there is but one, a part of the cases will do. */
const casesFor = (scene: Scene): Case[] =>
  allCases(scene).filter((_, i) => scene.stage.families.length === 2 || i % 4 === 0)

/** Makes a case's policies and deletes all others. */
async function inForceAlone(stage: Stage, its: Case): Promise<void> {
  await Promise.all([stage.apply(objectsOf(its)), deletePolicies(stage, `case!=${slugOf(its.name)}`)])
}

/** Whether the API server keeps an endPort, which those before 1.22 drop. */
async function hasEndPort(stage: Stage): Promise<boolean> {
  const [policy] = objectsOf({
    name: 'end port',
    policies: { shop: [{ podSelector: {}, ingress: [{ ports: [{ port: 1, endPort: 2 }] }] }] },
  })
  const dry = ['create', '--dry-run=server', '--validate=false', '--output=json', '--filename=-']
  return (await stage.cluster.kubectl(dry, JSON.stringify(policy))).includes('endPort')
}

/** How fast changes were in force, for people; tap's reporters show no names of assertions that hold. */
function tell(outcomes: readonly Outcome[]): void {
  const late = outcomes.filter(({ looks }) => looks > 1).map(({ milliseconds }) => milliseconds)
  const cells = outcomes.reduce((sum, each) => sum + each.cells, 0)
  const at = `${outcomes.length - late.length} of ${outcomes.length} tables agree at the first look`
  const rest = late.length === 0 ? '' : `, the others within ${Math.ceil(Math.max(...late))} ms`
  console.error(`${cells} cells: ${at}${rest}`)
}
