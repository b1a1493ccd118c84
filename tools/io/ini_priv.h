/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef INI_PRIV_H
#define INI_PRIV_H

/** @file Inside the association: what ini.c (making it) and ini_admin.c (using it) share. */

#include "ini.h"
#include "nvme_tcp_spec.h"

/* What the tools send in one command at most, whatever the target allows. */
#define INI_XFER_MAX (4u << 20)

struct ini {
	struct ini_conf conf;
	struct qp *admin;
	struct qp **queue;
	unsigned int nqueues;
	uint16_t depth, cntlid;
	uint32_t in_capsule, max_xfer, version;
	uint64_t cap;
	uint64_t timeout; /* ticks */
	uint8_t hostid[16];
	struct nvme_id_ctrlr ctrlr;
	struct qp_io keep_alive;
	bool keep_alive_out;
	int keep_alive_err;
	uint64_t next_tick, next_keep_alive;
	char err[INI_ERR_MAX];
};

int ini_fail(struct ini *ini, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif /* INI_PRIV_H */
