import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'

/** 64 bits of a text's sha256, as part of a name. */
export const hashOf = (text: string): string =>
  bytesToHex(sha256(new TextEncoder().encode(text)).subarray(0, 8))
