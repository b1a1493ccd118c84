/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CRYPTO_GCM_STAGE_H
#define CRYPTO_GCM_STAGE_H

#include "gcm.h"
#include "gcm_lane.h"
#include "gcm_slot.h"
#include "keyring.h"
#include "strake_stage.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Written by the lcore it belongs to, read by telemetry. */
struct gcm_stats {
	uint64_t sealed, opened;  /**< bytes */
	uint64_t in_place, moved; /**< chunks */
	uint64_t gathered;	  /**< bytes copied because they lay in pieces, or could change */
	uint64_t damaged;	  /**< reads whose tag or seal does not fit */
	uint64_t no_key;	  /**< chunks of which the key is not, or no longer, there */
	uint64_t asked;		  /**< keys asked of main */
	uint64_t waited;	  /**< chunks that waited: for a key, a page or the device */
	uint64_t device_failures, devices_off;
	uint64_t soft;			   /**< chunks done by the processor, the device being lost */
	uint64_t seal_cycles, open_cycles; /**< TSC */
};

/** A key asked of main. In secret memory; travels there and back. */
struct gcm_ask {
	struct strake_msg msg;
	struct strake_stage *st;
	struct gcm_want want;
	uint16_t lcore, epoch, opening;
	uint32_t generation;
	int status;
	uint8_t key[GCM_KEY];
};

/** What one lcore has. */
struct gcm_lcore {
	struct gcm_stats *stats;
	struct gcm_lane lane;
	struct gcm_slots slots;
	struct gcm_ask *ask;
	bool asking;
	uint32_t generation;			    /**< whose older slots are swept */
	struct strake_unit *waiting, *waiting_last; /**< both ways, in order */
};

/** The instance's. */
struct gcm {
	struct gcm_device *device;
	uint8_t *kek;
	struct keyring *keyring; /**< main's; NULL: not open */
	uint32_t generation;	 /**< of the keys: main writes, lcores read */
	unsigned int rotations;	 /**< main's */
	/** Nonces given out in this opening, by lcore: they go on when an lcore's part is made anew. */
	uint64_t nonce[STRAKE_LCORE_MAX];
	struct gcm_stats stats[STRAKE_LCORE_MAX];
};

/** Figures of a stage over all lcores. Any thread. */
void gcm_stats(const struct strake_stage *st, struct gcm_stats *sum);

/* --- gcm_control.c -------------------------------------------------------------------------------------------------
 */

/** Read the key-encryption key that @p conf names. @return 0, and it is the caller's to free; -errno and one line. */
int gcm_kek_load(uint8_t **kek, const struct conf_values *conf, char *err, size_t errlen);

/** Ask main for a key, if this lcore does not wait for one already. */
void gcm_ask(struct strake_stage *st, struct gcm_lcore *lc, const struct gcm_want *want);

static inline uint32_t
gcm_generation(const struct gcm *g)
{
	return __atomic_load_n(&g->generation, __ATOMIC_ACQUIRE);
}

#ifdef __cplusplus
}
#endif

#endif /* CRYPTO_GCM_STAGE_H */
