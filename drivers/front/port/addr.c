/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Addresses: parsing the operator's words, networks, next hops. */

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "port_impl.h"

int
port_addr_parse(struct port_addr *out, const char *text)
{
	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, out->b) == 1)
		out->family = 4;
	else if (inet_pton(AF_INET6, text, out->b) == 1)
		out->family = 6;
	else
		return -EINVAL;
	return 0;
}

int
port_prefix_parse(struct port_prefix *out, const char *text)
{
	const char *slash = strchr(text, '/');
	char host[64];
	char *end;
	long len;
	int ret;

	if (slash == NULL || (size_t)(slash - text) >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, (size_t)(slash - text));
	host[slash - text] = '\0';
	ret = port_addr_parse(&out->addr, host);
	if (ret < 0)
		return ret;
	len = strtol(slash + 1, &end, 10);
	if (end == slash + 1 || *end != '\0' || len < 1 || len > 8 * port_addr_len(&out->addr))
		return -EINVAL;
	out->len = (uint8_t)len;
	return port_addr_multicast(&out->addr) ? -EINVAL : 0;
}

bool
port_prefix_match(const struct port_prefix *p, const struct port_addr *addr)
{
	unsigned int bytes = p->len / 8, bits = p->len % 8;

	if (p->addr.family != addr->family || memcmp(p->addr.b, addr->b, bytes) != 0)
		return false;
	return bits == 0 || (p->addr.b[bytes] ^ addr->b[bytes]) >> (8 - bits) == 0;
}

bool
port_addr_multicast(const struct port_addr *addr)
{
	return addr->family == 6 ? addr->b[0] == 0xff : (addr->b[0] & 0xf0) == 0xe0;
}

bool
port_addr_broadcast(const struct port *port, const struct port_addr *addr)
{
	uint32_t ip, mask;

	if (addr->family != 4)
		return false;
	memcpy(&ip, addr->b, sizeof(ip));
	if (ip == UINT32_MAX)
		return true;
	for (unsigned int i = 0; i < port->n_addrs; i++) {
		/* RFC 3021: a /31 has no broadcast address; neither has a /32. */
		if (port->addrs[i].len > 30 || !port_prefix_match(&port->addrs[i], addr))
			continue;
		mask = rte_cpu_to_be_32(UINT32_MAX >> port->addrs[i].len);
		if ((ip & mask) == mask)
			return true;
	}
	return false;
}

bool
port_has_addr(const struct port *port, const struct port_addr *addr)
{
	for (unsigned int i = 0; i < port->n_addrs; i++)
		if (port_addr_eq(&port->addrs[i].addr, addr))
			return true;
	return false;
}

bool
port_on_link(const struct port *port, const struct port_addr *addr)
{
	for (unsigned int i = 0; i < port->n_addrs; i++)
		if (port_prefix_match(&port->addrs[i], addr))
			return true;
	return false;
}

bool
port_next_hop(const struct port *port, const struct port_addr *remote, struct port_addr *hop)
{
	const struct port_addr *gateway = remote->family == 6 ? &port->gateway6 : &port->gateway4;

	if (port_on_link(port, remote)) {
		*hop = *remote;
		return true;
	}
	*hop = *gateway;
	return gateway->family != 0;
}

const struct port_addr *
port_source_for(const struct port *port, const struct port_addr *remote)
{
	const struct port_addr *any = NULL;

	for (unsigned int i = 0; i < port->n_addrs; i++) {
		if (port->addrs[i].addr.family != remote->family)
			continue;
		if (port_prefix_match(&port->addrs[i], remote))
			return &port->addrs[i].addr;
		if (any == NULL)
			any = &port->addrs[i].addr;
	}
	return any;
}

void
port_solicited_node(const struct port_addr *addr, struct port_addr *group, struct rte_ether_addr *mac)
{
	/* RFC 4291 section 2.7.1: ff02::1:ffXX:XXXX; RFC 2464 section 7: 33:33 and the last four bytes. */
	static const uint8_t prefix[13] = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};

	memset(group, 0, sizeof(*group));
	group->family = 6;
	memcpy(group->b, prefix, sizeof(prefix));
	memcpy(group->b + 13, addr->b + 13, 3);
	mac->addr_bytes[0] = 0x33;
	mac->addr_bytes[1] = 0x33;
	memcpy(mac->addr_bytes + 2, group->b + 12, 4);
}
