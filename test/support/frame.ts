import type { Frame } from '../../daemon/core/frame.ts'

/** What of a frame a launcher of a test may say; numbers as the launcher knows them. */
export interface Said {
  readonly program?: string
  readonly env?: Readonly<Record<string, string>>
  readonly stdin?: string | Uint8Array
  readonly mounts?: bigint
  readonly netns?: Frame['netns']
}

/** The bytes that a launcher sends. */
export function encodeFrame({ program = 'podwire', env = {}, stdin = '', mounts = 0n, netns }: Said): Buffer {
  const pairs = Object.entries(env).map(([name, value]) => `${name}=${value}`)
  const variables = Buffer.from([program, ...pairs].map(text => `${text}\0`).join(''))
  const head = Buffer.alloc(40)
  head.write('PDW1')
  head.writeUInt32LE(variables.length, 4)
  head.writeUInt32LE(Buffer.byteLength(stdin), 8)
  head.writeBigUInt64LE(mounts, 16)
  head.writeBigUInt64LE(netns?.dev ?? 0n, 24)
  head.writeBigUInt64LE(netns?.ino ?? 0n, 32)
  return Buffer.concat([head, variables, Buffer.from(stdin)])
}
