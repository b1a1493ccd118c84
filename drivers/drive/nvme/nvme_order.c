/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "nvme_order.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libnvme.h>
#include <rte_common.h>

#include "nvme_logs.h"

#define ID_BYTES		 4096
#define LID_SANITIZE		 0x81
#define FNA_FORMAT		 0x01 /* Format concerns all namespaces (NVMe Base specification 2.0, figure 275) */
#define FNA_ERASE		 0x02 /* an erasing one does */
#define STATUS_MASK		 7
#define DONE_ONCE		 1 /* states of the Sanitize Status log, figure 279 */
#define RUNNING			 2
#define FAILED			 3
#define DONE_DEALLOC		 4

#define SAY(said, len, ret, ...) (snprintf(said, len, __VA_ARGS__), (ret))

/* --- light -----------------------------------------------------------------------------------------------------------
 */

static int
put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

/* A hot-plug slot is called by the address of its device without the function: 0000:01:00. */
static int
slot_light(const char *sys, const char *address, bool on)
{
	char dir[PATH_MAX], path[PATH_MAX], text[64] = "";
	int ret = -ENOENT;
	struct dirent *e;
	DIR *d;

	snprintf(dir, sizeof(dir), "%s/bus/pci/slots", sys);
	d = opendir(dir);
	while (d != NULL && ret == -ENOENT && (e = readdir(d)) != NULL) {
		FILE *f;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%.3000s/%s/address", dir, e->d_name);
		f = fopen(path, "re");
		if (f == NULL)
			continue;
		if (fscanf(f, "%63s", text) == 1 && strncmp(text, address, strlen(text)) == 0 &&
		    address[strlen(text)] == '.') {
			snprintf(path, sizeof(path), "%.3000s/%s/attention", dir, e->d_name);
			ret = put(path, on ? "1" : "0");
		}
		fclose(f);
	}
	if (d != NULL)
		closedir(d);
	return ret;
}

static int
enclosure_light(const char *sys, const char *address, bool on)
{
	char pattern[PATH_MAX];
	int ret = -ENOENT;
	glob_t g;

	snprintf(pattern, sizeof(pattern), "%s/bus/pci/devices/%s/enclosure_device:*/locate", sys, address);
	if (glob(pattern, 0, NULL, &g) == 0) {
		ret = put(g.gl_pathv[0], on ? "1" : "0");
		globfree(&g);
	}
	return ret;
}

int
nvme_order_light(const char *sys, const struct nvme_place *place, bool on, char *said, size_t len)
{
	int ret = slot_light(sys, place->address, on);

	if (ret == -ENOENT)
		ret = enclosure_light(sys, place->address, on);
	if (ret == -ENOENT)
		return SAY(said, len, -EOPNOTSUPP, "slot %s has no light that the kernel knows of", place->address);
	if (ret < 0)
		return SAY(said, len, ret, "the light of slot %s: %s", place->address, strerror(-ret));
	return SAY(said, len, 0, "the light of slot %s is %s", place->address, on ? "on" : "off");
}

/* --- losing data -----------------------------------------------------------------------------------------------------
 */

static int
result(int ret, const char *what, char *said, size_t len)
{
	if (ret > 0)
		return SAY(said, len, -EIO, "%s: the drive refuses, status 0x%x", what, (unsigned int)ret);
	if (ret < 0)
		return SAY(said, len, ret, "%s: %s", what, strerror(-ret));
	return 0;
}

/* Its active namespaces, as text. @return their number, or -errno. */
static int
namespaces(struct nvme_dev *dev, uint32_t *list, char *text, size_t len)
{
	size_t used = 0;
	int ret = dev->ops->identify(dev, NVME_IDENTIFY_CNS_NS_ACTIVE_LIST, 0, list), n = 0;

	if (ret != 0)
		return ret < 0 ? ret : -EIO;
	text[0] = '\0';
	for (; n < ID_BYTES / 4 && list[n] != 0; n++) {
		if (used < len - 12)
			used += (size_t)snprintf(text + used, len - used, "%s%u", n > 0 ? ", " : "", le32toh(list[n]));
	}
	return n;
}

/* What would be lost beside this namespace? @p whole: the order concerns all of them. */
static int
alone(struct nvme_dev *dev, bool whole, void *page, char *said, size_t len)
{
	char text[128];
	int n = whole ? namespaces(dev, page, text, sizeof(text)) : 1;

	if (n < 0)
		return result(n, "which namespaces it has", said, len);
	if (n > 1)
		return SAY(said, len, -EBUSY, "it would concern all namespaces of the drive: %s", text);
	return 0;
}

int
nvme_order_format(struct nvme_drive *d, char *said, size_t len)
{
	struct nvme_dev *dev = &d->ways.dev;
	const struct nvme_id_ctrl *id;
	const struct nvme_id_ns *ns;
	uint8_t *page, *log;
	int ret;

	nvme_ways_again(&d->ways);
	if (posix_memalign((void **)&page, ID_BYTES, 2 * (size_t)ID_BYTES) != 0)
		return SAY(said, len, -ENOMEM, "out of memory");
	log = page + ID_BYTES;
	id = (const struct nvme_id_ctrl *)page;
	ns = (const struct nvme_id_ns *)page;
	ret = result(dev->ops->identify(dev, NVME_IDENTIFY_CNS_CTRL, 0, page), "Identify", said, len);
	if (ret == 0 && (le16toh(id->oacs) & NVME_CTRL_OACS_FORMAT) == 0)
		ret = SAY(said, len, -EOPNOTSUPP, "the drive does not know Format");
	if (ret == 0 && d->sh.geom.tells_commands && !nvme_logs_knows(dev, true, nvme_admin_format_nvm, log))
		ret = SAY(said, len, -EOPNOTSUPP, "the drive's log of its commands denies Format");
	if (ret == 0)
		ret = alone(dev, (id->fna & (FNA_FORMAT | FNA_ERASE)) != 0, page, said, len);
	if (ret == 0)
		ret = result(dev->ops->identify(dev, NVME_IDENTIFY_CNS_NS, dev->nsid, page), "Identify", said, len);
	if (ret == 0)
		ret = result(dev->ops->format(dev, ns->flbas), "Format", said, len);
	if (ret == 0)
		snprintf(said, len, "namespace %u of %s is formatted", dev->nsid, d->sh.geom.serial);
	free(page);
	return ret;
}

/* The best way that the drive knows (figure 275, SANICAP). @return an action, or 0. */
static uint8_t
action(const struct nvme_id_ctrl *id)
{
	uint32_t can = le32toh(id->sanicap);

	if ((can & NVME_CTRL_SANICAP_CES) != 0)
		return NVME_SANITIZE_SANACT_START_CRYPTO_ERASE;
	if ((can & NVME_CTRL_SANICAP_BES) != 0)
		return NVME_SANITIZE_SANACT_START_BLOCK_ERASE;
	return (can & NVME_CTRL_SANICAP_OWS) != 0 ? NVME_SANITIZE_SANACT_START_OVERWRITE : 0;
}

static int
sanitized(struct nvme_drive *d, unsigned int poll_ms, const bool *stop, char *said, size_t len)
{
	uint8_t log[512] __rte_aligned(4096);

	for (;;) {
		int ret = result(d->ways.dev.ops->log(&d->ways.dev, LID_SANITIZE, log, sizeof(log)), "Sanitize", said,
				 len);
		unsigned int state = log[2] & STATUS_MASK;

		if (ret < 0)
			return ret;
		if (state == DONE_ONCE || state == DONE_DEALLOC)
			return SAY(said, len, 0, "drive %s is sanitized", d->sh.geom.serial);
		if (state != RUNNING)
			return SAY(said, len, -EIO, "Sanitize has failed (state %u)", state);
		if (__atomic_load_n(stop, __ATOMIC_RELAXED))
			return SAY(said, len, -EINTR, "the drive goes on sanitizing by itself");
		usleep(poll_ms * 1000);
	}
}

int
nvme_order_sanitize(struct nvme_drive *d, unsigned int poll_ms, const bool *stop, char *said, size_t len)
{
	struct nvme_dev *dev = &d->ways.dev;
	uint8_t *page, act;
	int ret;

	nvme_ways_again(&d->ways);
	if (posix_memalign((void **)&page, ID_BYTES, ID_BYTES) != 0)
		return SAY(said, len, -ENOMEM, "out of memory");
	ret = result(dev->ops->identify(dev, NVME_IDENTIFY_CNS_CTRL, 0, page), "Identify", said, len);
	act = ret == 0 ? action((const struct nvme_id_ctrl *)page) : 0;
	if (ret == 0 && act == 0)
		ret = SAY(said, len, -EOPNOTSUPP, "the drive does not know Sanitize");
	if (ret == 0)
		ret = alone(dev, true, page, said, len);
	if (ret == 0)
		ret = result(dev->ops->sanitize(dev, act), "Sanitize", said, len);
	if (ret == 0)
		ret = sanitized(d, poll_ms, stop, said, len);
	free(page);
	return ret;
}
