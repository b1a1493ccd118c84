/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * The setsockopt() of the whole program, libraries included: it keeps the socket of an af_packet device with one queue
 * out of a fanout group.
 *
 * The driver of DPDK 22.11 puts its sockets into one even when there is but one. The kernel then chooses among the
 * group's members for every frame, and for every frame that we send as well, before the filter of the member can refuse
 * it: 6 % of a CPU that sends frames of 9,000 bytes. A socket that is in no group can be told to ignore those. The
 * group also has IPv4 fragments joined, which one alone gets as they come: as from any other device, and dropped as
 * there.
 */

#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <rte_dev.h>

#include "port_impl.h"

static __thread bool alone; /* the device that is being made has one queue */

int
port_probe(const char *device)
{
	const char *queues = strstr(device, ",qpairs=");
	int ret;

	alone = strncmp(device, "net_af_packet", 13) == 0 &&
		(queues == NULL || strtoul(queues + strlen(",qpairs="), NULL, 10) == 1);
	ret = rte_dev_probe(device);
	alone = false;
	return ret;
}

int
setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	static const int on = 1;

	if (alone && level == SOL_PACKET && name == PACKET_FANOUT)
		return (int)syscall(SYS_setsockopt, fd, level, PACKET_IGNORE_OUTGOING, &on, sizeof(on));
	return (int)syscall(SYS_setsockopt, fd, level, name, value, len);
}
