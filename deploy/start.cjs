/*
 * Where the executable begins: it runs one of the programs in it out of two assets, its script and its compiled code.
 * The code cache that `node --build-sea` makes itself holds only what runs while the script loads; each function
 * of a call would then be compiled when it is first called, which costs an ADD 8 ms.
 */
const { basename } = require('node:path')
const { getRawAsset } = require('node:sea')
const { Script } = require('node:vm')

/** The options in the executable suit a process that ends soon; one that stays is to collect its garbage: 30 MB less. */
const SMALL = '--max-semi-space-size=1 --min-semi-space-size=1'

function start(name) {
  const source = Buffer.from(getRawAsset(`${name}.script`)).latin1Slice()
  const cachedData = new Uint8Array(getRawAsset(`${name}.code`))
  new Script(source, { filename: `${name}.cjs`, cachedData }).runInThisContext()(require)
}

// argv[0] as the caller gave it, for process.execPath has symbolic links resolved; see programName() of cni/main.ts.
// `podwire policy` is in the daemon's script, so that no call of a runtime loads it; calls do not look at arguments.
if (process.argv[2] === 'policy' && !process.env.CNI_COMMAND) start('podwired')
else if (basename(process.argv0) !== 'podwired') start('podwire')
else if (SMALL.split(' ').every(option => process.execArgv.includes(option))) start('podwired')
else process.execve(process.execPath, [process.argv0, `--node-options=${SMALL}`, ...process.argv.slice(2)])
