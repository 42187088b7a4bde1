import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer, isIPv6, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { Command, Ends } from './talker.ts'

/*
 * The process of a Talker. It listens on one port, TCP and UDP, both families, and answers everything with the
 * asker's address, after its own name if it was given one; on stdin it is told whom to ask. It ends with its stdin.
 */

const PORT = 7000
const PATIENCE_MS = 3000
const kept = new Map<string, Socket>()

const name = process.argv[2] ?? ''
const answerTo = (address = ''): string => `${name} ${address.replace('::ffff:', '')}`.trim()

createServer(socket => {
  socket.on('data', () => socket.write(answerTo(socket.remoteAddress)))
  socket.on('error', () => {})
}).listen(PORT, '::', () => {
  const server = createSocket({ type: 'udp6' })
  server.on('message', (_, { address, port }) => server.send(answerTo(address), port, address))
  server.bind(PORT, '::', () => console.log('listening'))
})

async function sayTcp(socket: Socket, patienceMs = PATIENCE_MS): Promise<string> {
  socket.write('?')
  const [answer] = await once(socket, 'data', { signal: AbortSignal.timeout(patienceMs) })
  return String(answer)
}

async function open(
  to: string,
  { from, fromPort, port = PORT, patienceMs = PATIENCE_MS }: Ends,
): Promise<Socket> {
  const own = { ...(from && { localAddress: from }), ...(fromPort && { localPort: fromPort }) }
  const socket = connect({ host: to, port, ...own })
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(patienceMs) })
    return socket
  } catch (error) {
    socket.destroy()
    throw error
  }
}

async function askTcp(to: string, ends: Ends): Promise<string> {
  const socket = await open(to, ends)
  try {
    return await sayTcp(socket, ends.patienceMs)
  } finally {
    socket.destroy()
  }
}

async function askUdp(
  to: string,
  { from, fromPort, port = PORT, patienceMs = PATIENCE_MS }: Ends,
): Promise<string> {
  const socket = createSocket(isIPv6(to) ? 'udp6' : 'udp4')
  try {
    if (from !== undefined || fromPort !== undefined)
      await new Promise<void>(resolve => void socket.bind(fromPort, from, resolve))
    socket.send('?', port, to)
    const [answer] = await once(socket, 'message', { signal: AbortSignal.timeout(patienceMs) })
    return String(answer)
  } finally {
    socket.close()
  }
}

async function carryOut(command: Command): Promise<string> {
  switch (command.kind) {
    case 'ask':
      return command.protocol === 'tcp' ? askTcp(command.to, command) : askUdp(command.to, command)
    case 'keep':
      kept.set(command.name, await open(command.to, {}))
      return sayTcp(kept.get(command.name)!)
    case 'again':
      return sayTcp(kept.get(command.name)!, command.patienceMs)
    case 'reach':
      return reach(command.addresses, command.patienceMs)
  }
}

async function reach(addresses: readonly string[], patienceMs: number): Promise<string> {
  const ends = { patienceMs }
  const asked = addresses.flatMap(to => [askTcp(to, ends), askUdp(to, ends)])
  return JSON.stringify(await Promise.all(asked.map(answer => answer.catch(error => `failed: ${error}`))))
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(await carryOut(JSON.parse(line)).catch(error => `failed: ${error}`))
}
process.exit()
