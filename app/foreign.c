/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "foreign.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <blkid/blkid.h>
#include <rte_log.h>

#include "strake_drive.h"

RTE_LOG_REGISTER(foreign_log, strake.foreign, INFO)

#define OURS	      "STRAKEGR" /* begins both copies of a group's superblock */
#define OURS_LEN      8
#define OURS_APART    65536
#define EDGE_BYTES    (1u << 20) /* what groups look at at both ends before they take a drive for blank */
#define SIGNATURES    64	 /* removed at most; more is a device that does not keep what is written */
#define CLAIM_TRIES   50
#define CLAIM_WAIT_US 20000

/* --- looking -------------------------------------------------------------------------------------------------------
 */

static bool
is_ours(int fd)
{
	char magic[OURS_LEN];

	for (off_t off = 0; off <= OURS_APART; off += OURS_APART)
		if (pread(fd, magic, sizeof(magic), off) == (ssize_t)sizeof(magic) &&
		    memcmp(magic, OURS, sizeof(magic)) == 0)
			return true;
	return false;
}

static blkid_probe
probe_of(int fd)
{
	blkid_probe pr = blkid_new_probe();

	if (pr == NULL)
		return NULL;
	if (blkid_probe_set_device(pr, fd, 0, 0) == 0 && blkid_probe_enable_superblocks(pr, 1) == 0 &&
	    blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_UUID | BLKID_SUBLKS_LABEL |
							  BLKID_SUBLKS_USAGE | BLKID_SUBLKS_MAGIC |
							  BLKID_SUBLKS_BADCSUM) == 0 &&
	    blkid_probe_enable_partitions(pr, 1) == 0 && blkid_probe_set_partitions_flags(pr, BLKID_PARTS_MAGIC) == 0)
		return pr;
	blkid_free_probe(pr);
	return NULL;
}

/* A value of the last find; "" when it has none. What an operator is shown must not steer his terminal. */
static const char *
value(blkid_probe pr, const char *key, char *out, size_t len)
{
	const char *data = NULL;

	out[0] = '\0';
	if (blkid_probe_lookup_value(pr, key, &data, NULL) == 0 && data != NULL)
		snprintf(out, len, "%s", data);
	for (char *c = out; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e || *c == '"')
			*c = '?';
	return out;
}

static void
describe(blkid_probe pr, struct foreign *out)
{
	char type[24], uuid[48], label[40], usage[16];
	bool table = *value(pr, "TYPE", type, sizeof(type)) == '\0';
	const char *kind = "data";

	value(pr, table ? "PTUUID" : "UUID", uuid, sizeof(uuid));
	value(pr, "LABEL", label, sizeof(label));
	value(pr, "USAGE", usage, sizeof(usage));
	if (table)
		value(pr, "PTTYPE", type, sizeof(type));
	if (table)
		kind = "partition table";
	else if (strcmp(usage, "filesystem") == 0)
		kind = "file system";
	else if (strcmp(usage, "raid") == 0)
		kind = "member of a RAID or volume group";
	else if (strcmp(usage, "crypto") == 0)
		kind = "encrypted volume";
	snprintf(out->name, sizeof(out->name), "%s%s%s", type, uuid[0] != '\0' ? ":" : "", uuid);
	snprintf(out->text, sizeof(out->text), "%s %s%s%s%s", type, kind, label[0] != '\0' ? " labelled '" : "", label,
		 label[0] != '\0' ? "'" : "");
}

/* @return 1: found; 0: nothing; -errno. */
static int
find(int fd, struct foreign *out)
{
	blkid_probe pr = probe_of(fd);
	int ret;

	if (pr == NULL)
		return -ENOMEM;
	ret = blkid_do_probe(pr);
	if (ret == 0)
		describe(pr, out);
	blkid_free_probe(pr);
	return ret == 0 ? 1 : ret == 1 ? 0 : -EIO;
}

int
foreign_probe(const char *path, struct foreign *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		ret = -errno;
	else if ((S_ISBLK(st.st_mode) || (S_ISREG(st.st_mode) && st.st_size > 0)) && !is_ours(fd))
		ret = find(fd, out);
	close(fd);
	return ret;
}

/* --- wiping --------------------------------------------------------------------------------------------------------
 */

/* Some kinds keep several copies, far from the ends: each is found in turn and made void. */
static int
remove_signatures(int fd)
{
	blkid_probe pr = probe_of(fd);
	int ret = 0;

	if (pr == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; ret == 0 && blkid_do_probe(pr) == 0; i++)
		ret = i == SIGNATURES || blkid_do_wipe(pr, 0) != 0 ? -EIO : 0;
	blkid_free_probe(pr);
	return ret;
}

static int
blank(int fd, off_t from, off_t to)
{
	static const char zeroes[65536];

	while (from < to) {
		size_t len = to - from < (off_t)sizeof(zeroes) ? (size_t)(to - from) : sizeof(zeroes);
		ssize_t put = pwrite(fd, zeroes, len, from);

		if (put <= 0)
			return put < 0 ? -errno : -EIO;
		from += put;
	}
	return 0;
}

int
foreign_wipe(const char *path)
{
	struct stat st;
	off_t size;
	int fd, ret;

	if (stat(path, &st) < 0)
		return -errno;
	fd = open(path, O_RDWR | O_CLOEXEC | (S_ISBLK(st.st_mode) ? O_EXCL : 0));
	if (fd < 0)
		return -errno;
	size = lseek(fd, 0, SEEK_END);
	ret = size < 0 ? -errno : remove_signatures(fd);
	if (ret == 0)
		ret = blank(fd, 0, size < EDGE_BYTES ? size : EDGE_BYTES);
	if (ret == 0 && size > EDGE_BYTES)
		ret = blank(fd, size - EDGE_BYTES, size);
	if (ret == 0 && fsync(fd) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* --- bring-up ------------------------------------------------------------------------------------------------------
 */

static bool
has_key(const struct conf_key *keys, const char *name)
{
	for (; keys != NULL && keys->name != NULL; keys++)
		if (strcmp(keys->name, name) == 0)
			return true;
	return false;
}

const char *
foreign_path(const struct conf_drive *drive)
{
	const struct strake_drive_ops *ops = strake_drive_find(drive->kind);
	static char block[256];

	if (ops != NULL && has_key(ops->keys, "path"))
		return conf_str(drive->values, "path");
	if (strcmp(drive->kind, "nvme") == 0 && ops != NULL && has_key(ops->keys, "device") &&
	    foreign_nvme_block("/sys", conf_str(drive->values, "device"), block, sizeof(block)))
		return block;
	return NULL;
}

int
foreign_claim(const char *path)
{
	struct stat st;
	int fd = -1;

	if (stat(path, &st) < 0 || !S_ISBLK(st.st_mode))
		return 0;
	/* For reading: the end of an opening for writing would make udev look at it anew. The io_uring of a process
	 * that has ended may hold it a moment longer. */
	for (unsigned int i = 0; i < CLAIM_TRIES; i++) {
		fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
		if (fd >= 0 || errno != EBUSY)
			break;
		usleep(CLAIM_WAIT_US);
	}
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

int
foreign_check(const struct conf_drive *d, const char *path, char *err, size_t len)
{
	struct foreign f;
	int ret;

	/* A driver that goes by the character device beside it would not notice. */
	if (foreign_claim(path) == -EBUSY) {
		snprintf(err, len,
			 "drive %.63s: %.120s is mounted or used by something else; `strake preflight` says by what",
			 d->name, path);
		return -EBUSY;
	}
	ret = foreign_probe(path, &f);
	/* What cannot be opened the driver will refuse, and it knows more about the reason. */
	if (ret <= 0)
		return 0;
	if (d->overwrite == NULL || strcmp(d->overwrite, f.name) != 0) {
		snprintf(err, len,
			 "drive %.63s: %.120s holds other data, %s; if that may be lost for good, give the drive "
			 "`overwrite: \"%s\"`",
			 d->name, path, f.text, f.name);
		return -EEXIST;
	}
	ret = foreign_wipe(path);
	if (ret < 0)
		snprintf(err, len, "drive %s: %s: cannot overwrite %s: %s", d->name, path, f.text, strerror(-ret));
	else
		rte_log(RTE_LOG_WARNING, foreign_log, "drive %s: %s: overwrote %s (%s), as told\n", d->name, path,
			f.text, f.name);
	return ret;
}
