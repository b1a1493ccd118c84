/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "nvme_rescue.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_common.h>

#include "nvme_place.h"

#define STEP_MS			 50
#define CLASS_NVME		 "0x010802"
#define APPEAR_MS		 500 /* until a device that was found has a controller */

#define SAY(said, len, ret, ...) (snprintf(said, len, __VA_ARGS__), (ret))

static int
put_one(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, "1", 1) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

static bool
is_live(const char *sys, const char *ctrl)
{
	char state[32];

	nvme_place_state(sys, ctrl, state, sizeof(state));
	return strcmp(state, "live") == 0;
}

int
nvme_rescue_reset(const char *sys, const char *ctrl, unsigned int wait_ms, const bool *stop, char *said, size_t len)
{
	char path[PATH_MAX];
	int ret;

	if (ctrl[0] == '\0')
		return SAY(said, len, -ENODEV, "there is no controller");
	snprintf(path, sizeof(path), "%s/class/nvme/%s/reset_controller", sys, ctrl);
	ret = put_one(path);
	/* Busy: the kernel is at it already. */
	if (ret < 0 && ret != -EBUSY)
		return SAY(said, len, ret, "%s: %s", ctrl, strerror(-ret));
	for (unsigned int ms = 0; !is_live(sys, ctrl); ms += STEP_MS) {
		if (ms >= wait_ms)
			return SAY(said, len, -ETIMEDOUT, "%s is not live %u ms later", ctrl, ms);
		if (__atomic_load_n(stop, __ATOMIC_RELAXED))
			return SAY(said, len, -ECANCELED, "nobody waits for %s any more", ctrl);
		usleep(STEP_MS * 1000);
	}
	return SAY(said, len, 0, "%s is live again", ctrl);
}

/* A controller that may yet become live? */
static bool
coming(const char *sys)
{
	char dir[PATH_MAX], state[32];
	bool some = false;
	struct dirent *e;
	DIR *d;

	snprintf(dir, sizeof(dir), "%s/class/nvme", sys);
	d = opendir(dir);
	while (d != NULL && (e = readdir(d)) != NULL) {
		if (strncmp(e->d_name, "nvme", 4) != 0)
			continue;
		nvme_place_state(sys, e->d_name, state, sizeof(state));
		some |= strcmp(state, "new") == 0 || strcmp(state, "connecting") == 0 ||
			strcmp(state, "resetting") == 0;
	}
	if (d != NULL)
		closedir(d);
	return some;
}

/* The first word of an attribute, empty without one. */
static void
word(char out[32], const char *path)
{
	FILE *f = fopen(path, "re");

	out[0] = '\0';
	if (f != NULL && fscanf(f, "%31s", out) != 1)
		out[0] = '\0';
	if (f != NULL)
		fclose(f);
}

/* A driver that has given an NVMe device up does not take it again while it stays. One that another driver has is not
 * ours to remove. */
static void
remove_idle(const char *sys, const char *address)
{
	char path[PATH_MAX], class[32];

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/driver", sys, address);
	if (address[0] == '\0' || access(path, F_OK) == 0)
		return;
	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/class", sys, address);
	word(class, path);
	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/remove", sys, address);
	if (strcmp(class, CLASS_NVME) == 0)
		(void)put_one(path);
}

static int
rescan_bus(const char *sys, const char *address, char *said, size_t len)
{
	char path[PATH_MAX];
	int ret;

	snprintf(path, sizeof(path), "%s/class/nvme", sys);
	if (access(path, F_OK) < 0)
		return SAY(said, len, -ENODEV, "the kernel has no NVMe driver loaded");
	remove_idle(sys, address);
	snprintf(path, sizeof(path), "%s/bus/pci/rescan", sys);
	ret = put_one(path);
	return ret < 0 ? SAY(said, len, ret, "PCI buses: %s", strerror(-ret)) : SAY(said, len, 0, "PCI buses");
}

int
nvme_rescue_rescan(const char *sys, const char *ctrl, const char *address, unsigned int wait_ms, const bool *stop,
		   char *said, size_t len)
{
	char path[PATH_MAX];
	int ret;

	if (ctrl[0] != '\0' && is_live(sys, ctrl)) {
		snprintf(path, sizeof(path), "%s/class/nvme/%s/rescan_controller", sys, ctrl);
		ret = put_one(path);
		ret = ret < 0 ? SAY(said, len, ret, "%s: %s", ctrl, strerror(-ret))
			      : SAY(said, len, 0, "namespaces of %s", ctrl);
	} else {
		ret = rescan_bus(sys, address, said, len);
	}
	if (ret < 0)
		return ret;
	for (unsigned int ms = 0; ms < APPEAR_MS || (ms < wait_ms && coming(sys)); ms += STEP_MS) {
		if (__atomic_load_n(stop, __ATOMIC_RELAXED))
			return SAY(said, len, -ECANCELED, "nobody waits for it any more");
		usleep(STEP_MS * 1000);
	}
	return 0;
}
