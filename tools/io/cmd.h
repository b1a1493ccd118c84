/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CMD_H
#define CMD_H

/** @file What main.c and the commands of strake-io share: options, opening, exit codes. */

#include <stdbool.h>
#include <stdint.h>

#include "cli.h"
#include "ini.h"
#include "xfer.h"

struct opts {
	/* of every command */
	const char *addr, *nqn, *hostnqn, *congestion;
	uint32_t port, ns, queues;
	bool hdgst, ddgst, json, quiet;
	uint64_t timeout, kato;
	/* of some */
	uint64_t offset, length, bs, seed, size;
	uint32_t depth, jobs, rwmix;
	uint64_t time, warmup, every;
	const char *file, *pattern, *fill, *cpus;
	bool fua, read_only, verify, discard, spin, raw, dealloc, histogram;
};

/* A volume opened by the options, ready for I/O. */
struct session {
	struct ini *ini;
	struct ini_ns ns;
};

/* One line on stderr and its exit code, when not CLI_OK. */
int session_open(struct session *s, struct opts *o, uint32_t queues, uint16_t depth, uint32_t rx_bytes);
void session_close(struct session *s);
/* Exit code for a -errno of the initiator, after a line on stderr. */
int session_fail(struct session *s, int err);
int exit_of(int err);
/* Take o->addr apart into address and port. CLI_OK, or CLI_USAGE after a line on stderr. */
int split_addr(struct opts *o);
/* Without --nqn: the only subsystem that discovery shows, into @p nqn, NVME_NQN_LEN long. */
int find_subsystem(const struct opts *o, char *nqn);
/* An association without I/O queues; @p nqn NULL: the options'. */
int admin_open(struct ini **out, const struct opts *o, const char *nqn);

/*
 * A byte range of the options against the namespace: offset and length must be whole blocks; length 0 and not set means
 * the rest. CLI_OK, or CLI_USAGE after a line on stderr.
 */
int range_check(const struct session *s, struct opts *o);
/* A transfer over that range. Bytes a command, and commands under way, are the options', within the target's limits. */
void xfer_setup(struct xfer *x, struct session *s, const struct opts *o, uint8_t opc);
int do_flush(struct session *s);

extern volatile bool cmd_stop; /* a signal came */
/* Set cmd_stop at SIGINT and SIGTERM; the second one kills. */
void cmd_catch_signals(void);

int cmd_discover(void *o, int argc, char **argv);
int cmd_identify(void *o, int argc, char **argv);
int cmd_read(void *o, int argc, char **argv);
int cmd_write(void *o, int argc, char **argv);
int cmd_copy_in(void *o, int argc, char **argv);
int cmd_copy_out(void *o, int argc, char **argv);
int cmd_verify(void *o, int argc, char **argv);
int cmd_trim(void *o, int argc, char **argv);
int cmd_zero(void *o, int argc, char **argv);
int cmd_flush(void *o, int argc, char **argv);
int cmd_bench(void *o, int argc, char **argv);

#endif /* CMD_H */
