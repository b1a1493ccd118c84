/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef BOND_H
#define BOND_H

/**
 * @file
 * Several devices as one, by DPDK's bonding driver: active-backup, where the port has to see to it that a failed link
 * is noticed (not every driver tells) and that the network learns the new way.
 */

#include "port_impl.h"

#define BOND_MEMBERS 8

struct bond_member {
	uint16_t id;	/* of its ethdev */
	char iface[16]; /* of an af_packet's, whose driver calls its link up for ever; "" for others */
	bool plugged;
};

struct port_bond {
	struct port *port;
	struct bond_member member[BOND_MEMBERS];
	unsigned int n;
	int sock;	  /* to ask for the state of interfaces */
	uint16_t primary; /* ethdev that carries the frames */
	uint64_t failovers;
	struct strake_timer watch; /* main's */
	struct port_kick announce; /* to lcore 1 */
};

/** Plug the members in and write the devargs of the bond over them. Main. @return 0, or -errno and one line: what a
 * member cannot do. */
int port_bond_plug(struct port *port, const struct conf_port *conf, char *args, size_t argslen, char *err,
		   size_t errlen);
/** The bond is there and started: begin to watch its links. Main. */
void port_bond_watch(struct port *port);
/** After the bond itself is gone. */
void port_bond_unplug(struct port *port);
/** Name of the member that carries the frames, or NULL. Any thread. */
const char *port_bond_active(const struct port *port, char *name, size_t len);

#endif /* BOND_H */
