import { generateKeyPairSync, sign } from 'node:crypto'

/** A certificate for 127.0.0.1 that is its own authority, with its key; both as PEM. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

const DAY_MS = 86_400_000

/** Makes a certificate (RFC 5280) that is valid between those days, counted from now. */
export function makeCertificate({ from = -1, to = 1 } = {}): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const name = sequence(set(sequence(COMMON_NAME, utf8('podwire test'))))
  const body = sequence(
    tagged(0, integer(2)),
    integer(1),
    ECDSA_WITH_SHA256,
    name,
    sequence(time(from), time(to)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(3, sequence(sequence(BASIC_CONSTRAINTS, TRUE, octets(sequence(TRUE))), ALTERNATIVE_NAME)),
  )
  const signature = sign('sha256', body, privateKey)
  const der = sequence(body, ECDSA_WITH_SHA256, encode(0x03, Buffer.of(0), signature))
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return {
    cert: ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n'),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  }
}

/** One element in DER: tag, length, contents. */
function encode(tag: number, ...contents: readonly Buffer[]): Buffer {
  const { length } = Buffer.concat(contents)
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.of(tag, ...size), ...contents])
}

const sequence = (...parts: readonly Buffer[]): Buffer => encode(0x30, ...parts)
const set = (...parts: readonly Buffer[]): Buffer => encode(0x31, ...parts)
const tagged = (number: number, part: Buffer): Buffer => encode(0xa0 + number, part)
const integer = (value: number): Buffer => encode(0x02, Buffer.of(value))
const octets = (part: Buffer): Buffer => encode(0x04, part)
const utf8 = (text: string): Buffer => encode(0x0c, Buffer.from(text))
const oid = (hex: string): Buffer => encode(0x06, Buffer.from(hex, 'hex'))

/** GeneralizedTime: YYYYMMDDHHMMSSZ. */
function time(days: number): Buffer {
  const text = new Date(Date.now() + days * DAY_MS).toISOString().replaceAll(/[-:T]|\.\d+/g, '')
  return encode(0x18, Buffer.from(text))
}

const TRUE = encode(0x01, Buffer.of(0xff))
const COMMON_NAME = oid('550403')
const BASIC_CONSTRAINTS = oid('551d13')
const ECDSA_WITH_SHA256 = sequence(oid('2a8648ce3d040302'))
/** The address 127.0.0.1. */
const ALTERNATIVE_NAME = sequence(oid('551d11'), octets(sequence(encode(0x87, Buffer.of(127, 0, 0, 1)))))
