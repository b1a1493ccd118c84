/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVMF_TARGET_H
#define NVMF_TARGET_H

/**
 * @file
 * The target and its subsystems. All of it is main's, but the namespace tables.
 */

#include "ns.h"

struct nvmf_ctrlr;
struct nvmf_resv;

/** Figures of queue pairs that are gone, and sums over those that are there. */
struct nvmf_totals {
	uint64_t cmds, errors, reads, writes, bytes_in, bytes_out;
};

struct nvmf_subsystem {
	struct nvmf_subsystem *next;
	uint32_t id; /**< for routes and rules, from 1 */
	char nqn[NVME_NQN_LEN];
	char serial[21], model[41];
	bool discovery;
	bool any_host;
	char **hosts;
	unsigned int n_hosts;
	uint16_t max_queues;  /**< I/O queues of a controller */
	uint16_t queue_depth; /**< entries of an I/O queue */
	struct nvmf_ns_array *ns;
	uint64_t ana_changes;
	bool spare_low;			    /**< and the log says so */
	uint64_t leaving[NVMF_NS_MAX / 64]; /**< namespaces removed, whose commands have not all ended */
	struct nvmf_ctrlr *ctrlrs;	    /**< list by ->next */
	uint16_t last_cntlid;
	struct nvmf_totals gone;
	struct nvmf_ns_table table[STRAKE_LCORE_MAX];
};

/** An address in the discovery log. */
struct nvmf_listener {
	struct nvmf_listener *next;
	const struct nvmf_transport *transport;
	char address[64];
	uint16_t service;
	uint16_t portid;
	uint8_t ana;		       /**< enum nvme_ana_state of paths through it */
	struct strake_timer ana_timer; /**< how long a change may last */
};

/** A message on its way over the data lcores, which reads what hosts sent; one at a time, counted. In keep_alive.c. */
struct nvmf_look {
	struct strake_msg msg;
	uint64_t wanted, begun, done; /**< main's */
	uint32_t seen;		      /**< lcores it has visited, a bit for each */
	bool again;		      /**< for the second time */
	uint16_t turns;		      /**< that it stays with this one */
};

struct nvmf_target {
	struct nvmf_subsystem *subsystems; /**< the discovery subsystem is the first */
	struct nvmf_listener *listeners;
	uint16_t last_portid;
	uint64_t genctr; /**< of the discovery log */
	uint32_t last_id;
	uint32_t ctrlrs;
	uint64_t ka_expired; /**< controllers lost to the keep-alive timer */
	uint64_t t_start;
	uint32_t rounds; /**< messages sent round data lcores and not back yet */
	bool draining;
	struct nvmf_look look;
	struct strake_timer spare;    /**< when to look at the room that is left */
	uint32_t lcores;	      /**< bitmap of data lcores that run; atomic */
	struct nvmf_classes *classes; /**< the newest */
	struct nvmf_resv *resvs;      /**< of all volumes that were ever offered */
};

/** The target, or NULL. */
extern struct nvmf_target *nvmf_target;

struct nvmf_subsystem *nvmf_subsystem_find(const char *nqn);
/** Without namespaces yet: see nvmf_subsystem_fill(). */
int nvmf_subsystem_create(struct nvmf_subsystem **out, const struct conf_subsystem *conf, char *err, size_t errlen);
struct nvmf_subsystem *nvmf_subsystem_create_discovery(void);
/** Give it the namespaces 1 to @p n that the target's tables name. @return 0, -ENOMEM. */
int nvmf_subsystem_fill(struct nvmf_subsystem *sub, uint32_t n);
void nvmf_subsystem_destroy(struct nvmf_subsystem *sub);
bool nvmf_host_allowed(const struct nvmf_subsystem *sub, const char *hostnqn);
void nvmf_totals_add(struct nvmf_totals *t, const struct nvmf_qpair *qp);
void nvmf_subsystem_totals(const struct nvmf_subsystem *sub, struct nvmf_totals *out);
/** 0.0.0.0 or ::, which stand for every address. */
bool nvmf_any_address(const char *address);
/** Keep the figures of a queue pair that is gone. */
void nvmf_subsystem_retire(struct nvmf_subsystem *sub, const struct nvmf_qpair *qp);
/** Something in the discovery log changed: count it and tell the hosts that asked. */
void nvmf_discovery_changed(void);
void nvmf_telemetry_init(void);

#define NVMF_SPARE_LEAST 10 /* percent */
/** Percent left of the room that the thin volumes among its namespaces have; of several the least. */
uint8_t nvmf_spare(const struct nvmf_subsystem *sub);
/** Tell hosts and log when it gets less than NVMF_SPARE_LEAST, from now on. */
void nvmf_spare_watch(void);

#endif /* NVMF_TARGET_H */
