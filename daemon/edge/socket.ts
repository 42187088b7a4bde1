import { chmodSync, lstatSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { messageOf } from '../../cni/spec/error.ts'
import { type Answer, encodeAnswer, type Frame, GO, NOT_MINE, parseFrame, TAKEN } from '../core/frame.ts'
import type { Log } from '../core/log.ts'

/** Who carries calls out. */
export interface Carrier {
  /** Whether a call is one for the daemon; of any other the launcher takes care itself. */
  takes(frame: Frame): boolean
  /** Carries a call out; never rejects. `isAwaited` tells whether there still is somebody who wants the answer. */
  carryOut(frame: Frame, isAwaited: () => boolean): Promise<Answer>
}

/** A launcher sends its call at once, and its go as soon as it has heard; one that does not has been stopped. */
const PATIENCE_MS = 10_000

/** A server on the socket. */
export interface SocketServer {
  /** Takes no more calls: launchers find no socket, and carry out what comes themselves. Waits for calls at work. */
  close(): Promise<void>
}

/**
 * Takes calls at a socket that only root may open. It comes by a rename, so that there is one all the while a daemon
 * takes over from another. Throws when it cannot be made.
 */
export async function listen(path: string, carrier: Carrier, log: Log): Promise<SocketServer> {
  mkdirSync(dirname(path), { recursive: true })
  const server = createServer(socket => converse(socket, carrier, log))
  const draft = `${path}.${process.pid}`
  rmSync(draft, { force: true })
  await bound(server, draft)
  chmodSync(draft, 0o600)
  const { ino } = lstatSync(draft)
  renameSync(draft, path)
  log.info({ path }, `Serving CNI calls at ${path}`)
  return {
    close: async () => {
      // Another daemon may have put its own there.
      if (lstatSync(path, { throwIfNoEntry: false })?.ino === ino) rmSync(path, { force: true })
      await new Promise<void>(resolve => server.close(() => resolve()))
    },
  }
}

function bound(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.once('listening', resolve)
    // The socket belongs to nobody else from its first moment.
    const former = process.umask(0o177)
    // 511: as many calls may wait to be accepted, far more than a node has pods.
    server.listen({ path, backlog: 511 })
    process.umask(former)
  })
}

/** One call, as core/frame.ts draws it. */
function converse(socket: Socket, carrier: Carrier, log: Log): void {
  let received = Buffer.alloc(0)
  let isGone = false
  socket.setTimeout(PATIENCE_MS, () => socket.destroy())
  socket.on('error', error => log.debug({}, `A launcher left: ${error.message}`))
  // A launcher closes no half: its end is the end.
  for (const event of ['end', 'close']) socket.on(event, () => (isGone = true))
  const hear = (chunk: Buffer): void => {
    received = Buffer.concat([received, chunk])
    const frame = parseOrClose(socket, received, log)
    if (frame === undefined) return
    socket.off('data', hear)
    if (!carrier.takes(frame)) socket.end(NOT_MINE)
    else {
      socket.write(TAKEN)
      socket.once('data', answer => {
        if (answer.toString('latin1') !== GO) return void socket.destroy()
        socket.setTimeout(0)
        void carrier.carryOut(frame, () => !isGone).then(result => socket.end(encodeAnswer(result)))
      })
    }
  }
  socket.on('data', hear)
}

function parseOrClose(socket: Socket, received: Uint8Array, log: Log): Frame | undefined {
  try {
    return parseFrame(received)
  } catch (error) {
    log.warn({}, messageOf(error))
    socket.destroy()
    return undefined
  }
}
