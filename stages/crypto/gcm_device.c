/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_bus_vdev.h>
#include <rte_cryptodev.h>
#include <rte_errno.h>
#include <rte_malloc.h>

#include "gcm_device.h"
#include "strake_lcore.h"

/* Device numbers that have an owner, and virtual devices that nobody uses now. Main only. */
static bool taken[RTE_CRYPTO_MAX_DEVS];
static struct gcm_device *idle;
static unsigned int made;

static struct gcm_device *
reuse(const char *driver, uint16_t depth, uint32_t sessions)
{
	for (struct gcm_device **at = &idle; *at != NULL; at = &(*at)->next) {
		struct gcm_device *dev = *at;

		if (strcmp(dev->driver, driver) == 0 && dev->queues >= strake_lcore_count() && dev->depth >= depth &&
		    dev->sessions->size >= sessions) {
			*at = dev->next;
			return dev;
		}
	}
	return NULL;
}

static int
find(struct gcm_device *dev, const char *name, char *err, size_t errlen)
{
	int id = rte_cryptodev_get_dev_id(name);
	char args[64];

	if (id < 0) {
		snprintf(dev->driver, sizeof(dev->driver), "%s", name);
		snprintf(dev->name, sizeof(dev->name), "%s_strake%u", name, made++);
		snprintf(args, sizeof(args), "max_nb_queue_pairs=%u", strake_lcore_count());
		id = rte_vdev_init(dev->name, args) == 0 ? rte_cryptodev_get_dev_id(dev->name) : -1;
		dev->ours = id >= 0;
	}
	if (id < 0) {
		snprintf(err, errlen, "cipher device \"%s\": no such device, and no driver that makes one", name);
		return -ENODEV;
	}
	dev->id = (uint8_t)id;
	if (taken[id]) {
		snprintf(err, errlen, "cipher device \"%s\" serves another stage already", name);
		return -EBUSY;
	}
	return 0;
}

static int
examine(struct gcm_device *dev, const char *name, char *err, size_t errlen)
{
	const struct rte_cryptodev_sym_capability_idx idx = {
		.type = RTE_CRYPTO_SYM_XFORM_AEAD,
		.algo.aead = RTE_CRYPTO_AEAD_AES_GCM,
	};
	const struct rte_cryptodev_symmetric_capability *cap = rte_cryptodev_sym_capability_get(dev->id, &idx);
	struct rte_cryptodev_info info;

	rte_cryptodev_info_get(dev->id, &info);
	if (cap == NULL || rte_cryptodev_sym_capability_check_aead(cap, GCM_KEY, GCM_TAG, GCM_AAD, GCM_NONCE) != 0) {
		snprintf(err, errlen, "cipher device \"%s\" knows no AES-256-GCM", name);
		return -ENOTSUP;
	}
	if (info.max_nb_queue_pairs != 0 && info.max_nb_queue_pairs < strake_lcore_count()) {
		snprintf(err, errlen, "cipher device \"%s\" has %u queue pairs; %u lcores need one each", name,
			 info.max_nb_queue_pairs, strake_lcore_count());
		return -ENOTSUP;
	}
	dev->queues = strake_lcore_count();
	dev->apart = (info.feature_flags & RTE_CRYPTODEV_FF_OOP_LB_IN_LB_OUT) != 0;
	dev->pieces = dev->apart && (info.feature_flags & RTE_CRYPTODEV_FF_OOP_SGL_IN_LB_OUT) != 0;
	return 0;
}

/* Sessions hold keys and their schedules: out of core dumps and swap, like all secrets (secret.h). */
static void
keep_private(struct rte_mempool *mp, void *opaque, struct rte_mempool_memhdr *mem, unsigned int idx)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)mem->addr & ~(page - 1);
	size_t len = RTE_ALIGN((uintptr_t)mem->addr + mem->len, page) - begin;

	(void)!madvise((void *)begin, len, MADV_DONTDUMP);
	(void)!mlock((void *)begin, len);
}

static int
configure(struct gcm_device *dev, uint32_t sessions)
{
	struct rte_cryptodev_config conf = {
		.socket_id = rte_cryptodev_socket_id(dev->id),
		.nb_queue_pairs = dev->queues,
		.ff_disable = RTE_CRYPTODEV_FF_ASYMMETRIC_CRYPTO,
	};
	struct rte_cryptodev_qp_conf qp_conf = {.nb_descriptors = rte_align32pow2(dev->depth + 1u)};
	char name[RTE_MEMPOOL_NAMESIZE];
	int ret;

	snprintf(name, sizeof(name), "gcm_sessions%u", dev->id);
	dev->sessions = rte_cryptodev_sym_session_pool_create(
		name, sessions, rte_cryptodev_sym_get_private_session_size(dev->id), 0, 0, conf.socket_id);
	if (dev->sessions == NULL)
		return -ENOMEM;
	rte_mempool_mem_iter(dev->sessions, keep_private, NULL);
	qp_conf.mp_session = dev->sessions;
	ret = rte_cryptodev_configure(dev->id, &conf);
	for (uint16_t qp = 0; ret == 0 && qp < dev->queues; qp++)
		ret = rte_cryptodev_queue_pair_setup(dev->id, qp, &qp_conf, conf.socket_id);
	if (ret < 0)
		rte_mempool_free(dev->sessions);
	return ret;
}

static int
make(struct gcm_device **out, const char *name, uint16_t depth, uint32_t sessions, char *err, size_t errlen)
{
	struct gcm_device *dev = rte_zmalloc("gcm_device", sizeof(*dev), 0);
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
	ret = configure(dev, sessions);
	if (ret < 0) {
		snprintf(err, errlen, "cipher device \"%s\" cannot be set up: %s", name, strerror(-ret));
		rte_free(dev);
		return ret;
	}
	*out = dev;
	return 0;
}

int
gcm_device_open(struct gcm_device **out, const char *name, uint16_t depth, uint32_t sessions, char *err, size_t errlen)
{
	struct gcm_device *dev = reuse(name, depth, sessions);
	int ret = dev == NULL ? make(&dev, name, depth, sessions, err, errlen) : 0;

	if (ret < 0)
		return ret;
	dev->jobs = RTE_MIN(depth, dev->depth);
	ret = rte_cryptodev_start(dev->id);
	if (ret < 0) {
		snprintf(err, errlen, "cipher device \"%s\" does not start: %s", name, strerror(-ret));
		rte_free(dev);
		return ret;
	}
	taken[dev->id] = true;
	*out = dev;
	return 0;
}

void
gcm_device_close(struct gcm_device *dev)
{
	if (dev == NULL)
		return;
	rte_cryptodev_stop(dev->id);
	taken[dev->id] = false;
	if (dev->ours) {
		dev->next = idle;
		idle = dev;
		return;
	}
	rte_cryptodev_close(dev->id);
	rte_mempool_free(dev->sessions);
	rte_free(dev);
}

void *
gcm_device_session(const struct gcm_device *dev, const uint8_t *key, bool seal)
{
	struct rte_crypto_sym_xform xform = {
		.type = RTE_CRYPTO_SYM_XFORM_AEAD,
		.aead = {.op = seal ? RTE_CRYPTO_AEAD_OP_ENCRYPT : RTE_CRYPTO_AEAD_OP_DECRYPT,
			 .algo = RTE_CRYPTO_AEAD_AES_GCM,
			 .key = {.data = key, .length = GCM_KEY},
			 .iv = {.offset = GCM_IV_OFFSET, .length = GCM_NONCE},
			 .digest_length = GCM_TAG,
			 .aad_length = GCM_AAD},
	};

	return rte_cryptodev_sym_session_create(dev->id, &xform, dev->sessions);
}

void
gcm_device_session_free(const struct gcm_device *dev, void *session)
{
	if (session != NULL)
		rte_cryptodev_sym_session_free(dev->id, session);
}
