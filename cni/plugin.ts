import { add } from './add.ts'
import { check } from './check.ts'
import { del } from './del.ts'
import { gc } from './gc.ts'
import type { Plugin } from './spec/plugin.ts'
import { status } from './status.ts'

/** The CNI plugin `podwire`. */
export const podwire: Plugin = {
  about: 'podwire: a CNI plugin that joins containers to a bridge by veth pairs',
  add,
  del,
  check,
  gc,
  status,
}
