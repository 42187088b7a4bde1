/** A file, or a symbolic link to `target`. Folders on the way are made by whoever unpacks. */
export type Entry =
  { readonly path: string; readonly content: Buffer } | { readonly path: string; readonly target: string }

const BLOCK = 512

/** A tar archive in the ustar format (POSIX.1-1988), all of it root's and executable, of no particular time. */
export function tar(entries: readonly Entry[]): Buffer {
  return Buffer.concat([...entries.flatMap(blocks), Buffer.alloc(2 * BLOCK)])
}

function blocks(entry: Entry): Buffer[] {
  const content = 'content' in entry ? entry.content : Buffer.alloc(0)
  return [header(entry, content.length), content, Buffer.alloc(-content.length & (BLOCK - 1))]
}

function header(entry: Entry, size: number): Buffer {
  const block = Buffer.alloc(BLOCK)
  const octal = (value: number, at: number, digits: number) =>
    block.write(value.toString(8).padStart(digits, '0'), at)
  block.write(entry.path, 0)
  octal(0o755, 100, 7)
  octal(0, 108, 7)
  octal(0, 116, 7)
  octal(size, 124, 11)
  octal(0, 136, 11)
  block.fill(' ', 148, 156)
  block.write('content' in entry ? '0' : '2', 156)
  if ('target' in entry) block.write(entry.target, 157)
  block.write('ustar\x0000', 257)
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    6,
  )
  block[154] = 0
  return block
}
