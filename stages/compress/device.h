/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef COMPRESS_DEVICE_H
#define COMPRESS_DEVICE_H

/**
 * @file
 * A compressdev for deflate: a queue pair for each lcore. Main lcore, before traffic and after it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct compress_device {
	struct compress_device *next; /**< while idle */
	uint8_t id;		      /**< compressdev's number */
	bool ours;		      /**< a virtual one, made here */
	bool pieces;		      /**< takes a source in several pieces */
	bool shares;		      /**< a transform may serve several operations at a time */
	bool dynamic;		      /**< makes dynamic Huffman codes */
	bool expands;		      /**< hardware, to which reads are given too */
	uint8_t window;		      /**< log2 of the largest window */
	uint8_t level;		      /**< 1 to 9 */
	uint16_t queues, depth;	      /**< queue pairs; operations that each has room for */
	uint16_t jobs;		      /**< operations under way on each at most */
	char name[64], driver[48];
};

/**
 * Open device @p name: one that EAL knows ("0000:3d:01.0", or a --vdev's name), else a virtual one made by the driver
 * of that name ("compress_isal"). A device serves one stage.
 * @return 0; or -errno with one line in @p err: -ENODEV no such device or driver, -EBUSY somebody's already, -ENOTSUP
 * it knows no deflate, or has too few queue pairs, -ENOMEM.
 */
int compress_device_open(struct compress_device **out, const char *name, uint8_t level, uint16_t depth, char *err,
			 size_t errlen);
void compress_device_close(struct compress_device *dev);

/** Transforms for one lcore: [0] shrinks, [1] expands. @return 0 or -errno. */
int compress_device_transforms(const struct compress_device *dev, void *xform[2]);
void compress_device_transforms_free(const struct compress_device *dev, void *xform[2]);

#ifdef __cplusplus
}
#endif

#endif /* COMPRESS_DEVICE_H */
