import type { Attachment } from '../../cni/spec/environment.ts'
import { messageOf } from '../../cni/spec/error.ts'
import { ownedBy } from '../core/reservation.ts'
import { areStamped, cursorTimes } from './cursor.ts'
import { indexed, type Reservation, scan, type Store } from './store.ts'

/**
 * The addresses that an attachment holds. When the index knows of none, is damaged, or lacks what host-local
 * reserved since, all files are read. Throws `store`.
 */
export function held(store: Store, attachment: Attachment): Reservation[] {
  const found = ask(store, attachment)
  return found.length > 0 ? found : ownedBy(scan(store, 'all'), attachment)
}

function ask(store: Store, attachment: Attachment): Reservation[] {
  try {
    return areStamped(cursorTimes(store)) ? indexed(store, attachment) : []
  } catch (cause) {
    store.warn(messageOf(cause))
    return []
  }
}
