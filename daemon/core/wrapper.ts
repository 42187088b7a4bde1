/** The folder beside the wrappers that holds what they start. */
export const INNER = 'podwire.d'

/**
 * What a runtime starts as the plugin NAME: a shell script that starts the executable with the library beside it, which
 * the node may lack. The caller's own libraries come after, also for the plugins that ours starts: they get one folder
 * more than they had, in which there is no library but that one. The script works wherever the folder is mounted, so it
 * says no path; and it sets no variable but the one it must, for the program would inherit it.
 */
export const wrapperOf = (name: string): string => `#!/bin/sh
# Written by podwired. "podwired uninstall" removes it.
export LD_LIBRARY_PATH="\${0%/*}/${INNER}\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
exec "\${0%/*}/${INNER}/${name}" "$@"
`
