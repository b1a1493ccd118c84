/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef FAKE_NVMF_H
#define FAKE_NVMF_H

/**
 * @file
 * Stands in for the nvmf room under a transport: a disk in memory, commands that end when the test lets them.
 */

#include "nvmf.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FAKE_NVMF_DISK (1024u * 1024u)

struct fake_nvmf {
	uint8_t disk[FAKE_NVMF_DISK]; /**< read and written at slba * 512 */
	bool hold;		      /**< commands end only by fake_nvmf_release() */
	bool hold_gone;		      /**< queue pairs are gone only when this is false again */
	uint16_t fail_sc;	      /**< if set, how I/O commands end */
	uint32_t size;		      /**< queue size that Connect gives */
	uint32_t executed, done, held;
	uint32_t qpairs, gone; /**< begun, and gone() called */
	uint32_t bursts, burst_max;
	uint32_t bad_payload; /**< commands whose payload had not the length they asked for */
	bool page_aligned;    /**< the last payload was one page-aligned buf */
};

/** On the lcore. */
struct fake_nvmf *fake_nvmf_create(void);
void fake_nvmf_destroy(void);
/** End up to @p n held commands, newest first (so that answers come out of order). */
void fake_nvmf_release(uint32_t n);

#ifdef __cplusplus
}
#endif

#endif /* FAKE_NVMF_H */
