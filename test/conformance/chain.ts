import { existsSync } from 'node:fs'
import type { Answer, Attach, Config, Lab } from '../netns/lab.ts'

/** Where the plugins of a chain and their delegates are: ours as built, the reference's as Debian installs them. */
const FOLDERS = [`${import.meta.dirname}/../../dist`, '/usr/lib/cni']

/** A network configuration list, as a runtime reads it from /etc/cni/net.d. */
export interface Conflist {
  readonly cniVersion: string
  readonly name: string
  readonly plugins: readonly Plugin[]
}

/** One plugin of a list. */
export type Plugin = Config & {
  readonly type: string
  readonly capabilities?: Readonly<Record<string, boolean>>
}

/** What the first failing plugin answered, or else the last. */
export interface Outcome extends Answer {
  /** Type of the plugin that answered. */
  readonly from: string
}

/**
 * Calls the plugins of a list one after the other, as section 3 of the specification wants it of a runtime: each gets
 * the result before it, DEL goes backwards, capabilities become `runtimeConfig`.
 */
export class Chain {
  readonly #lab: Lab
  readonly #list: Conflist
  readonly #arguments: Readonly<Record<string, unknown>>

  /** `runtime` is what the runtime has for plugins that declare the capability of that name. */
  constructor(lab: Lab, list: Conflist, runtime: Readonly<Record<string, unknown>> = {}) {
    this.#lab = lab
    this.#list = list
    this.#arguments = runtime
  }

  add = (attach: Attach): Promise<Outcome> => this.#walk('ADD', attach, this.#list.plugins)
  check = (attach: Attach, result: unknown): Promise<Outcome> =>
    this.#walk('CHECK', attach, this.#list.plugins, result)
  del = (attach: Attach, result?: unknown): Promise<Outcome> =>
    this.#walk('DEL', attach, this.#list.plugins.toReversed(), result)

  async #walk(
    command: string,
    attach: Attach,
    plugins: readonly Plugin[],
    before?: unknown,
  ): Promise<Outcome> {
    let prevResult = before
    let last: Outcome | undefined
    for (const plugin of plugins) {
      const env = { ...attach.env, CNI_PATH: FOLDERS.join(':') }
      const config = this.#configOf(plugin, prevResult)
      const answer = await this.#lab.call(command, config, { ...attach, env }, programOf(plugin.type))
      last = { ...answer, from: plugin.type }
      if (answer.code !== 0) return last
      if (command === 'ADD') prevResult = answer.json
    }
    if (last === undefined) throw new Error('A list without plugins does nothing')
    return last
  }

  #configOf({ capabilities = {}, ...plugin }: Plugin, prevResult: unknown): Config {
    const { cniVersion, name } = this.#list
    const wanted = Object.entries(this.#arguments).filter(([key]) => capabilities[key] === true)
    return {
      ...plugin,
      cniVersion,
      name,
      ...(wanted.length === 0 ? {} : { runtimeConfig: Object.fromEntries(wanted) }),
      ...(prevResult === undefined ? {} : { prevResult }),
    }
  }
}

function programOf(type: string): string {
  const path = FOLDERS.map(folder => `${folder}/${type}`).find(existsSync)
  if (path === undefined) throw new Error(`No plugin ${type} in ${FOLDERS.join(' or ')}`)
  return path
}
