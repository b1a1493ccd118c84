/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Checks of drives: who else uses them, whose data they hold, what their cache keeps from the medium. */

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "preflight.h"

/* Kernel's name of a block device, "sda1", by its number. */
static bool
block_name(const struct preflight_src *src, int64_t dev, char *out, size_t len)
{
	return preflight_link(src, out, len, "/sys/dev/block/%u:%u", major((dev_t)dev), minor((dev_t)dev));
}

/* --- use -----------------------------------------------------------------------------------------------------------
 */

/* Where is device "MAJOR:MINOR" mounted? */
static bool
mounted(const struct preflight_src *src, const char *number, char *where, size_t len)
{
	char path[PATH_MAX], line[4096];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "%s/proc/self/mountinfo", src->root);
	f = fopen(path, "re");
	while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL) {
		char dev[32], at[PATH_MAX];

		found = sscanf(line, "%*u %*u %31s %*s %4095s", dev, at) == 2 && strcmp(dev, number) == 0;
		if (found)
			snprintf(where, len, "%.100s", at);
	}
	if (f != NULL)
		fclose(f);
	return found;
}

static bool
swaps(const struct preflight_src *src, const char *name)
{
	char path[PATH_MAX], line[512], want[64];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "%s/proc/swaps", src->root);
	snprintf(want, sizeof(want), "/dev/%s", name);
	f = fopen(path, "re");
	while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, " \t")] = '\0';
		found = strcmp(line, want) == 0;
	}
	if (f != NULL)
		fclose(f);
	return found;
}

static void
held(const struct preflight_src *src, const char *about, const char *name, const char *holder,
     struct preflight_report *r)
{
	char text[96], mend[160];

	if (strncmp(holder, "md", 2) == 0) {
		snprintf(mend, sizeof(mend), "mdadm --stop /dev/%s", holder);
		preflight_say(r, PREFLIGHT_FAIL, about, mend, "%s is a member of the RAID %s", name, holder);
		return;
	}
	if (preflight_read(src, text, sizeof(text), "/sys/class/block/%s/dm/name", holder))
		snprintf(mend, sizeof(mend), "dmsetup remove %s  (LVM: vgchange -an)", text);
	else
		snprintf(mend, sizeof(mend), "see /sys/class/block/%s", holder);
	preflight_say(r, PREFLIGHT_FAIL, about, mend, "%s is held by %s%s%s", name, holder, text[0] != '\0' ? ", " : "",
		      text);
}

/* One block device or partition. @return true: in use, and said so. */
static bool
name_used(const struct preflight_src *src, const char *about, const char *name, struct preflight_report *r)
{
	char number[32], where[128], holder[64], mend[160];

	if (preflight_read(src, number, sizeof(number), "/sys/class/block/%s/dev", name) &&
	    mounted(src, number, where, sizeof(where))) {
		snprintf(mend, sizeof(mend), "umount %s", where);
		preflight_say(r, PREFLIGHT_FAIL, about, mend, "%s is mounted on %s", name, where);
		return true;
	}
	if (swaps(src, name)) {
		snprintf(mend, sizeof(mend), "swapoff /dev/%s", name);
		preflight_say(r, PREFLIGHT_FAIL, about, mend, "%s is swap space in use", name);
		return true;
	}
	if (preflight_entry(src, 0, holder, sizeof(holder), "/sys/class/block/%s/holders", name)) {
		held(src, about, name, holder, r);
		return true;
	}
	return false;
}

static void
device_use(const struct preflight_src *src, const struct conf_drive *d, const char *path, int64_t dev,
	   struct preflight_report *r)
{
	char name[64], part[64];
	bool used = false;
	int ret;

	if (block_name(src, dev, name, sizeof(name))) {
		used = name_used(src, d->name, name, r);
		for (unsigned int i = 0; preflight_entry(src, i, part, sizeof(part), "/sys/class/block/%s", name); i++)
			if (preflight_exists(src, "/sys/class/block/%s/%s/partition", name, part))
				used = name_used(src, d->name, part, r) || used;
	}
	ret = used ? 0 : src->claim(path);
	if (ret == -EBUSY)
		preflight_say(r, PREFLIGHT_FAIL, d->name, "lsblk; fuser -v", "%s is opened by something else", path);
	else if (ret < 0)
		preflight_say(r, PREFLIGHT_FAIL, d->name, NULL, "%s: %s", path, strerror(-ret));
	else if (!used)
		preflight_say(r, PREFLIGHT_PASS, d->name, NULL, "%s is free", path);
}

static bool
has_size(const struct conf_drive *d)
{
	return strcmp(d->kind, "uring") == 0 && conf_u64(d->values, "size") != 0;
}

static void
absent(const struct conf_drive *d, const char *path, int64_t ret, struct preflight_report *r)
{
	char mend[PATH_MAX];

	if (ret != -ENOENT) {
		preflight_say(r, PREFLIGHT_FAIL, d->name, NULL, "%s: %s", path, strerror((int)-ret));
	} else if (has_size(d)) {
		preflight_say(r, PREFLIGHT_PASS, d->name, NULL, "%s will be made", path);
	} else {
		snprintf(mend, sizeof(mend), "lsblk, or give `size:` for a file");
		preflight_say(r, PREFLIGHT_FAIL, d->name, mend, "%s does not exist", path);
	}
}

void
preflight_drive_use(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r)
{
	for (unsigned int i = 0; conf != NULL && i < conf->n_drives; i++) {
		const struct conf_drive *d = &conf->drives[i];
		const char *path = foreign_path(d);
		int64_t dev = path != NULL ? src->device(path) : 0;

		if (dev < 0)
			absent(d, path, dev, r);
		else if (dev > 0)
			device_use(src, d, path, dev, r);
	}
}

/* --- data ----------------------------------------------------------------------------------------------------------
 */

void
preflight_drive_data(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r)
{
	for (unsigned int i = 0; conf != NULL && i < conf->n_drives; i++) {
		const struct conf_drive *d = &conf->drives[i];
		const char *path = foreign_path(d);
		struct foreign f;
		char mend[200];
		int ret;

		if (path == NULL || src->device(path) < 0)
			continue;
		ret = src->foreign(path, &f);
		if (ret < 0) {
			preflight_say(r, PREFLIGHT_FAIL, d->name, NULL, "%s cannot be read: %s", path, strerror(-ret));
		} else if (ret == 0) {
			preflight_say(r, PREFLIGHT_PASS, d->name, NULL, "%s holds nobody else's", path);
		} else if (d->overwrite != NULL && strcmp(d->overwrite, f.name) == 0) {
			preflight_say(r, PREFLIGHT_WARN, d->name, NULL, "%s: %s will be lost, as `overwrite:` tells",
				      path, f.text);
		} else {
			snprintf(mend, sizeof(mend), "name another drive, or lose it: overwrite: \"%s\"", f.name);
			preflight_say(r, PREFLIGHT_FAIL, d->name, mend, "%s holds %s", path, f.text);
		}
	}
}

/* --- cache ---------------------------------------------------------------------------------------------------------
 */

void
preflight_drive_cache(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r)
{
	for (unsigned int i = 0; conf != NULL && i < conf->n_drives; i++) {
		const struct conf_drive *d = &conf->drives[i];
		const char *path = foreign_path(d);
		int64_t dev = path != NULL ? src->device(path) : 0;
		char name[64], cache[32], mend[160];

		if (dev <= 0 || !block_name(src, dev, name, sizeof(name)))
			continue;
		/* A partition has no queue of its own; its drive is the folder above. */
		if (!preflight_read(src, cache, sizeof(cache), "/sys/class/block/%s/queue/write_cache", name) &&
		    !preflight_read(src, cache, sizeof(cache), "/sys/class/block/%s/../queue/write_cache", name))
			continue;
		if (strncmp(name, "nvme", 4) == 0)
			snprintf(mend, sizeof(mend), "nvme set-feature -f 6 -V 0 %s", path);
		else
			snprintf(mend, sizeof(mend), "hdparm -W 0 %s", path);
		if (strcmp(cache, "write back") == 0)
			preflight_say(r, PREFLIGHT_WARN, d->name, mend,
				      "volatile write cache: what hosts do not flush is lost with the power");
		else
			preflight_say(r, PREFLIGHT_PASS, d->name, NULL, "no volatile write cache");
	}
}
