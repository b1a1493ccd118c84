/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Ports on the telemetry socket: /strake/port/list and /strake/port/info,NAME. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_log.h>

#include "strake_telemetry.h"
#include "bond.h"
#include "exception.h"

static int
tel_list(const char *cmd, const char *params, struct rte_tel_data *d)
{
	const struct port *port;

	rte_tel_data_start_array(d, RTE_TEL_STRING_VAL);
	for (unsigned int i = 0; (port = port_nth(i)) != NULL; i++)
		rte_tel_data_add_array_string(d, port->name);
	return 0;
}

static const struct port *
find(const char *name)
{
	const struct port *port;

	for (unsigned int i = 0; name != NULL && (port = port_nth(i)) != NULL; i++)
		if (strcmp(port->name, name) == 0)
			return port;
	return NULL;
}

static int
tel_info(const char *cmd, const char *params, struct rte_tel_data *d)
{
	const struct port *port = find(params);
	char mac[RTE_ETHER_ADDR_FMT_SIZE];
	char name_of[RTE_ETH_NAME_MAX_LEN];
	struct port_stats stats;
	const char *name;

	if (port == NULL)
		return -EINVAL;
	rte_ether_format_addr(mac, sizeof(mac), &port->mac);
	port_stats_sum(port, &stats);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "name", port->name);
	rte_tel_data_add_dict_string(d, "driver", port->driver);
	rte_tel_data_add_dict_string(d, "mac", mac);
	if (port_bond_active(port, name_of, sizeof(name_of)) != NULL) {
		rte_tel_data_add_dict_string(d, "active", name_of);
		rte_tel_data_add_dict_u64(d, "failovers", port->bond->failovers);
	}
	if (port->exception != NULL)
		rte_tel_data_add_dict_string(d, "exception", port->exception->name);
	rte_tel_data_add_dict_int(d, "ethdev", port->id);
	rte_tel_data_add_dict_int(d, "mtu", port->mtu);
	rte_tel_data_add_dict_int(d, "vlan", port->vlan);
	rte_tel_data_add_dict_int(d, "queues", port->n_queues);
	rte_tel_data_add_dict_int(d, "lcores", port->n_lcores);
	rte_tel_data_add_dict_int(d, "rss", port->rss);
	rte_tel_data_add_dict_int(d, "interrupts", port->rx_heard);
	rte_tel_data_add_dict_int(d, "tx_cksum_offload", port->tx_tcp_cksum);
	rte_tel_data_add_dict_int(d, "tso", port->tso);
	rte_tel_data_add_dict_int(d, "lro", port->lro);
	rte_tel_data_add_dict_u64(d, "mbufs_free", rte_mempool_avail_count(port->pool));
	rte_tel_data_add_dict_u64(d, "ext_mbufs_free", rte_mempool_avail_count(port->ext_pool));
	for (unsigned int i = 0; (name = port_stats_name(i, NULL)) != NULL; i++)
		rte_tel_data_add_dict_u64(d, name, ((const uint64_t *)&stats)[i]);
	return 0;
}

RTE_INIT(port_tel_init)
{
	strake_tel_register("/strake/port/list", tel_list, "Names of the ports. Takes no parameters");
	strake_tel_register("/strake/port/info", tel_info, "State and counters of a port. Parameter: its name");
}
