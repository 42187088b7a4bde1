/* What the kernel alone takes for an attachment: the same netlink messages, and nothing around them. */
#pragma once
#include "batch.h"

/*
 * ADD: a veth pair with one end a port of the bridge and the other in the container, an address, a default route.
 * DEL: the link is gone. Ends the program when the kernel refuses.
 */
void run_link(const struct link_job *job);
