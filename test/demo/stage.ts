import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'

const PODWIRE = `${import.meta.dirname}/../../dist/podwire`
const names: string[] = []
const run = promisify(execFile)
let steps = 0

/** A pod of the demo: its name, its namespace, and where its ADD writes a trace. */
export interface Pod {
  readonly name: string
  readonly netns: string
  readonly trace: string
}

/** Announces what comes next. */
export function step(text: string): void {
  steps += 1
  console.log(`\n${steps}. ${text}\n`)
}

/** Shows something, indented. */
export const tell = (text: string): void => console.log(text.trimEnd().replace(/^/gm, '   '))

/** Makes a network namespace for the time of the demo. */
export function namespace(name: string): string {
  execFileSync('ip', ['netns', 'add', name])
  execFileSync('ip', ['-n', name, 'link', 'set', 'lo', 'up'])
  names.push(name)
  return name
}

/** Removes all that {@link namespace} has made. */
export function removeNamespaces(): void {
  for (const name of names.splice(0)) execFileSync('ip', ['netns', 'del', name])
}

/** Runs a command inside a namespace and answers what it prints. */
export async function inside(netns: string, ...command: string[]): Promise<string> {
  return (await run('nsenter', [`--net=/run/netns/${netns}`, ...command])).stdout
}

/** Calls the plugin as a container runtime does; answers its result. */
export async function cni(command: string, node: string, config: object, pod: Pod): Promise<unknown> {
  const env = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: pod.name,
    CNI_IFNAME: 'eth0',
    CNI_NETNS: `/run/netns/${pod.netns}`,
    CNI_PATH: '/opt/cni/bin',
    ...(command === 'ADD' ? { PODWIRE_TRACE: pod.trace } : {}),
  }
  const child = spawn('nsenter', [`--net=/run/netns/${node}`, PODWIRE], {
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', chunk => (output += chunk))
  child.stdin.end(JSON.stringify(config))
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${command} of ${pod.name} failed: ${output}`)
  return output === '' ? undefined : JSON.parse(output)
}

/** Starts a web server inside a pod; it ends with the `using` that holds it. */
export async function serve(pod: Pod): Promise<Disposable> {
  const program = `require('http').createServer((q, a) => a.end('hello from ${pod.name}, you are ' + q.socket.remoteAddress)).listen(8080, '::', () => console.log('ready'))`
  const child = spawn('nsenter', [`--net=/run/netns/${pod.netns}`, process.execPath, '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  return { [Symbol.dispose]: () => void child.kill() }
}
