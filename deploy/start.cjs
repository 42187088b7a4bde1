/*
 * Where the executable begins: it runs the program out of its two assets, the script and its compiled code.
 * The code cache that `node --build-sea` makes itself holds only what runs while the script loads; each function
 * of a call would then be compiled when it is first called, which costs an ADD 8 ms.
 */
const { getRawAsset } = require('node:sea')
const { Script } = require('node:vm')

const source = Buffer.from(getRawAsset('script')).latin1Slice()
const cachedData = new Uint8Array(getRawAsset('code'))
new Script(source, { filename: 'podwire.cjs', cachedData }).runInThisContext()(require)
