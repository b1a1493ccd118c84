/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef TCP_ADDRESS_H
#define TCP_ADDRESS_H

/**
 * @file
 * Between sockaddr and port_addr. Ports stay in network order.
 */

#include <sys/socket.h>

#include "port.h"

/** @return 0, -EAFNOSUPPORT. */
int tcp_addr_parse(const struct sockaddr *sa, struct port_addr *addr, uint16_t *service);
void tcp_addr_format(struct sockaddr_storage *ss, uint32_t family, const uint8_t *b, uint16_t service);

#endif /* TCP_ADDRESS_H */
