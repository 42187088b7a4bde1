/** A call of the plugin that is over. */
export interface Called {
  /** What was asked for; `other` for what is no operation. */
  readonly command: string
  /** Of the process that made it: 0 when it went well. */
  readonly code: number
  readonly milliseconds: number
}
