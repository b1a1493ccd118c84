/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef LOAD_CMD_H
#define LOAD_CMD_H

/** @file The command line of strake-bench: options, and what its commands share. */

#include <stdbool.h>
#include <stdint.h>

#include "load.h"
#include "target.h"

#ifdef __cplusplus
extern "C" {
#endif

struct opts {
	const char *device, *ip, *addr, *nqn, *hostnqn, *pattern, *target;
	uint32_t service, ns, mtu, descs, cpu, depth, conns, rwmix, lcore, runs;
	uint64_t memory, bs, size, time, warmup, timeout, seed;
	bool huge, check, fill, verify, json, hdgst, ddgst;
};

/** The open device, host and appliance of a command. */
struct session {
	struct net *net;
	struct host *host;
	struct target *target; /**< NULL without --target */
	struct target_figures before, after;
	char err[NET_ERR_MAX];
	int mark_err;
	bool eal;
};

/** Set by a signal. */
extern volatile bool cmd_stop;

/** @return enum cli_exit after a line on stderr. */
int session_open(struct session *s, const struct opts *o);
void session_close(struct session *s);
/** Check and run one load; the appliance is asked before and after. @return enum cli_exit. */
int session_load(struct session *s, const struct opts *o, struct load_conf *c, struct load_result *r);

int cmd_run(void *values, int argc, char **argv);
int cmd_breakdown(void *values, int argc, char **argv);
int cmd_suite(void *values, int argc, char **argv);

#ifdef __cplusplus
}
#endif

#endif /* LOAD_CMD_H */
