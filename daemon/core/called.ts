/** A call of the plugin that is over. */
export interface Called {
  /** What was asked for; anything, for whoever calls may set CNI_COMMAND to it. */
  readonly command: string
  /** Of the process that made it: 0 when it went well. */
  readonly code: number
  readonly milliseconds: number
}
