/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "bond.h"

#include <errno.h>
#include <linux/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_eth_bond.h>
#include <rte_log.h>
#include <rte_malloc.h>

#define WATCH_NS (50 * STRAKE_NS_PER_MS)

/* --- members -------------------------------------------------------------------------------------------------------
 */

static bool
lacp(const struct conf_port *conf)
{
	return strstr(conf->device, ",mode=4") != NULL;
}

/* What bonding will want of it, asked before anything runs. */
static int
able(const struct conf_port *conf, const struct bond_member *m, const char *name, char *err, size_t errlen)
{
	struct rte_ether_addr mac;
	int ret = rte_eth_macaddr_get(m->id, &mac);

	if (ret == 0)
		ret = rte_eth_dev_default_mac_addr_set(m->id, &mac);
	if (ret != 0) {
		snprintf(err, errlen, "port %s: %s cannot be in a bond: it takes no other MAC address (%s)", conf->name,
			 name, strerror(-ret));
		return ret;
	}
	ret = lacp(conf) ? rte_eth_allmulticast_enable(m->id) : 0;
	if (ret != 0)
		snprintf(err, errlen, "port %s: %s cannot do LACP: it does not let all multicast in (%s)", conf->name,
			 name, strerror(-ret));
	return ret;
}

static int
member_plug(const struct conf_port *conf, struct bond_member *m, const char *device, char *name, size_t namelen,
	    char *err, size_t errlen)
{
	const char *iface = strstr(device, "iface=");
	char args[512];
	size_t len;
	int ret = 0;

	len = RTE_MIN(strcspn(device, ","), namelen - 1);
	memcpy(name, device, len);
	name[len] = '\0';
	if (strncmp(device, "net_af_packet", 13) == 0 && iface != NULL)
		snprintf(m->iface, sizeof(m->iface), "%.*s", (int)strcspn(iface + 6, ","), iface + 6);
	if (rte_eth_dev_get_port_by_name(name, &m->id) != 0) {
		port_complete_devargs(device, conf->mtu, args, sizeof(args));
		ret = port_probe(args);
		if (ret == 0)
			ret = rte_eth_dev_get_port_by_name(name, &m->id);
		m->plugged = ret == 0;
	}
	if (ret != 0) {
		snprintf(err, errlen, "port %s: cannot open member \"%s\": %s", conf->name, device, strerror(-ret));
		return ret;
	}
	return able(conf, m, name, err, errlen);
}

int
port_bond_plug(struct port *port, const struct conf_port *conf, char *args, size_t argslen, char *err, size_t errlen)
{
	struct port_bond *b = rte_zmalloc("port_bond", sizeof(*b), 0);
	char name[RTE_ETH_NAME_MAX_LEN];
	size_t at;

	if (b == NULL)
		return -ENOMEM;
	port->bond = b;
	b->port = port;
	b->sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	at = (size_t)snprintf(args, argslen, "%s%s", conf->device,
			      strstr(conf->device, ",mode=") == NULL ? ",mode=1" : "");
	for (; b->n < conf->n_members && b->n < BOND_MEMBERS; b->n++) {
		int ret = member_plug(conf, &b->member[b->n], conf->members[b->n], name, sizeof(name), err, errlen);

		if (ret != 0) {
			b->n++;
			return ret;
		}
		if (at < argslen)
			at += (size_t)snprintf(args + at, argslen - at, ",slave=%s", name);
	}
	return at < argslen ? 0 : -E2BIG;
}

void
port_bond_unplug(struct port *port)
{
	struct port_bond *b = port->bond;
	struct rte_eth_dev_info info;

	if (b == NULL)
		return;
	strake_timer_cancel(&b->watch);
	for (unsigned int i = 0; i < b->n; i++) {
		if (!b->member[i].plugged || rte_eth_dev_info_get(b->member[i].id, &info) != 0)
			continue;
		rte_eth_dev_stop(b->member[i].id);
		rte_eth_dev_close(b->member[i].id);
		rte_dev_remove(info.device);
	}
	if (b->sock >= 0)
		close(b->sock);
	port->bond = NULL;
	rte_free(b);
}

/* --- watching ------------------------------------------------------------------------------------------------------
 */

static bool
link_up(const struct port_bond *b, const struct bond_member *m)
{
	struct rte_eth_link link = {.link_status = RTE_ETH_LINK_DOWN};
	struct ifreq ifr = {.ifr_flags = 0};

	if (m->iface[0] == '\0')
		return rte_eth_link_get_nowait(m->id, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", m->iface);
	return ioctl(b->sock, SIOCGIFFLAGS, &ifr) == 0 && (ifr.ifr_flags & IFF_UP) != 0 &&
	       (ifr.ifr_flags & IFF_RUNNING) != 0;
}

/* The member that carries the frames lost its link: another with one takes over. Where the driver tells its link,
 * bonding did so already. */
static void
take_over(struct port_bond *b)
{
	const struct bond_member *up = NULL;
	int primary = rte_eth_bond_primary_get(b->port->id);

	for (unsigned int i = 0; i < b->n; i++) {
		bool ok = link_up(b, &b->member[i]);

		if (ok && b->member[i].id == primary)
			return;
		if (ok && up == NULL)
			up = &b->member[i];
	}
	if (up != NULL)
		rte_eth_bond_primary_set(b->port->id, up->id);
}

static void
announce(struct strake_msg *msg)
{
	struct port_bond *b = container_of((struct port_kick *)msg, struct port_bond, announce);

	(void)__atomic_exchange_n(&b->announce.sent, false, __ATOMIC_SEQ_CST);
	port_announce(b->port->lcores[1]);
}

static void
watch(struct strake_timer *t, uint64_t now)
{
	struct port_bond *b = container_of(t, struct port_bond, watch);
	int primary;

	take_over(b);
	primary = rte_eth_bond_primary_get(b->port->id);
	if (primary >= 0 && primary != b->primary) {
		char name[RTE_ETH_NAME_MAX_LEN] = "";

		b->primary = (uint16_t)primary;
		b->failovers++;
		rte_log(RTE_LOG_WARNING, port_logtype, "port %s: %s carries the frames now\n", b->port->name,
			port_bond_active(b->port, name, sizeof(name)));
		if (b->port->lcores[1] != NULL && !__atomic_exchange_n(&b->announce.sent, true, __ATOMIC_SEQ_CST)) {
			b->announce.msg.fn = announce;
			strake_msg_send(1, &b->announce.msg);
		}
	}
	strake_timer_arm(t, now + WATCH_NS);
}

void
port_bond_watch(struct port *port)
{
	struct port_bond *b = port->bond;
	int primary;

	if (b == NULL || rte_eth_bond_mode_get(port->id) != BONDING_MODE_ACTIVE_BACKUP)
		return;
	take_over(b);
	primary = rte_eth_bond_primary_get(port->id);
	b->primary = primary >= 0 ? (uint16_t)primary : b->member[0].id;
	b->watch.fn = watch;
	strake_timer_arm(&b->watch, strake_now() + WATCH_NS);
}

const char *
port_bond_active(const struct port *port, char *name, size_t len)
{
	const struct port_bond *b = port->bond;
	char full[RTE_ETH_NAME_MAX_LEN];

	if (b == NULL || rte_eth_bond_mode_get(port->id) != BONDING_MODE_ACTIVE_BACKUP)
		return NULL;
	for (unsigned int i = 0; i < b->n; i++) {
		if (b->member[i].id != b->primary || rte_eth_dev_get_name_by_port(b->primary, full) != 0)
			continue;
		snprintf(name, len, "%s", b->member[i].iface[0] != '\0' ? b->member[i].iface : full);
		return name;
	}
	return NULL;
}
