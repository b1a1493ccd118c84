/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef FOREIGN_H
#define FOREIGN_H

/**
 * @file
 * Somebody else's data on a drive: what libblkid recognises where there is no superblock of ours.
 *
 * A drive that holds such data is not taken, unless its `overwrite:` names the very data that may be lost. The name is
 * made of type and UUID, so that it fits one file system and no other, and nothing any more once that is gone.
 */

#include "boot.h"

#ifdef __cplusplus
extern "C" {
#endif

struct foreign {
	char name[80];	/**< "ext4:UUID", as `overwrite:` spells it */
	char text[128]; /**< "ext4 file system labelled 'srv'" */
};

/** Look at a file or block device. @return 1: foreign data, in *out; 0: none known, or ours; -errno. */
int foreign_probe(const char *path, struct foreign *out);

/** Destroy what foreign_probe() finds, and blank both ends. A device in use is refused. @return 0 or -errno. */
int foreign_wipe(const char *path);

/** Is a block device nobody's? @return 0, also for a file; -EBUSY: mounted, swap space, held by a RAID or LVM; -errno.
 */
int foreign_claim(const char *path);

/** The file or block device of a drive, or NULL: it has none. Lives until the next call. */
const char *foreign_path(const struct conf_drive *drive);

/** Block device of an NVMe namespace: @p device as the configuration names it (/dev/ng0n1, nvme0n1, serial:S[/NSID],
 * 0000:01:00.0[/NSID]). @p sys is where sysfs is mounted. @return false: there is none. */
bool foreign_nvme_block(const char *sys, const char *device, char *out, size_t len);

/** A drive that lies at @p path: refuse foreign data, or wipe what its `overwrite:` names. Any thread. @return 0; or
 * -EEXIST, -EBUSY, another -errno, and one line in
 * @p err. */
int foreign_check(const struct conf_drive *drive, const char *path, char *err, size_t len);

#ifdef __cplusplus
}
#endif

#endif /* FOREIGN_H */
