/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STRAKE_CHAIN_H
#define STRAKE_CHAIN_H

/**
 * @file
 * A chain: stages in order, for one kind of unit, and the walk through them.
 *
 * Between two stages on the same lcore the edge is a direct call; where a stage has an lcore of its own the edge is an
 * rte_ring with a slot for every unit that exists, so no edge is ever full and completion never waits.
 */

#include "strake_qos.h"
#include "strake_stage.h"

#ifdef __cplusplus
extern "C" {
#endif

#define STRAKE_CHAIN_STAGES_MAX 16

/** Sizes of the pools and rings, fixed at start-up. */
struct strake_pipeline_conf {
	uint32_t reqs;	  /**< requests in all */
	uint32_t chunks;  /**< chunks in all */
	uint32_t reserve; /**< of each, only for units begun inside */
	int socket;
	const struct strake_qos_conf *qos; /**< NULL: requests do not wait by class; what it names stays as it is */
};

/** Create pools and the rings of every lcore made so far. Main, once, after the lcores. @return 0, -ENOMEM. */
int strake_pipeline_init(const struct strake_pipeline_conf *conf);
void strake_pipeline_fini(void);
/** On every lcore before its first unit: adds the poller that runs rings, retries and stage polls. */
int strake_pipeline_lcore_init(void);
void strake_pipeline_lcore_fini(void);

/** Units begun and not yet done in the whole appliance: what a drain waits for. Any thread. */
uint64_t strake_pipeline_inflight(void);

/**
 * Make one stage instance. Main.
 * @param lcore data lcore it shall have alone, or -1.
 * @param err gets one line for the operator.
 * @return 0 and *out, or -errno.
 */
int strake_stage_create(struct strake_stage **out, const struct strake_stage_ops *ops, const char *name,
			const struct conf_values *conf, int lcore, char *err, size_t errlen);
/** Free it; its chains must be gone. */
void strake_stage_destroy(struct strake_stage *st);
/** The @p i-th instance, or NULL: for telemetry. */
struct strake_stage *strake_stage_instance(unsigned int i);

/** Make a stage ready on this lcore: its lcore_init(), and its poll() from now on. App calls it, on every data lcore
 * where the stage stands (all, or its own), before traffic. Nothing happens where it does not stand, or the second
 * time. */
int strake_stage_lcore_init(struct strake_stage *st);
/** Undo, after drain. */
void strake_stage_lcore_fini(struct strake_stage *st);
/** Let the stages of this lcore finish what they hold; called each turn until it returns true. */
bool strake_pipeline_lcore_drain(void);

/**
 * Put stages in order, nearest the client first. All must take units of @p kind; `after` is checked. A stage may
 * stand in many chains. @return 0 and *out; -EINVAL with @p err, -ENOMEM, -E2BIG (contexts need too many bytes).
 */
int strake_chain_create(struct strake_chain **out, const char *name, enum strake_unit_kind kind,
			struct strake_stage **stages, unsigned int n, char *err, size_t errlen);
void strake_chain_destroy(struct strake_chain *chain);

/** Begin units at the top of a chain, on the lcore that wants done(). Sets home and origin; all units the same chain.
 * done() is not called before this returns. @p n up to STRAKE_BURST. */
void strake_chain_begin(struct strake_chain *chain, struct strake_unit **units, uint16_t n);

/**
 * Do something at a unit's owner and come back: a sub-request to another lcore. @p fn runs on lcore @p owner, then
 * @p back on this one, each once. The hop is embedded in whoever waits.
 */
struct strake_hop {
	struct strake_msg msg;
	void (*fn)(struct strake_hop *hop);
	void (*back)(struct strake_hop *hop);
	void *arg;
};
void strake_hop(struct strake_hop *hop, uint16_t owner, void (*fn)(struct strake_hop *),
		void (*back)(struct strake_hop *));

#ifdef __cplusplus
}
#endif

#endif /* STRAKE_CHAIN_H */
