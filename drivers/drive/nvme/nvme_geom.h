/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVME_GEOM_H
#define NVME_GEOM_H

/**
 * @file
 * What a drive says of itself, checked: nothing is taken from Identify that could not be so.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nvme_dev;

/** What the kernel knows, to hold the drive's words against; 0: it does not say. */
struct nvme_kernel_view {
	uint64_t bytes;	       /**< capacity */
	uint32_t max_xfer;     /**< longest transfer, bytes */
	uint32_t max_segments; /**< pages of one transfer */
	uint32_t max_zeroes;   /**< longest Write Zeroes, bytes */
	const char *serial;
};

struct nvme_geom {
	char serial[24], model[44], firmware[12];
	uint64_t blocks;
	uint32_t nsid;
	uint8_t lba_shift;	       /**< 9 or 12 */
	uint32_t max_xfer;	       /**< bytes of one read or write command */
	uint32_t max_zeroes;	       /**< bytes of one Write Zeroes command */
	uint32_t max_trim;	       /**< bytes of one deallocated range */
	uint32_t write_unit;	       /**< writes are best cut at multiples of it, bytes; 0: no preference */
	uint32_t boundary;	       /**< commands are best not to cross multiples of it, bytes; 0: none */
	bool cache_present;	       /**< has a volatile write cache */
	bool cache_on;		       /**< and it is enabled */
	bool zeroes;		       /**< knows Write Zeroes */
	bool zeroes_free;	       /**< may deallocate what it zeroes */
	bool trim;		       /**< knows Dataset Management */
	bool trim_zeroes;	       /**< deallocated blocks read as zeroes, for certain */
	bool thin;		       /**< may run out of space before its capacity */
	uint16_t crdt[4];	       /**< retry delays by index, 100 ms; [0] is none */
	uint16_t temp_warn, temp_crit; /**< kelvin; 0: not said */
	uint16_t error_entries;	       /**< that its error log keeps */
	bool tells_commands;	       /**< has a log of the commands it knows */
	uint8_t nguid[16], eui64[8];
};

/** Ask @p dev and check. May wait. @return 0, -errno of the kernel, or -EBADMSG (it lies) or -EMEDIUMTYPE (it is not
 * for us) with the reason in @p why. */
int nvme_geom_ask(struct nvme_geom *g, struct nvme_dev *dev, const struct nvme_kernel_view *kernel, char *why,
		  size_t len);
/** The same namespace of the same drive, unchanged in form? */
bool nvme_geom_same(const struct nvme_geom *a, const struct nvme_geom *b);

#endif /* NVME_GEOM_H */
