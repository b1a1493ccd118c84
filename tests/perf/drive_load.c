/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Random reads of one nvme drive on one lcore, and what they cost: to be held against fio.
 *
 *     nvme-load DEVICE BYTES DEPTH SECONDS ACCESS */

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <rte_common.h>
#include <rte_eal.h>
#include <rte_memory.h>

#include "strake_buf.h"
#include "strake_drive.h"
#include "strake_lcore.h"

static struct load {
	struct strake_drive *drive;
	struct strake_timer end;
	uint64_t seed, ios, errors, under_way;
	uint32_t bytes;
	bool over;
} load;

static void
again(struct strake_io *io)
{
	uint64_t blocks = load.drive->bytes / load.bytes;

	load.seed = load.seed * 6364136223846793005ULL + 1442695040888963407ULL;
	*io = (struct strake_io){.op = STRAKE_IO_READ, .len = load.bytes, .done = io->done};
	io->off = (load.seed >> 20) % blocks * load.bytes;
	load.under_way++;
	strake_drive_submit(load.drive, &io, 1);
}

static void
done(struct strake_io *io)
{
	load.under_way--;
	load.ios++;
	load.errors += io->status != 0;
	strake_buf_put_list(io->bufs);
	if (!load.over)
		again(io);
	else if (load.under_way == 0)
		strake_lcore_stop(0);
}

static void
at_end(struct strake_timer *t, uint64_t now)
{
	(void)t;
	(void)now;
	load.over = true;
}

static double
cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static int
open_drive(const char *device, const char *access)
{
	const char *const pairs[] = {"device", device, "access", access, NULL};
	char err[256];
	struct conf_values *v = conf_values_make(strake_drive_find("nvme")->keys, pairs, err, sizeof(err));
	int ret = -1;

	if (v != NULL)
		ret = strake_drive_open(&load.drive, "load", "nvme", v, err, sizeof(err));
	if (ret < 0)
		fprintf(stderr, "%s\n", err);
	return ret == 0 ? strake_drive_lcore_init(load.drive) : ret;
}

int
main(int argc, char **argv)
{
	char *eal[] = {argv[0],		"--no-huge", "-m", "256", "--no-pci", "--no-telemetry",
		       "--file-prefix", "nvme-load", "-l", "0",	  NULL};
	struct strake_lcore_conf lc = {.idle = STRAKE_IDLE_ADAPTIVE, .spin_us = 1, .socket = SOCKET_ID_ANY};
	struct strake_buf_conf bc = {.descriptors = 4096, .arena_bytes = 32 << 20, .socket = SOCKET_ID_ANY};
	unsigned int depth;
	struct strake_io *ios;
	double cpu, began;

	if (argc != 6 || rte_eal_init((int)RTE_DIM(eal) - 1, eal) < 0 || strake_lcore_create(0, &lc) < 0)
		return 2;
	strake_lcore_enter(0);
	strake_lcore_turn(strake_clock_ns());
	if (strake_buf_init(&bc) < 0 || open_drive(argv[1], argv[5]) < 0)
		return 1;
	load.bytes = (uint32_t)atoi(argv[2]);
	depth = (unsigned int)atoi(argv[3]);
	ios = calloc(depth, sizeof(*ios));
	load.end.fn = at_end;
	cpu = cpu_seconds();
	began = 1e-9 * (double)strake_clock_ns();
	strake_timer_arm(&load.end, strake_clock_ns() + (uint64_t)atoi(argv[4]) * STRAKE_NS_PER_SEC);
	for (unsigned int i = 0; i < depth; i++) {
		ios[i].done = done;
		again(&ios[i]);
	}
	strake_lcore_run();
	cpu = cpu_seconds() - cpu;
	began = 1e-9 * (double)strake_clock_ns() - began;
	printf("ios %llu errors %llu seconds %.2f cpu %.3f us_per_io %.2f\n", (unsigned long long)load.ios,
	       (unsigned long long)load.errors, began, cpu, 1e6 * cpu / (double)load.ios);
	strake_drive_lcore_fini(load.drive);
	strake_drive_close(load.drive);
	free(ios);
	return load.errors != 0;
}
