/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CRYPTO_GCM_DEVICE_H
#define CRYPTO_GCM_DEVICE_H

/**
 * @file
 * A cryptodev for AES-256-GCM: a queue pair for each lcore, and sessions. Main lcore, apart from the sessions.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_mempool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GCM_KEY	  32u
#define GCM_NONCE 12u
#define GCM_TAG	  16u
#define GCM_AAD	  32u
/** Where an operation has its nonce: behind what DPDK has of it. Then AAD and tag. */
#define GCM_IV_OFFSET (sizeof(struct rte_crypto_op) + sizeof(struct rte_crypto_sym_op))

struct gcm_device {
	struct gcm_device *next; /**< while idle */
	uint8_t id;		 /**< cryptodev's number */
	bool ours;		 /**< a virtual one, made here */
	bool apart;		 /**< writes the result elsewhere than in place */
	bool pieces;		 /**< and then takes a source in several pieces */
	uint16_t queues, depth;	 /**< queue pairs; operations that each has room for */
	uint16_t jobs;		 /**< operations under way on each at most */
	struct rte_mempool *sessions;
	char name[64], driver[48];
};

/**
 * Open device @p name: one that EAL knows (a PCI address, a --vdev's name), else a virtual one made by the driver of
 * that name ("crypto_aesni_gcm"). A device serves one stage.
 * @return 0; or -errno with one line in @p err: -ENODEV no such device or driver, -EBUSY somebody's already, -ENOTSUP
 * it knows no AES-256-GCM, or has too few queue pairs, -ENOMEM.
 */
int gcm_device_open(struct gcm_device **out, const char *name, uint16_t depth, uint32_t sessions, char *err,
		    size_t errlen);
void gcm_device_close(struct gcm_device *dev);

/** A session that seals or opens under @p key (GCM_KEY bytes, copied). Any lcore. @return NULL: no room. */
void *gcm_device_session(const struct gcm_device *dev, const uint8_t *key, bool seal);
void gcm_device_session_free(const struct gcm_device *dev, void *session);

#ifdef __cplusplus
}
#endif

#endif /* CRYPTO_GCM_DEVICE_H */
