/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "address.h"

int
tcp_addr_parse(const struct sockaddr *sa, struct port_addr *addr, uint16_t *service)
{
	memset(addr, 0, sizeof(*addr));
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)sa;

		addr->family = 4;
		memcpy(addr->b, &in->sin_addr, 4);
		*service = in->sin_port;
		return 0;
	}
	if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;

		addr->family = 6;
		memcpy(addr->b, &in6->sin6_addr, 16);
		*service = in6->sin6_port;
		return 0;
	}
	return -EAFNOSUPPORT;
}

void
tcp_addr_format(struct sockaddr_storage *ss, uint32_t family, const uint8_t *b, uint16_t service)
{
	memset(ss, 0, sizeof(*ss));
	if (family == 4) {
		struct sockaddr_in *in = (struct sockaddr_in *)ss;

		in->sin_family = AF_INET;
		in->sin_port = service;
		memcpy(&in->sin_addr, b, 4);
	} else {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = service;
		memcpy(&in6->sin6_addr, b, 16);
	}
}
