/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef POWER_FAULT_H
#define POWER_FAULT_H

/**
 * @file
 * What is wrong with a power_disk: I/Os that fail, and writes that are not what it says of them.
 */

#include "power_drive.h"
#include "power_medium.h"

#define POWER_FAULTS_MAX 16

struct power_faults {
	struct power_fault list[POWER_FAULTS_MAX];
	unsigned int n;
	struct power_lies lies; /* its seed is the state of what is drawn */
	uint64_t told[POWER_LIES];
};

void power_faults_add(struct power_faults *f, const struct power_fault *fault);
/* How an I/O that is submitted will end: 0, or as the first fault says that matches. */
int power_faults_status(struct power_faults *f, const struct strake_io *io);
/* Bytes [off, off + len) are written: bad sectors there are replaced. */
void power_faults_heal(struct power_faults *f, uint64_t off, uint64_t len);
/* As power_medium_write(), but for a lie now and then. */
void power_faults_write(struct power_faults *f, struct power_medium *m, uint64_t off, uint32_t len,
			struct power_payload *data, bool fua);

#endif /* POWER_FAULT_H */
