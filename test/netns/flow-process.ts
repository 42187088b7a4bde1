import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'

/*
 * One end of a flow: `receive` listens, says at which port, and tells of the first connection how many bytes came in how
 * many milliseconds; `send ADDRESS PORT BYTES` sends so many.
 */

function receive(): void {
  const server = createServer(async socket => {
    let [bytes, started] = [0, 0]
    for await (const chunk of socket) {
      started ||= performance.now()
      bytes += (chunk as Buffer).length
    }
    console.log(JSON.stringify({ bytes, ms: performance.now() - started }))
    server.close()
  })
  server.listen(0, '::', () => console.log((server.address() as AddressInfo).port))
}

async function send(host: string, port: number, bytes: number): Promise<void> {
  const socket = connect({ host, port })
  socket.end(Buffer.alloc(bytes))
  await once(socket, 'close')
}

const [role, host = '', port, bytes] = process.argv.slice(2)
if (role === 'receive') receive()
else await send(host, Number(port), Number(bytes))
