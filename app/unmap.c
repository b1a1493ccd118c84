/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * The munmap() of the whole program, libraries included: on DPDK's interrupt thread it lets the data lcores come out of
 * what they are in first.
 *
 * When a memif's peer goes, DPDK 22.11 marks the port as not connected and unmaps what the peer had lent, both on that
 * thread. An lcore that passed the mark just before still reads the rings and copies to and from the peer's buffers:
 * one that is not given its CPU for a moment then goes on in memory that is gone. The mark and the unmapping have
 * nothing of ours between them but this call. Any other driver that unmaps there is safe for the same reason.
 */

#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ALLOW_EXPERIMENTAL_API /* rte_thread_is_intr(), in this release */
#include <rte_interrupts.h>

#include "strake_lcore.h"

int
munmap(void *addr, size_t len)
{
	if (rte_thread_is_intr())
		strake_lcores_settle();
	return (int)syscall(SYS_munmap, addr, len);
}
