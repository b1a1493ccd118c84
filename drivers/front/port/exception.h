/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef EXCEPTION_H
#define EXCEPTION_H

/**
 * @file
 * The exception path: frames that are not ours go to the host's kernel through a tap, and the kernel's go out.
 *
 *     data lcore ──ring──▶ main ──write──▶ tap ──▶ kernel
 *     data lcore 1 ◀──ring── main ◀──read── tap ◀──
 *
 * Data lcores make no system call for it. Each direction has a token bucket; what is over the rate is dropped.
 */

#include "port_impl.h"

#ifdef __cplusplus
extern "C" {
#endif

#define EXCEPTION_RING 512

struct port_exception {
	struct port *port;
	char name[16];
	int fd;
	uint64_t period; /* ns between two frames of one lcore at its part of the rate */
	uint64_t depth;	 /* ns: how long a bucket may save up */
	/* Main's own. */
	uint64_t main_period;
	struct port_bucket bucket;
	struct strake_poller poller;
	struct port_stats stats;
	struct port_kick kick; /* of lcore 1 */
	uint64_t read_at;      /* ns: not to be asked before */
	struct rte_mbuf *spare;
	struct rte_ring *to_kernel[STRAKE_LCORE_MAX]; /* by data lcore */
	struct rte_ring *from_kernel;		      /* to lcore 1 */
};

/** Take a token at @p now. @return false: none left. */
static inline bool
port_bucket_take(struct port_bucket *b, uint64_t period, uint64_t depth, uint64_t now)
{
	uint64_t oldest = now > depth ? now - depth : 0;

	if (b->due < oldest)
		b->due = oldest;
	if (b->due + period > now)
		return false;
	b->due += period;
	return true;
}

/** Make a tap for @p port, with its MAC address and MTU, and bring it up; an existing one of that name is taken.
 * @return its descriptor, or -errno and one line in @p err. */
int port_tap_open(const struct port *port, const char *name, char *err, size_t errlen);

/** Begin the exception path of @p port over @p fd, which keeps frames whole (a tap). Takes the fd, also when it fails.
 * Main. @return 0 or -ENOMEM. */
int port_exception_create(struct port *port, const char *name, int fd, unsigned int rate);
void port_exception_destroy(struct port *port);

#ifdef __cplusplus
}
#endif

#endif /* EXCEPTION_H */
