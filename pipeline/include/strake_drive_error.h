/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STRAKE_DRIVE_ERROR_H
#define STRAKE_DRIVE_ERROR_H

/** @file What went wrong on a drive last, in words, for whoever takes it out of service and for whoever asks. */

#include "strake_drive.h"

#ifdef __cplusplus
extern "C" {
#endif

#define STRAKE_DRIVE_ERROR_MAX 128

/**
 * "write of 4096 bytes at 8192: No space left on device", of the I/O that failed last on any lcore. Any thread: a
 * figure that an lcore is writing meanwhile may be of the one before.
 * @return @p out, empty: none has failed.
 */
const char *strake_drive_error(const struct strake_drive *drive, char out[STRAKE_DRIVE_ERROR_MAX]);

/** What leads over to it behind a line that says that the drive is out of service; empty where it is. */
static inline const char *
strake_drive_error_lead(const char *error)
{
	return error[0] != '\0' ? "; its last error: " : "";
}

#ifdef __cplusplus
}
#endif

#endif /* STRAKE_DRIVE_ERROR_H */
