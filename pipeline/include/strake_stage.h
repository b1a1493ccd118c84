/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STRAKE_STAGE_H
#define STRAKE_STAGE_H

/**
 * @file
 * The contract of a stage: what works on units between the front and the drives.
 *
 * A stage gets a burst and writes one verdict per unit (strake_unit.h); it never learns its neighbours. down() faces
 * the drives, up() faces the client. It registers by constructor and is created once per place in a chain.
 */

#include <stdint.h>

#include <rte_common.h>

#include "conf_key.h"
#include "strake_account.h"
#include "strake_chunk.h"
#include "strake_lcore.h"
#include "strake_req.h"

#ifdef __cplusplus
extern "C" {
#endif

struct strake_stage;
struct conf_values;
struct rte_tel_data;

/** Longest burst a stage is given. */
#define STRAKE_BURST 64

struct strake_stage_ops {
	const char *name;  /**< key in a volume's `stages:` list, and in telemetry. Required. */
	const char *after; /**< name of a stage that must stand above (nearer the client) if both are used; or NULL */
	enum strake_unit_kind unit;  /**< which unit it takes */
	bool log;		     /**< works only for volumes of log groups */
	uint16_t req_ctx_size;	     /**< private bytes in each unit, see strake_stage_ctx(); 0 to STRAKE_UNIT_CTX */
	const struct conf_key *keys; /**< its configuration, ended by a key without name; or NULL */

	/** Build the instance: set st->priv. Main lcore, before traffic. @p err gets one line for the operator on
	 * failure. @return 0 or -errno. Required. */
	int (*create)(struct strake_stage *st, const struct conf_values *conf, char *err, size_t errlen);
	/** Make the per-lcore part: set st->lc[index]. On that lcore, before traffic. Optional. */
	int (*lcore_init)(struct strake_stage *st);
	/** Undo it, on that lcore, after drain. Optional. */
	void (*lcore_fini)(struct strake_stage *st);
	/** Towards the drives. One verdict per unit, 1 to STRAKE_BURST units of the kind above, all of the same chain.
	 * Must not call done() or strake_unit_complete() on a unit of this burst. Required. */
	void (*down)(struct strake_stage *st, struct strake_unit **units, uint16_t n);
	/** Towards the client, for units this stage saw go down with verdict NEXT or continued. May change status and
	 * payload. Verdict NEXT (preset) goes on up; HELD keeps it until strake_unit_complete(). Optional. */
	void (*up)(struct strake_stage *st, struct strake_unit **units, uint16_t n);
	/** Once a turn on every lcore where the stage stands; hands back what was HELD. @return work done. Optional. */
	uint32_t (*poll)(struct strake_stage *st, uint64_t now);
	/** Finish what is held, start nothing; called each turn until it returns true. Optional. */
	bool (*drain)(struct strake_stage *st);
	/** Free the instance. Main lcore, after every lcore_fini. Optional. */
	void (*destroy)(struct strake_stage *st);
	/** Add the stage's own figures to its telemetry dictionary. Any thread; reads only. Optional. */
	void (*telemetry)(struct strake_stage *st, struct rte_tel_data *dict);
};

/** Counted by the chain for each stage and lcore; one writer. */
struct strake_stage_stats {
	uint64_t down, up;    /**< units */
	uint64_t bytes;	      /**< payload of those that went down: to be written, or to be read */
	uint64_t errors;      /**< units the stage turned round with a status */
	uint64_t held, retry; /**< verdicts */
	uint64_t cycles;      /**< TSC spent in down() and up() */
};

/** One stage at its place in one or more chains. */
struct strake_stage {
	const struct strake_stage_ops *ops;
	const char *name;	    /**< instance name, unique: "v0.crypto", "g0.stripe" */
	void *priv;		    /**< the instance's, set by create() */
	void *lc[STRAKE_LCORE_MAX]; /**< the per-lcore part, set by lcore_init() */
	uint16_t ctx_off;	    /**< where its private bytes begin in a unit's ctx */
	int16_t lcore;		    /**< data lcore it runs on alone, or -1: wherever the unit is */
	struct strake_step step;    /**< its part in the accounts of cycles */
	struct strake_stage_stats stats[STRAKE_LCORE_MAX] __rte_cache_aligned;
};

/** The stage's private bytes in a unit of its kind: req_ctx_size of them, zeroed when the unit was begun. */
static inline void *
strake_stage_ctx(const struct strake_stage *st, struct strake_unit *unit)
{
	uint8_t *ctx = unit->kind == STRAKE_UNIT_REQ ? strake_req_of(unit)->ctx : strake_chunk_of(unit)->ctx;

	return ctx + st->ctx_off;
}

/** The stage's per-lcore part on this lcore. */
static inline void *
strake_stage_lcore(const struct strake_stage *st)
{
	return st->lc[strake_self_index()];
}

/** Send a HELD unit on to the next stage down. Takes effect this turn. On the lcore where it was held. */
void strake_unit_continue(struct strake_unit *unit);
/** A HELD unit is finished, unit->status says how: it goes up from here (this stage's up() is not called for a unit
 * held in down(); stages above are). On the lcore where it was held. */
void strake_unit_complete(struct strake_unit *unit);

/* --- registry ---------------------------------------------------------------------------------------------------- */

/** Called by STRAKE_STAGE_REGISTER; a second stage of the same name aborts. */
void strake_stage_register(const struct strake_stage_ops *ops);
/** By name, or NULL. */
const struct strake_stage_ops *strake_stage_find(const char *name);
/** The @p i-th registered stage, or NULL after the last. */
const struct strake_stage_ops *strake_stage_nth(unsigned int i);

#define STRAKE_STAGE_REGISTER(ops)                                                                                     \
	RTE_INIT(strake_stage_reg_##ops)                                                                               \
	{                                                                                                              \
		strake_stage_register(&(ops));                                                                         \
	}

#ifdef __cplusplus
}
#endif

#endif /* STRAKE_STAGE_H */
