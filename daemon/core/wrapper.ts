/** The folder beside the wrappers that holds what they start. */
export const INNER = 'podwire.d'

/**
 * Says that the daemon has put everything in force since the machine was started; /run is empty after that. The conflist
 * survives a reboot, and a kubelet starts pods by it at once: without routes yet, or under a podCIDR of former times.
 */
export const READY = '/run/podwire/ready'

/**
 * What a runtime starts as the plugin NAME: a shell script that starts the executable with the library beside it, which
 * the node may lack. The caller's own libraries come after, also for the plugins that ours starts: they get one folder
 * more than they had, in which there is no library but that one. The script works wherever the folder is mounted, so it
 * says no path of its own; and it sets no variable but the one it must, for the program would inherit it.
 * Until the daemon is ready, ADD is to be tried again (CNI SPEC, code 11) and STATUS says so (code 50).
 */
export const wrapperOf = (name: string): string => `#!/bin/sh
# Written by podwired. "podwired uninstall" removes it.
if [ ! -e ${READY} ]; then
  case $CNI_COMMAND in
    ADD) code=11 ;;
    STATUS) code=50 ;;
    *) code= ;;
  esac
  if [ -n "$code" ]; then
    echo "{\\"cniVersion\\": \\"1.0.0\\", \\"code\\": $code, \\"msg\\": \\"Cannot wire pods yet: podwired has not come up since this node was started; try again\\"}"
    exit 1
  fi
fi
export LD_LIBRARY_PATH="\${0%/*}/${INNER}\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
exec "\${0%/*}/${INNER}/${name}" "$@"
`
