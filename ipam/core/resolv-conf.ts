import type { Dns } from '../../cni/spec/result.ts'

/**
 * Reads a file in the form of resolv.conf(5). The last `domain` counts; `search` and `options` add up, as in the
 * reference. Lines that it does not know are passed over; undefined when it is not text at all.
 */
export function parseResolvConf(text: string): Dns | undefined {
  // U+FFFD is what the decoder puts in place of bytes that are not UTF-8.
  if (/[\0\ufffd]/.test(text)) return undefined
  const lines = text
    .split('\n')
    .map(line => line.trim())
    .filter(line => !/^[#;]/.test(line))
    .map(line => line.split(/\s+/))
  const valuesOf = (keyword: string): string[] =>
    lines.filter(([first]) => first === keyword).flatMap(([, ...values]) => values)
  const nameservers = lines.flatMap(([first, address]) =>
    first === 'nameserver' && address ? [address] : [],
  )
  const domain = valuesOf('domain').at(-1)
  const search = valuesOf('search')
  const options = valuesOf('options')
  return {
    ...(nameservers.length > 0 && { nameservers }),
    ...(domain !== undefined && { domain }),
    ...(search.length > 0 && { search }),
    ...(options.length > 0 && { options }),
  }
}
