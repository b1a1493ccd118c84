/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVME_WAYS_H
#define NVME_WAYS_H

/**
 * @file
 * The two ways to a drive's administration: in-band, through the kernel's driver, and where that stays silent its
 * management controller (NVMe-MI). Who asks need not know: the room's admin commands go to `dev`, which asks the first
 * way, then the second. A drive that answers no by the first way has answered.
 *
 * One thread at a time. A way that stayed silent is not asked again before nvme_ways_again(): each silence takes
 * seconds.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nvme_dev.h"

/** Find the second way to the drive of this serial number: a device without I/O, closed by its ops.
 * @return 0, or -errno with one line in @p why; -EAFNOSUPPORT: this machine has no such way to any drive. */
typedef int nvme_second_fn(struct nvme_dev **out, const char *serial, char *why, size_t len);

struct nvme_ways {
	struct nvme_dev dev; /**< to be asked: admin commands only */
	struct nvme_dev *first, *second;
	nvme_second_fn *find; /**< NULL: there is no second way */
	char serial[24];
	char no_second[96]; /**< why there is none; empty: not looked for, or there is one */
	int silence[2]; /**< what the first and the second way said in place of an answer; 0: nothing to complain of */
	unsigned int last;  /**< the way of the last answer: 0, 1; 2: none */
	uint64_t by_second; /**< answers by the second way */
};

/** @p first stays the caller's. @p serial as the kernel knows it, NULL or empty: it does not. */
void nvme_ways_init(struct nvme_ways *w, struct nvme_dev *first, nvme_second_fn *find, const char *serial);
void nvme_ways_fini(struct nvme_ways *w);
/** From now on ask the first way again, and look again for a second one. */
void nvme_ways_again(struct nvme_ways *w);
/** Which way answered last, and why not the one before it, as one line. */
void nvme_ways_say(const struct nvme_ways *w, char *text, size_t len);

#endif /* NVME_WAYS_H */
