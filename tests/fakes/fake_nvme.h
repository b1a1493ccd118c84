/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef FAKE_NVME_H
#define FAKE_NVME_H

/**
 * @file
 * An NVMe controller with one namespace in memory, behind the nvme room's own interface, for tests: it answers as told,
 * wrongly where a test wants that. Commands go by the first lcore that is made ready; a second may look on.
 *
 *     f = fake_nvme_new(12, 1024);
 *     fake_nvme_ns(f)[26] = 1;                      ... Identify as it lies on the wire, to be spoilt ...
 *     fake_nvme_open(&drive, f, NULL, err, sizeof(err));
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct strake_drive;
struct fake_nvme;

/** What a command was. */
struct fake_nvme_cmd {
	uint8_t opcode;
	uint64_t slba;
	uint32_t blocks, cdw11, cdw12;
	uint32_t len;
	unsigned int n_iov;
};

struct fake_nvme *fake_nvme_new(uint8_t lba_shift, uint64_t blocks);
/** Its drive must be closed. */
void fake_nvme_free(struct fake_nvme *f);
/** The 4096 bytes of Identify Controller and Identify Namespace. */
uint8_t *fake_nvme_ctrl(struct fake_nvme *f);
uint8_t *fake_nvme_ns(struct fake_nvme *f);
/** Identify transfers only this many bytes of each. */
void fake_nvme_short_identify(struct fake_nvme *f, size_t bytes);
/** The medium, the SMART log's 512 bytes. */
uint8_t *fake_nvme_medium(struct fake_nvme *f);
uint8_t *fake_nvme_smart(struct fake_nvme *f);
/** From now on it has log page @p lid, 1 to 5 but the SMART log: its 4096 bytes, zeroes at first. */
uint8_t *fake_nvme_page(struct fake_nvme *f, uint8_t lid);

/** What the kernel is said to know of it; 0: nothing. */
void fake_nvme_kernel(struct fake_nvme *f, uint64_t bytes, const char *serial);
/** Pieces of data that a command may have (1 to 8). */
void fake_nvme_iovs(struct fake_nvme *f, uint16_t n);
/** Open a drive on it. @p trim "safe", "always" or "never". @return as strake_drive_open(). */
int fake_nvme_open(struct strake_drive **drive, struct fake_nvme *f, const char *trim, char *err, size_t len);

/** Admin commands stay silent (@p res, as in nvme_dev.h) until so many remedies were tried: the first is a reset, the
 * second a rescan. */
void fake_nvme_silent(struct fake_nvme *f, int res, unsigned int remedies);
/** How many were tried since it was made. */
unsigned int fake_nvme_remedies(const struct fake_nvme *f);
/** Its management controller: this machine has no way to it, as at first; it answers; it stays silent. */
enum fake_nvme_mi { FAKE_MI_ABSENT, FAKE_MI_ANSWERS, FAKE_MI_SILENT };
void fake_nvme_mi(struct fake_nvme *f, enum fake_nvme_mi mi);
/** Admin commands that came in-band, and that the management controller answered; how often it was looked for. */
unsigned int fake_nvme_in_band(const struct fake_nvme *f);
unsigned int fake_nvme_by_mi(const struct fake_nvme *f);
unsigned int fake_nvme_mi_searched(const struct fake_nvme *f);

/** Answer the next @p times commands of @p opcode (255: any) with @p res (as in nvme_dev.h), and do nothing. */
void fake_nvme_fail(struct fake_nvme *f, uint8_t opcode, int res, unsigned int times);
/** Take commands, answer none until told again. */
void fake_nvme_hold(struct fake_nvme *f, bool hold);
/** Answer what is held in the order last to first from now on. */
void fake_nvme_backwards(struct fake_nvme *f);
/** Take only this many commands, until told again; -1: all. */
void fake_nvme_room(struct fake_nvme *f, int n);
/** Answer the next command twice; answer a tag that nobody gave. */
void fake_nvme_answer_twice(struct fake_nvme *f);
void fake_nvme_stranger(struct fake_nvme *f, uint64_t tag);

/** Lcore @p lcore (0 or 1) answers @p res the next @p times that it shall go on by another descriptor. */
void fake_nvme_adopting(struct fake_nvme *f, unsigned int lcore, int res, unsigned int times);
/** How often it went on by another. */
int fake_nvme_adopted(const struct fake_nvme *f, unsigned int lcore);

/** What Format and Sanitize answer, how many namespaces there are, and what the Sanitize Status log says (its state)
 * after it has said @p polls times that it is under way. */
void fake_nvme_erasing(struct fake_nvme *f, unsigned int namespaces, int res, uint8_t state, unsigned int polls);
/** How often it was formatted; by which action it was sanitized, 0: not. */
unsigned int fake_nvme_formatted(const struct fake_nvme *f);
uint8_t fake_nvme_sanitized(const struct fake_nvme *f);

/** Commands so far, and the @p i-th. */
unsigned int fake_nvme_count(const struct fake_nvme *f);
const struct fake_nvme_cmd *fake_nvme_asked(const struct fake_nvme *f, unsigned int i);
/** Commands so far that the kernel would have copied for: data that does not begin and end at the drive's alignment, or
 * pieces that leave a gap inside a page. */
unsigned int fake_nvme_bounced(const struct fake_nvme *f);
/** The address bits that must be 0; 3 at first. */
void fake_nvme_align(struct fake_nvme *f, uint32_t mask);
/** Commands taken and not answered. */
unsigned int fake_nvme_pending(const struct fake_nvme *f);

#ifdef __cplusplus
}
#endif

#endif /* FAKE_NVME_H */
