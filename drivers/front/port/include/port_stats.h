/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef PORT_STATS_H
#define PORT_STATS_H

/**
 * @file
 * What a port counts. The list is port_counters.def; each lcore has its own struct port_stats, written by it alone.
 */

#include <stdint.h>

#include "port.h"

#ifdef __cplusplus
extern "C" {
#endif

struct port_stats {
#define PORT_COUNTER(name, text) uint64_t name;
#include "port_counters.def"
#undef PORT_COUNTER
};

/** Sum over the lcores of @p port. Any thread; each counter is whole, the set is not one instant's. */
void port_stats_sum(const struct port *port, struct port_stats *out);
/** Name and meaning of the @p i-th counter, which is the @p i-th uint64_t of struct port_stats; NULL past the end. */
const char *port_stats_name(unsigned int i, const char **text);

#ifdef __cplusplus
}
#endif

#endif /* PORT_STATS_H */
