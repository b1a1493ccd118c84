/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_bus_vdev.h>
#include <rte_compressdev.h>
#include <rte_log.h>
#include <rte_malloc.h>

#include "device.h"
#include "strake_lcore.h"

#define XFORMS_MIN 8u
#define WINDOW_MAX 15u /* log2 of deflate's 32 KiB */

/* Device numbers that have an owner. Main only, like what follows. */
static bool taken[RTE_COMPRESS_MAX_DEVS];
/* Virtual devices that nobody uses now. They stay: this DPDK cannot give the number of a removed one away again. */
static struct compress_device *idle;
static unsigned int made;

static struct compress_device *
reuse(const char *driver, uint16_t depth)
{
	for (struct compress_device **at = &idle; *at != NULL; at = &(*at)->next) {
		struct compress_device *dev = *at;

		if (strcmp(dev->driver, driver) == 0 && dev->queues >= strake_lcore_count() &&
		    (dev->depth >= depth || !dev->shares)) {
			*at = dev->next;
			return dev;
		}
	}
	return NULL;
}

static int
find(struct compress_device *dev, const char *name, char *err, size_t errlen)
{
	int id = rte_compressdev_get_dev_id(name);

	if (id < 0) {
		snprintf(dev->driver, sizeof(dev->driver), "%s", name);
		snprintf(dev->name, sizeof(dev->name), "%s_strake%u", name, made++);
		id = rte_vdev_init(dev->name, NULL) == 0 ? rte_compressdev_get_dev_id(dev->name) : -1;
		dev->ours = id >= 0;
	}
	if (id < 0) {
		snprintf(err, errlen, "compression device \"%s\": no such device, and no driver that makes one", name);
		return -ENODEV;
	}
	dev->id = (uint8_t)id;
	if (taken[id]) {
		snprintf(err, errlen, "compression device \"%s\" serves another stage already", name);
		return -EBUSY;
	}
	return 0;
}

static int
examine(struct compress_device *dev, const char *name, char *err, size_t errlen)
{
	const struct rte_compressdev_capabilities *cap = rte_compressdev_capability_get(dev->id, RTE_COMP_ALGO_DEFLATE);
	struct rte_compressdev_info info;

	rte_compressdev_info_get(dev->id, &info);
	if (cap == NULL) {
		snprintf(err, errlen, "compression device \"%s\" knows no deflate", name);
		return -ENOTSUP;
	}
	if (info.max_nb_queue_pairs != 0 && info.max_nb_queue_pairs < strake_lcore_count()) {
		snprintf(err, errlen, "compression device \"%s\" has %u queue pairs; %u lcores need one each", name,
			 info.max_nb_queue_pairs, strake_lcore_count());
		return -ENOTSUP;
	}
	dev->queues = strake_lcore_count();
	dev->pieces = (cap->comp_feature_flags & RTE_COMP_FF_OOP_SGL_IN_LB_OUT) != 0;
	dev->shares = (cap->comp_feature_flags & RTE_COMP_FF_SHAREABLE_PRIV_XFORM) != 0;
	dev->dynamic = (cap->comp_feature_flags & RTE_COMP_FF_HUFFMAN_DYNAMIC) != 0;
	/* A virtual device expands on this processor too, and that of ISA-L never ends with input cut short. */
	dev->expands = (info.feature_flags & RTE_COMPDEV_FF_HW_ACCELERATED) != 0;
	dev->window = RTE_MIN((uint8_t)WINDOW_MAX, cap->window_size.max);
	if (!dev->shares)
		dev->depth = 1;
	return 0;
}

static int
configure(struct compress_device *dev)
{
	struct rte_compressdev_config conf = {
		.socket_id = rte_compressdev_socket_id(dev->id),
		.nb_queue_pairs = dev->queues,
		.max_nb_priv_xforms = RTE_MAX((uint16_t)(2 * dev->queues), (uint16_t)XFORMS_MIN),
	};
	int ret = rte_compressdev_configure(dev->id, &conf);

	/* Some drivers keep a ring of a power of two, less one. */
	for (uint16_t qp = 0; ret == 0 && qp < dev->queues; qp++)
		ret = rte_compressdev_queue_pair_setup(dev->id, qp, rte_align32pow2(dev->depth + 1u), conf.socket_id);
	return ret;
}

static int
make(struct compress_device **out, const char *name, uint16_t depth, char *err, size_t errlen)
{
	struct compress_device *dev = rte_zmalloc("compress_device", sizeof(*dev), 0);
	int ret;

	if (dev == NULL) {
		snprintf(err, errlen, "out of memory");
		return -ENOMEM;
	}
	dev->depth = depth;
	ret = find(dev, name, err, errlen);
	if (ret == 0)
		ret = examine(dev, name, err, errlen);
	if (ret < 0) {
		rte_free(dev);
		return ret;
	}
	ret = configure(dev);
	if (ret < 0) {
		snprintf(err, errlen, "compression device \"%s\" cannot be set up: %s", name, strerror(-ret));
		rte_free(dev);
		return ret;
	}
	*out = dev;
	return 0;
}

int
compress_device_open(struct compress_device **out, const char *name, uint8_t level, uint16_t depth, char *err,
		     size_t errlen)
{
	struct compress_device *dev = reuse(name, depth);
	int ret = dev == NULL ? make(&dev, name, depth, err, errlen) : 0;

	if (ret < 0)
		return ret;
	/* Drivers say a line of each chunk that does not shrink, and of each that is damaged: we count. */
	rte_log_set_level_pattern("pmd.compress.*", RTE_LOG_CRIT);
	dev->level = level;
	dev->jobs = RTE_MIN(depth, dev->depth);
	ret = rte_compressdev_start(dev->id);
	if (ret < 0) {
		snprintf(err, errlen, "compression device \"%s\" does not start: %s", name, strerror(-ret));
		rte_free(dev);
		return ret;
	}
	taken[dev->id] = true;
	*out = dev;
	return 0;
}

void
compress_device_close(struct compress_device *dev)
{
	if (dev == NULL)
		return;
	rte_compressdev_stop(dev->id);
	taken[dev->id] = false;
	if (dev->ours) {
		dev->next = idle;
		idle = dev;
		return;
	}
	rte_compressdev_close(dev->id);
	rte_free(dev);
}

int
compress_device_transforms(const struct compress_device *dev, void *xform[2])
{
	const struct rte_comp_xform shrink = {
		.type = RTE_COMP_COMPRESS,
		.compress = {.algo = RTE_COMP_ALGO_DEFLATE,
			     .deflate = {.huffman = dev->dynamic ? RTE_COMP_HUFFMAN_DYNAMIC : RTE_COMP_HUFFMAN_FIXED},
			     .level = dev->level,
			     .window_size = dev->window,
			     .chksum = RTE_COMP_CHECKSUM_NONE},
	};
	const struct rte_comp_xform expand = {
		.type = RTE_COMP_DECOMPRESS,
		.decompress = {.algo = RTE_COMP_ALGO_DEFLATE,
			       .chksum = RTE_COMP_CHECKSUM_NONE,
			       .window_size = dev->window},
	};
	int ret = rte_compressdev_private_xform_create(dev->id, &shrink, &xform[0]);

	if (ret < 0)
		return ret;
	ret = rte_compressdev_private_xform_create(dev->id, &expand, &xform[1]);
	if (ret < 0)
		rte_compressdev_private_xform_free(dev->id, xform[0]);
	return ret;
}

void
compress_device_transforms_free(const struct compress_device *dev, void *xform[2])
{
	for (unsigned int i = 0; i < 2; i++)
		rte_compressdev_private_xform_free(dev->id, xform[i]);
}
