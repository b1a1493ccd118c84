/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef PORT_ACCESS_H
#define PORT_ACCESS_H

/**
 * @file
 * Who may connect to a port: its `access:` list as one rte_acl table, for IPv4 and IPv6.
 *
 * The table is built whole on main and only read afterwards, by any lcore.
 */

#include "port.h"

#ifdef __cplusplus
extern "C" {
#endif

struct port_access;

/**
 * Build the table. Main.
 * @return 0 and *out (NULL: there is no list, everybody may connect); -EINVAL, -ENOMEM with one line in @p err.
 */
int port_access_create(struct port_access **out, const struct conf_port *conf, char *err, size_t errlen);
/** Free; no lcore asks it any more. NULL is allowed. */
void port_access_destroy(struct port_access *access);
/** May the sender of @p pkt connect to TCP port @p dport (host order)? Shaped as tcp_conf's `admit`. Any lcore. */
bool port_access_admit(void *access, const struct port_pkt *pkt, uint16_t dport);

#ifdef __cplusplus
}
#endif

#endif /* PORT_ACCESS_H */
