import { createInterface } from 'node:readline'
import { startChild } from './child.ts'
import { nft } from './subject.ts'

interface Expectation {
  readonly line: RegExp
  readonly resolve: (now: number) => void
}

/** A program that prints a line whenever the kernel's state changes: `ip monitor route`, `nft monitor`. */
export class Monitor {
  readonly #name: string
  readonly #expected = new Set<Expectation>()

  constructor(program: string, ...args: readonly string[]) {
    this.#name = [program, ...args].join(' ')
    const { stdout } = startChild(program, args, ['ignore', 'pipe', 'inherit'])
    createInterface(stdout!).on('line', line => this.#read(line, performance.now()))
  }

  /** When the first line that matches is read, from now on. Throws after so many milliseconds without one. */
  expect(line: RegExp, deadlineMs = 10_000): Promise<number> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.#expected.delete(expectation)
        reject(new Error(`Gave up waiting for ${line} in "${this.#name}"`))
      }, deadlineMs)
      const expectation = {
        line,
        resolve: (now: number) => {
          clearTimeout(late)
          resolve(now)
        },
      }
      this.#expected.add(expectation)
    })
  }

  /** Returns when it listens: then a change that is made again and again shows up as a line. */
  async hears(line: RegExp, change: () => void): Promise<void> {
    const heard = this.expect(line)
    const again = setInterval(change, 50)
    await heard.finally(() => clearInterval(again))
  }

  #read(line: string, now: number): void {
    for (const expectation of this.#expected) {
      if (!expectation.line.test(line)) continue
      this.#expected.delete(expectation)
      expectation.resolve(now)
    }
  }
}

/** Tells of elements that come and go in sets and maps; it listens when this returns. */
export async function monitorElements(): Promise<Monitor> {
  // It passes over elements of sets that it has not seen: this one is there when it looks which there are.
  nft('add table inet bench; add set inet bench probe { type mark; }')
  const monitor = new Monitor('nft', 'monitor', 'elements')
  await monitor.hears(/ bench /, () => nft('flush set inet bench probe; add element inet bench probe { 1 }'))
  return monitor
}
