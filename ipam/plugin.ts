import type { Plugin } from '../cni/spec/plugin.ts'
import { add } from './add.ts'
import { check } from './check.ts'
import { del } from './del.ts'
import { gc } from './gc.ts'
import { status } from './status.ts'

/** The plugin `podwire-ipam`: keeps the addresses of a node's networks in files. */
export const ipam: Plugin = {
  about: 'podwire-ipam: hands out addresses from ranges and keeps them in files, as host-local does',
  add,
  del,
  check,
  gc,
  status,
}
