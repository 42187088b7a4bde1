import type { Brand } from '../spec/brand.ts'

/** A hardware address as six lower-case hex pairs. */
export type Mac = Brand<string, 'Mac'>

/** Reads a unicast Ethernet address written with `:` or `-`; anything else, and all zeros, is undefined. */
export function parseMac(text: string): Mac | undefined {
  const mac = text.toLowerCase().replaceAll('-', ':')
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac) || mac === '00:00:00:00:00:00') return undefined
  const isMulticast = (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1
  return isMulticast ? undefined : (mac as Mac)
}

/** The six bytes of an address. */
export const macBytes = (mac: Mac): Uint8Array =>
  Uint8Array.from(mac.split(':'), pair => Number.parseInt(pair, 16))

/** The address that six bytes spell. */
export const macFromBytes = (bytes: Uint8Array): Mac =>
  Array.from(bytes.subarray(0, 6), byte => byte.toString(16).padStart(2, '0')).join(':') as Mac
