/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Sleeping on an af_packet device. Its driver of DPDK 22.11 offers no interrupts, but the socket it receives by is
 * readable as long as its ring holds a frame; so that socket is found among the descriptors of the process. */

#include <dirent.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "port_impl.h"

/* A packet socket that receives on this interface? Our own that send have protocol 0. */
static bool
hears(int fd, unsigned int ifindex)
{
	struct sockaddr_ll at;
	socklen_t len = sizeof(at);
	int domain = 0;
	socklen_t domain_len = sizeof(domain);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_len) < 0 || domain != AF_PACKET)
		return false;
	return getsockname(fd, (struct sockaddr *)&at, &len) == 0 && at.sll_ifindex == (int)ifindex &&
	       at.sll_protocol != 0;
}

int
port_packet_find(unsigned int ifindex)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *e;
	int found = -1;

	if (dir == NULL)
		return -1;
	while ((e = readdir(dir)) != NULL) {
		int fd = atoi(e->d_name); /* "." and "..": 0, which is no packet socket */

		if (!hears(fd, ifindex))
			continue;
		if (found >= 0) {
			found = -1; /* several: nobody can say which is whose */
			break;
		}
		found = fd;
	}
	closedir(dir);
	return found;
}

void
port_packet_arm(int fd)
{
	int err;
	socklen_t len = sizeof(err);

	/* An interface that went down leaves an error behind, and as long as it stands nobody sleeps on the socket. */
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
}
