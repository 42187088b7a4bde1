import type { Test } from 'tap'
import { evaluate, type Packet } from '../../../daemon/core/policy/evaluate.ts'
import type { Objects } from '../../../daemon/core/policy/objects.ts'
import { parseIp } from '../../../ipam/core/ip.ts'
import type { Version } from '../cluster.ts'
import type { Stage } from '../stage.ts'
import { readObjects } from './objects.ts'
import { nameOf, PORTS, type Prober } from './prober.ts'

export const PROTOCOLS = ['tcp', 'udp'] as const

/** One question of a truth table: does this one reach that one, so? */
export interface Cell {
  readonly from: Prober
  readonly to: Prober
  readonly protocol: (typeof PROTOCOLS)[number]
  readonly port: number
  readonly version: Version
  /** What is called instead of the pod's own address and port: a Service's, a node's. */
  readonly by?: { readonly address: string; readonly port: number }
}

/** How a table came out. */
export interface Outcome {
  readonly cells: number
  /** How many must be closed. */
  readonly closed: number
  /** What each cell said in the end that differs from the API's answer. */
  readonly wrong: Readonly<Record<string, string>>
  /** From the start until the first look at which all was right began; at most so long the change was not in force. */
  readonly milliseconds: number
  readonly looks: number
}

/** How long all daemons may take for a change, on a machine that has other things to do. */
const DEADLINE_MS = 30_000

/** Every ordered pair, a prober with itself too. What nodes say to nodes is no question of policies. */
export const everyPair = (stage: Stage, probers: readonly Prober[]): Cell[] =>
  probers.flatMap(from =>
    probers
      .filter(to => !(from.isHost && to.isHost))
      .flatMap(to =>
        PROTOCOLS.flatMap(protocol =>
          PORTS.flatMap(port =>
            stage.families.map((version): Cell => ({ from, to, protocol, port, version })),
          ),
        ),
      ),
  )

/** Asks all cells, and those again that differ from the API's answer, until none does or the deadline has passed. */
export async function compare(stage: Stage, cells: readonly Cell[]): Promise<Outcome> {
  const began = performance.now()
  let [looks, milliseconds] = [1, 0]
  const [objects, answers] = await Promise.all([readObjects(stage), askAll(cells)])
  const expected = new Map(cells.map(cell => [cell, expect(objects, cell)]))
  const isWrong = (cell: Cell): boolean => answers.get(cell) !== expected.get(cell)
  for (let open = cells.filter(isWrong); open.length > 0; open = open.filter(isWrong)) {
    milliseconds = performance.now() - began
    if (milliseconds > DEADLINE_MS) break
    looks++
    for (const [cell, answer] of await askAll(open)) answers.set(cell, answer)
  }
  const wrong = cells.filter(isWrong).map(cell => {
    return [describe(cell), `${answers.get(cell)}, and must be ${expected.get(cell)}`]
  })
  const closed = cells.filter(cell => expected.get(cell) === SILENT).length
  return { cells: cells.length, closed, wrong: Object.fromEntries(wrong), milliseconds, looks }
}

/** The same as one assertion. */
export async function agrees(t: Test, stage: Stage, about: string, cells: readonly Cell[]): Promise<Outcome> {
  const outcome = await compare(stage, cells)
  const { closed, wrong, milliseconds, looks } = outcome
  const time = looks === 1 ? 'at the first look' : `within ${Math.ceil(milliseconds)} ms`
  t.same(wrong, {}, `${about}: ${cells.length} cells, ${closed} closed, ${time}`)
  return outcome
}

/** The same for cells that must all be closed whatever the API says: one look, for nothing may be open for a moment. */
export async function areClosed(t: Test, about: string, cells: readonly Cell[]): Promise<void> {
  const answers = await askAll(cells)
  const open = cells.filter(cell => answers.get(cell) !== SILENT)
  t.same(
    Object.fromEntries(open.map(cell => [describe(cell), answers.get(cell)])),
    {},
    `${about}: ${cells.length} cells`,
  )
}

/** What prober.c says of a target that does not answer. */
const SILENT = 'silent'

/** What a cell must say by the API: the name of whom it reaches, or that nobody answers. */
function expect(objects: Objects, cell: Cell): string {
  const { isAllowed } = evaluate(objects, { node: '', unknownPods: 'closed' }, packetOf(cell))
  return isAllowed ? nameOf(cell.to) : SILENT
}

const packetOf = ({ from, to, protocol, port, version }: Cell): Packet => ({
  source: parseIp(from.addresses[version]!)!,
  destination: parseIp(to.addresses[version]!)!,
  protocol,
  port,
  ...(from.isHost ? { sender: from.node } : {}),
  ...(to.isHost ? { receiver: to.node } : {}),
})

const describe = ({ from, to, protocol, port, version, by }: Cell): string =>
  `${nameOf(from)} to ${nameOf(to)}, ${protocol} ${port}, IPv${version}` +
  (by === undefined ? '' : `, by ${by.address} ${by.port}`)

/** One question for each prober, with all it is to ask. Who cannot be told to ask says so in each cell. */
async function askAll(cells: readonly Cell[]): Promise<Map<Cell, string>> {
  const byCaller = Map.groupBy(cells, ({ from }) => from)
  const parts = await Promise.all([...byCaller].map(([from, its]) => ask(from, its)))
  return new Map(parts.flat())
}

async function ask({ questions }: Prober, cells: readonly Cell[]) {
  const said = await questions.ask(cells.map(targetOf).join(' ')).catch((error: Error) => error.message)
  return cells.map((cell, i): [Cell, string] => {
    const line = typeof said === 'string' ? `not asked: ${said}` : (said[i] ?? 'not asked')
    return [cell, line.startsWith(`${nameOf(cell.to)} `) ? nameOf(cell.to) : line]
  })
}

function targetOf({ to, protocol, port, version, by }: Cell): string {
  return `${protocol}:${by?.port ?? port}:${by?.address ?? to.addresses[version]!}`
}
