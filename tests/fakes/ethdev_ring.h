/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef ETHDEV_RING_H
#define ETHDEV_RING_H

/**
 * @file
 * A fake ethdev: rings behind DPDK's ring driver, with the capabilities a test gives it.
 *
 * Frames are injected as mbufs with whatever flags a real device would set, and what was sent is taken out again,
 * flags and all. The driver's headers are not packaged, so what the ring driver cannot say of itself (offloads, RSS,
 * interrupts) is said in its place: programs that use this file link with the --wrap options in ethdev_wrap_args.
 */

#include <stdbool.h>
#include <stdint.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ETHDEV_QUEUES_MAX 8

struct ethdev_conf {
	uint16_t queues;      /**< 1 to ETHDEV_QUEUES_MAX */
	uint16_t tx_slots;    /**< of each TX ring, a power of two: one less fit; 0: 4096 */
	uint64_t rx_offloads; /**< besides scatter, which it has anyway */
	uint64_t tx_offloads;
	bool single_segment; /**< no MULTI_SEGS */
	bool no_scatter;     /**< the same of what is received */
	uint64_t rss;	     /**< flow types; 0: none */
	uint16_t reta_size;
	uint16_t max_mtu; /**< 0: no limit */
	uint32_t min_rx_bufsize;
	bool interrupts;    /**< an eventfd to each RX queue, if asked for */
	bool mute;	    /**< and nothing is ever written there */
	const char *driver; /**< name to go by, or NULL */
};

struct ethdev {
	char name[64]; /**< for conf_port::device */
	uint16_t id;
	struct ethdev_conf conf;
	struct rte_ring *rx[ETHDEV_QUEUES_MAX], *tx[ETHDEV_QUEUES_MAX];
	int fd[ETHDEV_QUEUES_MAX];
	bool intr_on[ETHDEV_QUEUES_MAX];
	/* What was asked of it. */
	uint64_t rx_asked, tx_asked, rss_asked;
	bool intr_asked;
	uint16_t mtu;
	uint8_t rss_key[64] __rte_aligned(4);
	uint16_t reta[512];
};

/** @return NULL: no memory. One at a time. */
struct ethdev *ethdev_create(const char *name, const struct ethdev_conf *conf);
void ethdev_destroy(struct ethdev *dev);
/** Put a frame before RX queue @p queue. Takes it. */
void ethdev_inject(struct ethdev *dev, uint16_t queue, struct rte_mbuf *m);
/** Queue this device would choose for a frame of these addresses and ports (network order). */
uint16_t ethdev_steer(const struct ethdev *dev, uint8_t family, const uint8_t *src, const uint8_t *dst,
		      const uint8_t *ports);
/** Next frame sent through TX queue @p queue, or NULL. The caller's. */
struct rte_mbuf *ethdev_take(struct ethdev *dev, uint16_t queue);
/** An mbuf chain of @p len bytes in pieces of at most @p piece (0: one). NULL: pool empty. */
struct rte_mbuf *ethdev_frame(struct rte_mempool *pool, const void *bytes, uint32_t len, uint16_t piece);

#ifdef __cplusplus
}
#endif

#endif /* ETHDEV_RING_H */
