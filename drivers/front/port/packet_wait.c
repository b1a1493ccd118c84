/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The socket by which af_packet's driver receives, found among the descriptors of the process. The driver of DPDK 22.11
 * offers no interrupts, but that socket is readable as long as its ring holds a frame: an lcore sleeps on it. And it
 * need not hear what we send ourselves. */

#include <dirent.h>
#include <linux/filter.h>
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

/* By a filter where there are several: they are in a fanout group, which PACKET_IGNORE_OUTGOING does not reach. */
static bool
deafen(int fd)
{
	int ignores = 0;
	socklen_t len = sizeof(ignores);
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog prog = {.len = RTE_DIM(code), .filter = code};

	if (getsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &ignores, &len) == 0 && ignores != 0)
		return true;
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) == 0;
}

int
port_packet_find(unsigned int ifindex, bool *deaf)
{
	DIR *dir = opendir("/proc/self/fd");
	int found = -1;
	unsigned int n = 0;
	struct dirent *e;

	*deaf = false;
	if (dir == NULL)
		return -1;
	*deaf = true;
	while ((e = readdir(dir)) != NULL) {
		int fd = atoi(e->d_name); /* "." and "..": 0, which is no packet socket */

		if (!hears(fd, ifindex))
			continue;
		*deaf &= deafen(fd);
		found = fd;
		n++;
	}
	closedir(dir);
	*deaf &= n > 0;
	return n == 1 ? found : -1; /* several: nobody can say which is whose */
}

void
port_packet_arm(int fd)
{
	int err;
	socklen_t len = sizeof(err);

	/* An interface that went down leaves an error behind, and as long as it stands nobody sleeps on the socket. */
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
}
