/*
 * Where the executable begins: it runs one of the programs in it out of two assets, its script and its compiled code.
 * The code cache that `node --build-sea` makes itself holds only what runs while the script loads; each function
 * of a call would then be compiled when it is first called, which costs an ADD 8 ms.
 */
const { basename } = require('node:path')
const { getRawAsset } = require('node:sea')
const { Script } = require('node:vm')

// argv[0] as the caller gave it, for process.execPath has symbolic links resolved; see programName() of cni/main.ts.
const name = basename(process.argv0) === 'podwired' ? 'podwired' : 'podwire'
const source = Buffer.from(getRawAsset(`${name}.script`)).latin1Slice()
const cachedData = new Uint8Array(getRawAsset(`${name}.code`))
new Script(source, { filename: `${name}.cjs`, cachedData }).runInThisContext()(require)
