import type { Protocol } from '../../../../cni/core/netlink/field.ts'
import { type Ip, IPV4, parseIp } from '../../../../ipam/core/ip.ts'
import { all, gather, type Given, helpOf, one, type Row, SWITCH } from '../../arguments.ts'
import type { NodeName } from '../../node.ts'
import { KUBECONFIG, NODE_NAME } from '../../options.ts'
import { isPort, parseProtocol } from '../json.ts'

/** One end, as somebody names it: a pod, or an address, whoever has that. */
export type Place =
  | { readonly kind: 'pod'; readonly namespace: string; readonly name: string }
  | { readonly kind: 'address'; readonly ip: Ip }

/** What is to be reached. */
export interface Target {
  readonly place: Place
  /** By number, or by the name that the destination pod has for it. */
  readonly port: number | string
  readonly protocol: Protocol
}

/** Whether the first packet of a connection would pass. */
export interface Question {
  readonly from: Place
  readonly to: Target
}

/** What `podwire policy` is asked to do. */
export type PolicyCommand =
  | { readonly kind: 'help' }
  | {
      readonly kind: 'explain'
      readonly question: Question
      /** The command that asks the same elsewhere. */
      readonly again: string
      /** Whether to show the rules of this node that carry it. */
      readonly kernel: boolean
      readonly kubeconfig: string | undefined
      /** Undefined where nobody has told which node this is. */
      readonly nodeName: NodeName | undefined
    }

const PROGRAM = 'podwire policy explain'

const FROM: Row<Place> = {
  flag: '--from',
  value: 'NAMESPACE/POD',
  help: 'who opens the connection; also an address, of a node or of the world',
  allowed: 'NAMESPACE/POD or an address',
  parse: parsePlace,
}
const TO: Row<Target> = {
  flag: '--to',
  value: 'NAMESPACE/POD:PORT',
  help: 'what it is to; also ADDRESS:PORT or [IPV6]:PORT; /UDP or /SCTP after it',
  allowed: 'NAMESPACE/POD:PORT, ADDRESS:PORT or [IPV6]:PORT, and /TCP, /UDP or /SCTP after it or nothing',
  parse: parseTarget,
}
const KERNEL: Row<boolean> = {
  flag: '--kernel',
  help: 'show the rules of this node that carry it, with their counters',
  otherwise: 'false',
  ...SWITCH,
}

const ROWS: readonly Row<unknown>[] = [FROM, TO, KERNEL, KUBECONFIG, NODE_NAME]

/** The text of `podwire policy explain --help`. */
export const POLICY_HELP = `podwire policy explain: may one pod reach another, and which NetworkPolicy and rule decides?

  ${PROGRAM} --from=NAMESPACE/POD --to=NAMESPACE/POD:PORT[/PROTOCOL] [OPTION...]
  kubectl exec -n kube-system ds/podwire -- ${PROGRAM} ...

PORT is a number, or the name that the destination pod has for one. PROTOCOL is TCP, UDP or SCTP; TCP when absent.
It asks the API server. The exit status is 0 for allowed, 1 for denied, 2 when it could not tell.

${ROWS.map(helpOf).join('')}`

/** Reads what follows `podwire policy`. Throws a sentence that says what is allowed. */
export function parsePolicyCommand(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): PolicyCommand {
  if (argv.includes('--help')) return { kind: 'help' }
  const [command = '', ...rest] = argv
  if (command !== 'explain')
    throw new Error(`Unknown command ${JSON.stringify(command)}; see ${PROGRAM} --help`)
  const given = gather(rest, ROWS, PROGRAM)
  return {
    kind: 'explain',
    question: { from: required(FROM, given), to: required(TO, given) },
    again: againOf(given),
    kernel: one(KERNEL, given),
    kubeconfig: all(KUBECONFIG, given)[0],
    nodeName: all(NODE_NAME, given, env['NODE_NAME'])[0],
  }
}

function required<T>(row: Row<T>, given: Given): T {
  const [value] = all(row, given)
  if (value !== undefined) return value
  throw new Error(`Cannot explain: there is no ${row.flag}; give ${row.flag}=${row.value}`)
}

/** Quoted, for a shell takes brackets for a pattern. */
const againOf = (given: Given): string =>
  [PROGRAM, ...[FROM, TO].map(({ flag }) => `${flag}='${given.get(flag)![0]!}'`), KERNEL.flag].join(' ')

/** Brackets stand around an IPv6 address only, and are not needed. */
function parsePlace(text: string): Place | undefined {
  const [, bracketed] = /^\[(.*)\]$/s.exec(text) ?? []
  const ip = parseIp(bracketed ?? text)
  if (ip !== undefined)
    return bracketed === undefined || ip.family !== IPV4 ? { kind: 'address', ip } : undefined
  const [, namespace, name] = /^([-a-z0-9.]+)\/([-a-z0-9.]+)$/.exec(text) ?? []
  return namespace === undefined || name === undefined ? undefined : { kind: 'pod', namespace, name }
}

function parseTarget(text: string): Target | undefined {
  const [, where = '', portText = '', protocolText] = /^(.*):([^:/]+)(?:\/(\w+))?$/s.exec(text) ?? []
  // Without brackets nobody could say where an IPv6 address ends.
  const place = where.includes(':') && !where.startsWith('[') ? undefined : parsePlace(where)
  const port = parsePort(portText)
  const protocol = parseProtocol(protocolText?.toUpperCase())
  if (place === undefined || port === undefined || protocol === undefined) return undefined
  return { place, port, protocol }
}

/** A number, or what a container's port may be called (IANA_SVC_NAME: up to 15 characters, one of them a letter). */
function parsePort(text: string): number | string | undefined {
  if (/^[1-9]\d{0,4}$/.test(text) && isPort(Number(text))) return Number(text)
  return /^(?=.*[a-z])[-a-z0-9]{1,15}$/.test(text) ? text : undefined
}
