/** The folder beside the launchers that holds what they start. */
export const INNER = 'podwire.d'

/**
 * Says that the daemon has put everything in force since the machine was started; /run is empty after that. The conflist
 * survives a reboot, and a kubelet starts pods by it at once: without routes yet, or under a podCIDR of former times. So
 * a symbolic link in the launchers' folder leads here, and while it leads nowhere they have an ADD tried again.
 */
export const READY = '/run/podwire/ready'
