/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* A tap as the kernel's end of the exception path: it looks like the card, with its MAC address and MTU. */

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exception.h"

static int
refuse(const struct port *port, const char *name, const char *step, char *err, size_t errlen)
{
	int ret = -errno;
	const char *mend = ret == -EPERM ? " (it needs CAP_NET_ADMIN)" : ret == -ENOENT ? " (modprobe tun)" : "";

	snprintf(err, errlen, "port %s: exception tap \"%s\": %s: %s%s", port->name, name, step, strerror(-ret), mend);
	return ret;
}

/* Address, MTU, up. @return NULL, or the step that failed. */
static const char *
dress(const struct port *port, const char *name)
{
	struct ifreq ifr = {.ifr_flags = 0};
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const char *failed = NULL;

	if (s < 0)
		return "socket";
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	ifr.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(ifr.ifr_hwaddr.sa_data, &port->mac, RTE_ETHER_ADDR_LEN);
	if (ioctl(s, SIOCSIFHWADDR, &ifr) < 0)
		failed = "MAC address";
	ifr.ifr_mtu = port->mtu;
	if (failed == NULL && ioctl(s, SIOCSIFMTU, &ifr) < 0)
		failed = "MTU";
	if (failed == NULL && ioctl(s, SIOCGIFFLAGS, &ifr) == 0) {
		ifr.ifr_flags |= IFF_UP;
		if (ioctl(s, SIOCSIFFLAGS, &ifr) < 0)
			failed = "bringing it up";
	}
	close(s);
	return failed;
}

int
port_tap_open(const struct port *port, const char *name, char *err, size_t errlen)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	const char *failed;
	int fd, ret;

	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return refuse(port, name, "/dev/net/tun", err, errlen);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0) {
		ret = refuse(port, name, "making it", err, errlen);
		goto err;
	}
	failed = dress(port, name);
	if (failed == NULL)
		return fd;
	ret = refuse(port, name, failed, err, errlen);
err:
	close(fd);
	return ret;
}
