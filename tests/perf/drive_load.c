/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Random reads of one drive on one lcore, past everything else, and what they cost: to be held against fio. `write=1`
 * writes, `in_order=1` goes from one end to the other.
 *
 *     drive-load kind=KIND [bytes=4096] [depth=1] [seconds=2] [ramp=0] [rate=IOPS] [KEY=VALUE]...
 *
 * Words it does not know itself are keys of the drive. With a rate, I/Os begin when their time has come, as many as
 * are due and the depth allows; without, each begins when the one before has ended. The lcore idles adaptively, as an
 * appliance's does; `spin=1` makes it spin. Prints one line of JSON. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_debug.h>
#include <rte_eal.h>
#include <rte_memory.h>

#include "strake_buf.h"
#include "strake_drive.h"
#include "strake_lcore.h"

#define PAIRS_MAX 16
#define WORD_MAX  256

enum word { BYTES, DEPTH, SECONDS, RAMP, RATE, OFFSET, SPAN, SPIN, SPIN_US, CPU, WRITE, IN_ORDER, WORDS };

static struct {
	const char *name;
	uint64_t value;
} words[WORDS] = {
	[BYTES] = {"bytes", 4096}, [DEPTH] = {"depth", 1},   [SECONDS] = {"seconds", 2},
	[RAMP] = {"ramp", 0},				     /* seconds before, which do not count */
	[RATE] = {"rate", 0},	   [OFFSET] = {"offset", 0}, /* of the part that is read */
	[SPAN] = {"span", 0},	   [SPIN] = {"spin", 0},     [SPIN_US] = {"spin_us", 0},
	[CPU] = {"cpu", 0},	   [WRITE] = {"write", 0},   [IN_ORDER] = {"in_order", 0},
};

static struct load {
	struct strake_drive *drive;
	struct strake_poller pace;
	struct strake_timer ramp, end;
	struct strake_io *free; /* by link */
	uint64_t seed, began_at, begun, done, errors;
	bool over;
} load;

/* What was used and done until a moment. */
struct mark {
	uint64_t at, done, busy, idle, turns, worked, slept;
	double cpu; /* seconds */
};
static struct mark from; /* where counting began */

/* --- the load ------------------------------------------------------------------------------------------------------
 */

static void
begin(struct strake_io *io)
{
	uint32_t len = (uint32_t)words[BYTES].value;
	struct strake_buf *written = words[WRITE].value != 0 ? io->bufs : NULL;
	uint64_t at;

	load.seed = load.seed * 6364136223846793005ULL + 1442695040888963407ULL;
	at = words[IN_ORDER].value != 0 ? load.begun : load.seed >> 20;
	*io = (struct strake_io){.op = STRAKE_IO_READ, .len = len, .done = io->done, .bufs = written};
	if (written != NULL)
		io->op = STRAKE_IO_WRITE;
	io->off = words[OFFSET].value + at % (words[SPAN].value / len) * len;
	load.begun++;
	strake_drive_submit(load.drive, &io, 1);
}

static void
done(struct strake_io *io)
{
	load.done++;
	load.errors += io->status != 0;
	if (words[WRITE].value == 0)
		strake_buf_put_list(io->bufs);
	if (!load.over && words[RATE].value == 0) {
		begin(io);
		return;
	}
	io->link = load.free;
	load.free = io;
	if (load.over && load.done == load.begun)
		strake_lcore_stop(0);
}

/* I/Os whose time has come. */
static uint64_t
owed(uint64_t now)
{
	uint64_t due = (uint64_t)(1e-9 * (double)(now - load.began_at) * (double)words[RATE].value);

	return load.over || due <= load.begun ? 0 : due - load.begun;
}

static uint32_t
pace_poll(struct strake_poller *p, uint64_t now)
{
	uint64_t n = owed(now), i;

	RTE_SET_USED(p);
	for (i = 0; i < n && load.free != NULL; i++) {
		struct strake_io *io = load.free;

		load.free = io->link;
		begin(io);
	}
	return (uint32_t)i;
}

/* As a front that sleeps on its descriptor: readable once for each I/O, then read. */
static bool
pace_arm(struct strake_poller *p, bool on)
{
	uint64_t drain;

	if (on)
		return owed(strake_clock_ns()) == 0 || load.free == NULL;
	return read(p->fd, &drain, sizeof(drain)) >= 0;
}

static double
cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static struct mark
mark(void)
{
	const struct strake_lcore *lc = strake_self();

	return (struct mark){.at = strake_clock_ns(),
			     .done = load.done,
			     .busy = lc->busy_cycles,
			     .idle = lc->idle_cycles,
			     .turns = lc->turns,
			     .worked = lc->worked,
			     .slept = lc->slept,
			     .cpu = cpu_seconds()};
}

static void
at_ramp(struct strake_timer *t, uint64_t now)
{
	RTE_SET_USED(t);
	RTE_SET_USED(now);
	from = mark();
}

static void
at_end(struct strake_timer *t, uint64_t now)
{
	RTE_SET_USED(t);
	RTE_SET_USED(now);
	load.over = true;
	if (load.done == load.begun)
		strake_lcore_stop(0);
}

static void
start(struct strake_io *ios)
{
	uint64_t period = words[RATE].value != 0 ? STRAKE_NS_PER_SEC / words[RATE].value : 0;
	struct itimerspec every = {.it_interval = {.tv_nsec = (long)period}, .it_value = {.tv_nsec = (long)period}};

	load.began_at = strake_clock_ns();
	load.end.fn = at_end;
	load.ramp.fn = at_ramp;
	strake_timer_arm(&load.ramp, load.began_at + words[RAMP].value * STRAKE_NS_PER_SEC);
	strake_timer_arm(&load.end, load.began_at + (words[RAMP].value + words[SECONDS].value) * STRAKE_NS_PER_SEC);
	for (uint64_t i = 0; i < words[DEPTH].value; i++) {
		ios[i].done = done;
		if (words[WRITE].value != 0) {
			ios[i].bufs = strake_buf_page((uint32_t)words[BYTES].value);
			RTE_VERIFY(ios[i].bufs != NULL);
			memset(ios[i].bufs->addr, (int)(i + 1), words[BYTES].value);
		}
		ios[i].link = load.free;
		load.free = &ios[i];
		if (period == 0)
			begin(&ios[i]);
	}
	if (period == 0)
		return;
	load.pace = (struct strake_poller){.name = "pace", .poll = pace_poll, .arm = pace_arm};
	load.pace.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	timerfd_settime(load.pace.fd, 0, &every, NULL);
	strake_poller_add(&load.pace);
}

/* --- what it costs -------------------------------------------------------------------------------------------------
 */

static void
report(void)
{
	struct mark m = mark();
	double hz = (double)rte_get_tsc_hz(), ios = (double)RTE_MAX(m.done - from.done, 1u);

	printf("{\"ios\": %" PRIu64 ", \"errors\": %" PRIu64 ", \"iops\": %.1f, \"cpu_us\": %.3f, \"busy_us\": %.3f, "
	       "\"idle_us\": %.3f, \"turns\": %" PRIu64 ", \"worked\": %" PRIu64 ", \"slept\": %" PRIu64 "}\n",
	       m.done - from.done, load.errors, ios / (1e-9 * (double)(m.at - from.at)), 1e6 * (m.cpu - from.cpu) / ios,
	       1e6 * (double)(m.busy - from.busy) / hz / ios, 1e6 * (double)(m.idle - from.idle) / hz / ios,
	       m.turns - from.turns, m.worked - from.worked, m.slept - from.slept);
}

/* --- opening -------------------------------------------------------------------------------------------------------
 */

static bool
own_word(const char *key, const char *value)
{
	for (unsigned int i = 0; i < WORDS; i++) {
		if (strcmp(key, words[i].name) == 0) {
			words[i].value = strtoull(value, NULL, 0);
			return true;
		}
	}
	return false;
}

/* @return the drive's kind, its keys and values in @p pairs, ended by NULL; NULL for words that are none. */
static const char *
read_words(int argc, char **argv, const char **pairs)
{
	const char *kind = NULL;
	unsigned int n = 0;

	for (int i = 1; i < argc; i++) {
		char *value = strchr(argv[i], '=');

		if (value == NULL || n + 3 > PAIRS_MAX)
			return NULL;
		*value++ = '\0';
		if (strcmp(argv[i], "kind") == 0) {
			kind = value;
		} else if (!own_word(argv[i], value)) {
			pairs[n++] = argv[i];
			pairs[n++] = value;
		}
	}
	pairs[n] = NULL;
	return kind != NULL && strake_drive_find(kind) != NULL ? kind : NULL;
}

static int
open_drive(const char *kind, const char *const *pairs)
{
	char err[WORD_MAX];
	struct conf_values *v = conf_values_make(strake_drive_find(kind)->keys, pairs, err, sizeof(err));

	if (v == NULL || strake_drive_open(&load.drive, "load", kind, v, err, sizeof(err)) < 0) {
		fprintf(stderr, "%s\n", err);
		return -1;
	}
	if (words[SPAN].value == 0)
		words[SPAN].value = load.drive->bytes - words[OFFSET].value;
	return strake_drive_lcore_init(load.drive);
}

int
main(int argc, char **argv)
{
	const char *pairs[PAIRS_MAX], *kind = read_words(argc, argv, pairs);
	char cpu[24] = "0", lcores[] = "--lcores", no_huge[] = "--no-huge", memory[] = "-m", mib[] = "256";
	char no_pci[] = "--no-pci", quiet[] = "--no-telemetry", prefix[] = "--file-prefix=drive-load";
	char *eal[] = {argv[0], no_huge, memory, mib, no_pci, quiet, prefix, lcores, cpu, NULL};
	struct strake_buf_conf bc = {.descriptors = 4096, .arena_bytes = 32 << 20, .socket = SOCKET_ID_ANY};
	struct strake_lcore_conf lc = {.socket = SOCKET_ID_ANY};
	struct strake_io *ios;

	if (kind == NULL) {
		fprintf(stderr, "drive-load: kind=KIND and KEY=VALUE words\n");
		return 2;
	}
	snprintf(cpu, sizeof(cpu), "0@%" PRIu64, words[CPU].value);
	lc.idle = words[SPIN].value != 0 ? STRAKE_IDLE_SPIN : STRAKE_IDLE_ADAPTIVE;
	lc.spin_us = (uint32_t)words[SPIN_US].value;
	if (rte_eal_init((int)RTE_DIM(eal) - 1, eal) < 0 || strake_lcore_create(0, &lc) < 0)
		return 2;
	strake_lcore_enter(0);
	strake_lcore_turn(strake_clock_ns());
	ios = calloc(words[DEPTH].value, sizeof(*ios));
	if (ios == NULL || strake_buf_init(&bc) < 0 || open_drive(kind, pairs) < 0)
		return 1;
	start(ios);
	strake_lcore_run();
	report();
	for (uint64_t i = 0; words[WRITE].value != 0 && i < words[DEPTH].value; i++)
		strake_buf_put(ios[i].bufs);
	strake_drive_lcore_fini(load.drive);
	strake_drive_close(load.drive);
	free(ios);
	return load.errors != 0;
}
