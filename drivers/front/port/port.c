/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Ports as a whole: opening, closing, finding, counting. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include <rte_log.h>
#include <rte_malloc.h>

#include "bond.h"
#include "exception.h"

#define PORTS_MAX 16

RTE_LOG_REGISTER(port_logtype, strake.port, INFO)

static struct port *ports[PORTS_MAX];

static int
parse_addrs(struct port *port, const struct conf_port *conf, char *err, size_t errlen)
{
	if (conf->n_addresses > PORT_ADDRS_MAX - 1) { /* one is the link-local address */
		snprintf(err, errlen, "port %s: %u addresses; at most %d", conf->name, conf->n_addresses,
			 PORT_ADDRS_MAX - 1);
		return -E2BIG;
	}
	for (unsigned int i = 0; i < conf->n_addresses; i++) {
		if (port_prefix_parse(&port->addrs[i], conf->addresses[i]) < 0) {
			snprintf(err, errlen, "port %s: \"%s\" is no address with prefix length", conf->name,
				 conf->addresses[i]);
			return -EINVAL;
		}
		port->n_addrs++;
	}
	if (conf->gateway4 != NULL &&
	    (port_addr_parse(&port->gateway4, conf->gateway4) < 0 || port->gateway4.family != 4)) {
		snprintf(err, errlen, "port %s: gateway4 \"%s\" is no IPv4 address", conf->name, conf->gateway4);
		return -EINVAL;
	}
	if (conf->gateway6 != NULL &&
	    (port_addr_parse(&port->gateway6, conf->gateway6) < 0 || port->gateway6.family != 6)) {
		snprintf(err, errlen, "port %s: gateway6 \"%s\" is no IPv6 address", conf->name, conf->gateway6);
		return -EINVAL;
	}
	return 0;
}

/** Link-local address from the MAC address (RFC 4291 appendix A), if there is any IPv6. */
static void
add_link_local(struct port *port)
{
	struct port_prefix *p = &port->addrs[port->n_addrs];
	const uint8_t *mac = port->mac.addr_bytes;
	bool v6 = false;

	for (unsigned int i = 0; i < port->n_addrs; i++)
		v6 |= port->addrs[i].addr.family == 6;
	if (!v6)
		return;
	memset(p, 0, sizeof(*p));
	p->len = 64;
	p->addr.family = 6;
	p->addr.b[0] = 0xfe;
	p->addr.b[1] = 0x80;
	memcpy(&p->addr.b[8], mac, 3);
	p->addr.b[8] ^= 2;
	p->addr.b[11] = 0xff;
	p->addr.b[12] = 0xfe;
	memcpy(&p->addr.b[13], mac + 3, 3);
	if (!port_has_addr(port, &p->addr))
		port->n_addrs++;
}

static struct rte_ring *
make_ring(const struct port *port, char kind, uint16_t from, uint16_t to, unsigned int slots)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "port%u_%c%u_%u", port->id, kind, from, to);
	return rte_ring_create(name, slots, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

static int
make_rings(struct port *port)
{
	char name[RTE_MEMPOOL_NAMESIZE];

	if (port->n_lcores == 1)
		return 0;
	for (uint16_t i = 1; i <= port->n_lcores; i++) {
		/* Only lcores that receive hand on; only ICMP errors where the device steers. */
		for (uint16_t k = 1; i <= port->n_queues && k <= port->n_lcores; k++) {
			if (i == k)
				continue;
			port->rx_ring[i][k] = make_ring(port, 'r', i, k, port->rss ? PORT_RING_ICMP : PORT_RING);
			if (port->rx_ring[i][k] == NULL)
				return -ENOMEM;
		}
		if (i <= port->n_queues)
			continue;
		port->tx_ring[i] = make_ring(port, 't', i, port_tx_owner(port, i), PORT_RING);
		if (port->tx_ring[i] == NULL)
			return -ENOMEM;
	}
	snprintf(name, sizeof(name), "port%u_notes", port->id);
	port->notes = rte_mempool_create(name, PORT_NOTES, port_neigh_note_size(), 0, 0, NULL, NULL, NULL, NULL,
					 SOCKET_ID_ANY, 0);
	return port->notes != NULL ? 0 : -ENOMEM;
}

static void
free_ring(struct rte_ring *ring)
{
	void *m;

	while (ring != NULL && rte_ring_dequeue(ring, &m) == 0)
		rte_pktmbuf_free(m);
	rte_ring_free(ring);
}

static void
free_rings(struct port *port)
{
	for (unsigned int i = 0; i < STRAKE_LCORE_MAX; i++) {
		for (unsigned int k = 0; k < STRAKE_LCORE_MAX; k++)
			free_ring(port->rx_ring[i][k]);
		free_ring(port->tx_ring[i]);
	}
	rte_mempool_free(port->notes);
}

#define MEMIF_BSIZE 2048 /* what a memif peer's buffers hold unless it is told otherwise */

/* Nothing tells how large they are, and what does not fit one makes the driver overwrite what the peer has not read. */
static bool
needs_large_buffers(const struct port *port, const struct conf_port *conf)
{
	return strcmp(port->driver, "net_memif") == 0 && strstr(conf->device, "role=server") != NULL &&
	       port->mtu + PORT_ETH_MAX > MEMIF_BSIZE;
}

static void
log_port(const struct port *port, const struct conf_port *conf)
{
	char mac[RTE_ETHER_ADDR_FMT_SIZE];

	rte_ether_format_addr(mac, sizeof(mac), &port->mac);
	rte_log(RTE_LOG_NOTICE, port_logtype,
		"port %s: %s, %s, MTU %u, %u queue(s) %s, checksum by %s, TSO %s, LRO %s\n", port->name, port->driver,
		mac, port->mtu, port->n_queues, port->rss ? "steered by the device" : "hashed to their owners",
		port->tx_tcp_cksum ? "device" : "software", port->tso ? "on" : "off", port->lro ? "on" : "off");
	if (port->mtu != conf->mtu)
		rte_log(RTE_LOG_WARNING, port_logtype, "port %s: MTU %u asked for, %u in force\n", port->name,
			conf->mtu, port->mtu);
	if (port->tx_segs_max == 1)
		rte_log(RTE_LOG_NOTICE, port_logtype,
			"port %s: %s takes single-segment frames only; what is sent gets copied\n", port->name,
			port->driver);
	if (needs_large_buffers(port, conf))
		rte_log(RTE_LOG_WARNING, port_logtype,
			"port %s: frames go into the memif peer's buffers: its bsize must hold %u bytes, or I/O stands "
			"still\n",
			port->name, port->mtu + PORT_ETH_MAX);
}

static int
ports_add(struct port *port)
{
	for (unsigned int i = 0; i < PORTS_MAX; i++) {
		if (ports[i] != NULL)
			continue;
		ports[i] = port;
		return 0;
	}
	return -ENOSPC;
}

static void
ports_del(const struct port *port)
{
	for (unsigned int i = 0; i < PORTS_MAX; i++)
		if (ports[i] == port)
			ports[i] = NULL;
}

static int
exception_open(struct port *port, const struct conf_port *conf, char *err, size_t errlen)
{
	int fd = port_tap_open(port, conf->exception, err, errlen), ret;

	if (fd < 0)
		return fd;
	ret = port_exception_create(port, conf->exception, fd, conf->exception_rate);
	if (ret < 0) {
		snprintf(err, errlen, "port %s: no memory for the exception path", conf->name);
		return ret;
	}
	/* The kernel has groups of its own. */
	if (rte_eth_allmulticast_enable(port->id) != 0 && rte_eth_promiscuous_enable(port->id) != 0)
		rte_log(RTE_LOG_DEBUG, port_logtype, "port %s: no multicast filter to open\n", port->name);
	rte_log(RTE_LOG_NOTICE, port_logtype, "port %s: what is not Strake's goes to the kernel by %s\n", port->name,
		conf->exception);
	return 0;
}

int
port_open(struct port **out, const struct conf_port *conf, unsigned int n_data_lcores, char *err, size_t errlen)
{
	struct port *port;
	int ret;

	port = rte_zmalloc("port", sizeof(*port), RTE_CACHE_LINE_SIZE);
	if (port == NULL) {
		snprintf(err, errlen, "port %s: out of memory", conf->name);
		return -ENOMEM;
	}
	snprintf(port->name, sizeof(port->name), "%s", conf->name);
	memset(port->packet, -1, sizeof(port->packet));
	port->packet_rx = -1;
	port->n_lcores = (uint16_t)n_data_lcores;
	port->vlan = (uint16_t)conf->vlan;
	ret = parse_addrs(port, conf, err, errlen);
	if (ret < 0)
		goto err_free;
	if (getrandom(port->seed, sizeof(port->seed), 0) != sizeof(port->seed)) {
		snprintf(err, errlen, "port %s: no random seed", conf->name);
		ret = -EIO;
		goto err_free;
	}
	ret = port_plug(port, conf, err, errlen);
	if (ret < 0)
		goto err_free;
	ret = port_device_start(port, conf, err, errlen);
	if (ret < 0)
		goto err_unplug;
	add_link_local(port);
	port_device_groups(port);
	ret = make_rings(port);
	if (ret == 0)
		ret = ports_add(port);
	if (ret < 0) {
		snprintf(err, errlen, "port %s: no memory for rings", conf->name);
		goto err_rings;
	}
	port_bond_watch(port);
	ret = conf->exception != NULL ? exception_open(port, conf, err, errlen) : 0;
	if (ret < 0)
		goto err_ports;
	log_port(port, conf);
	*out = port;
	return 0;

err_ports:
	ports_del(port);
err_rings:
	free_rings(port);
err_unplug:
	port_unplug(port);
err_free:
	port_bond_unplug(port); /* members of a bond that could not be made */
	rte_free(port);
	return ret;
}

void
port_close(struct port *port)
{
	if (port == NULL)
		return;
	ports_del(port);
	port_exception_destroy(port);
	free_rings(port);
	port_unplug(port);
	for (unsigned int i = 0; i < STRAKE_LCORE_MAX; i++)
		rte_free(port->lcores[i]);
	rte_free(port);
}

struct port *
port_nth(unsigned int i)
{
	for (unsigned int k = 0; k < PORTS_MAX; k++) {
		if (ports[k] == NULL)
			continue;
		if (i-- == 0)
			return ports[k];
	}
	return NULL;
}

void
port_stats_sum(const struct port *port, struct port_stats *out)
{
	const uint64_t *from;
	uint64_t *to = (uint64_t *)out;

	memset(out, 0, sizeof(*out));
	for (unsigned int i = 0; i < STRAKE_LCORE_MAX; i++) {
		/* Main has no view of the port, but its part of the exception path. */
		if (i == STRAKE_LCORE_MAIN && port->exception != NULL)
			from = (const uint64_t *)&port->exception->stats;
		else if (port->lcores[i] != NULL)
			from = (const uint64_t *)&port->lcores[i]->stats;
		else
			continue;
		for (unsigned int k = 0; k < sizeof(*out) / sizeof(*to); k++)
			to[k] += from[k];
	}
}

const char *
port_stats_name(unsigned int i, const char **text)
{
	static const char *const list[][2] = {
#define PORT_COUNTER(name, text) {#name, text},
#include "port_counters.def"
#undef PORT_COUNTER
	};

	if (i >= RTE_DIM(list))
		return NULL;
	if (text != NULL)
		*text = list[i][1];
	return list[i][0];
}
