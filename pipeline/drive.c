/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "strake_drive.h"
#include "strake_account.h"
#include "strake_drive_error.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_debug.h>
#include <rte_malloc.h>
#include <rte_mempool.h>

#define DRIVES_MAX   256
#define KINDS_MAX    16
#define RETRY_BURST  32
#define OPEN_ERR_MAX 512

/* Descriptors in all: a slot less than a power of two is what a mempool's ring holds without waste. */
#define IO_POOL	      65535
#define IO_POOL_CACHE 256

STRAKE_STEP(submit_step, STRAKE_AT_DRIVE, "drives: I/Os begun")

static const struct strake_drive_ops *kinds[KINDS_MAX];
static struct strake_drive *drives[DRIVES_MAX];
static unsigned int n_drives, n_opening;
static struct rte_mempool *io_pool; /* made with the first drive, kept until the process ends */

/* A drive's part on one lcore: what the driver had no room for, oldest first. */
struct drive_lcore {
	struct strake_drive_stats stats; /* first: strake_drive::stats points at it */
	struct strake_drive *drive;
	/* The I/O that failed last; at 0: none has. */
	struct {
		uint64_t at, off;
		uint32_t len;
		int status;
		enum strake_io_op op;
	} error;
	bool ready; /* between lcore_init and lcore_fini */
	struct strake_io *kept, **kept_tail;
	TAILQ_ENTRY(drive_lcore) link; /* on the lcore's list while something is kept */
};

TAILQ_HEAD(drive_lcores, drive_lcore);

/* One lcore's drives with something kept, and the poller that offers it again. */
static struct retry {
	struct strake_poller poller;
	struct drive_lcores waiting;
	unsigned int users; /* drives made ready on this lcore */
} retries[STRAKE_LCORE_MAX];

/* --- kinds ------------------------------------------------------------------------------------------------------- */

void
strake_drive_register(const struct strake_drive_ops *ops)
{
	for (unsigned int i = 0; i < KINDS_MAX; i++) {
		if (kinds[i] == NULL) {
			kinds[i] = ops;
			return;
		}
		if (strcmp(kinds[i]->name, ops->name) == 0)
			break;
	}
	rte_panic("drive kind %s: registered twice, or too many kinds\n", ops->name);
}

const struct strake_drive_ops *
strake_drive_kind(unsigned int i)
{
	return i < KINDS_MAX ? kinds[i] : NULL;
}

const struct strake_drive_ops *
strake_drive_find(const char *kind)
{
	for (unsigned int i = 0; i < KINDS_MAX && kinds[i] != NULL; i++) {
		if (strcmp(kinds[i]->name, kind) == 0)
			return kinds[i];
	}
	return NULL;
}

/* --- drives ------------------------------------------------------------------------------------------------------ */

static int
io_pool_need(void)
{
	if (io_pool == NULL)
		io_pool = rte_mempool_create("strake_io", IO_POOL, sizeof(struct strake_io), IO_POOL_CACHE, 0, NULL,
					     NULL, NULL, NULL, SOCKET_ID_ANY, 0);
	return io_pool == NULL ? -ENOMEM : 0;
}

static int
make(struct strake_drive **out, const char *name, const char *kind, char *err, size_t errlen)
{
	struct strake_drive *drive;
	int ret;

	if (n_drives + n_opening == DRIVES_MAX) {
		snprintf(err, errlen, "drive %s: there are %u drives already, the most there can be", name, n_drives);
		return -ENOSPC;
	}
	drive = rte_zmalloc("strake_drive", sizeof(*drive), RTE_CACHE_LINE_SIZE);
	if (drive == NULL || io_pool_need() < 0) {
		snprintf(err, errlen, "drive %s: out of memory", name);
		ret = -ENOMEM;
		goto err_free;
	}
	snprintf(drive->name, sizeof(drive->name), "%s", name);
	drive->ops = strake_drive_find(kind);
	if (drive->ops == NULL) {
		snprintf(err, errlen, "drive %s: no such kind: %s", name, kind);
		ret = -EINVAL;
		goto err_free;
	}
	*out = drive;
	return 0;

err_free:
	rte_free(drive);
	return ret;
}

/* What came of open(). */
static int
enlist(struct strake_drive *drive, int ret, struct strake_drive **out)
{
	if (ret < 0) {
		rte_free(drive);
		return ret;
	}
	RTE_VERIFY(n_drives < DRIVES_MAX);
	drives[n_drives++] = drive;
	*out = drive;
	return 0;
}

int
strake_drive_open(struct strake_drive **out, const char *name, const char *kind, const struct conf_values *conf,
		  char *err, size_t errlen)
{
	struct strake_drive *drive;
	int ret = make(&drive, name, kind, err, errlen);

	return ret < 0 ? ret : enlist(drive, drive->ops->open(drive, conf, err, errlen), out);
}

void
strake_drive_close(struct strake_drive *drive)
{
	unsigned int i;

	for (i = 0; i < n_drives && drives[i] != drive; i++)
		;
	RTE_VERIFY(i < n_drives);
	memmove(&drives[i], &drives[i + 1], (--n_drives - i) * sizeof(drives[0]));
	drives[n_drives] = NULL;
	drive->ops->close(drive);
	for (i = 0; i < STRAKE_LCORE_MAX; i++)
		rte_free(drive->stats[i]);
	rte_free(drive);
}

/* --- opening beside main -------------------------------------------------------------------------------------------
 */

/* Main's, but for what the thread leaves before it is over. */
struct strake_opening {
	struct strake_drive *drive;
	struct strake_drive_begin how;
	pthread_t thread;
	bool over;
	int ret;
	char err[OPEN_ERR_MAX];
};

static void *
open_thread(void *arg)
{
	struct strake_opening *o = arg;

	if (o->how.first != NULL)
		o->ret = o->how.first(o->how.arg, o->err, sizeof(o->err));
	if (o->ret == 0)
		o->ret = o->drive->ops->open(o->drive, o->how.conf, o->err, sizeof(o->err));
	__atomic_store_n(&o->over, true, __ATOMIC_RELEASE);
	return NULL;
}

int
strake_drive_open_begin(struct strake_opening **out, const struct strake_drive_begin *how, char *err, size_t errlen)
{
	struct strake_opening *o = calloc(1, sizeof(*o));
	int ret;

	if (o == NULL)
		return -ENOMEM;
	ret = make(&o->drive, how->name, how->kind, err, errlen);
	if (ret < 0)
		goto err_free;
	o->how = *how;
	ret = -pthread_create(&o->thread, NULL, open_thread, o);
	if (ret < 0)
		goto err_drive;
	pthread_setname_np(o->thread, "drive-open");
	n_opening++;
	*out = o;
	return 0;

err_drive:
	rte_free(o->drive);
err_free:
	free(o);
	return ret;
}

static int
conclude(struct strake_opening *o, struct strake_drive **out, char *err, size_t errlen)
{
	int ret = enlist(o->drive, o->ret, out);

	if (ret < 0)
		snprintf(err, errlen, "%s", o->err);
	n_opening--;
	free(o);
	return ret;
}

int
strake_drive_open_end(struct strake_opening *o, struct strake_drive **out, char *err, size_t errlen)
{
	if (!__atomic_load_n(&o->over, __ATOMIC_ACQUIRE))
		return -EINPROGRESS;
	pthread_join(o->thread, NULL);
	return conclude(o, out, err, errlen);
}

void
strake_drive_open_unwant(struct strake_opening *o)
{
	__atomic_store_n(&o->drive->unwanted, true, __ATOMIC_RELAXED);
}

void
strake_drive_open_leave(struct strake_opening *o)
{
	struct strake_drive *drive;
	char err[OPEN_ERR_MAX];

	strake_drive_open_unwant(o);
	while (pthread_tryjoin_np(o->thread, NULL) == EBUSY) {
		strake_lcore_turn(RTE_MAX(strake_now(), strake_clock_ns()));
		usleep(1000);
	}
	if (conclude(o, &drive, err, sizeof(err)) == 0)
		strake_drive_close(drive);
}

struct strake_drive *
strake_drive_nth(unsigned int i)
{
	return i < n_drives ? drives[i] : NULL;
}

/* --- one lcore's part ----------------------------------------------------------------------------------------------
 */

/* Room may come from another lcore (a page put there), which wakes nobody: while something is kept, sleep is bounded.
 */
static void
retry_set_fd(struct retry *r)
{
	r->poller.fd = TAILQ_EMPTY(&r->waiting) ? -2 : -1;
}

/* Offer what is kept, oldest first, until the driver is full again. @return I/Os taken. */
static uint32_t
retry_drive(struct retry *r, struct drive_lcore *dl)
{
	struct strake_io *ios[RETRY_BURST];
	uint16_t n, taken;
	uint32_t total = 0;

	do {
		struct strake_io *io = dl->kept;

		for (n = 0; n < RETRY_BURST && io != NULL; io = io->link)
			ios[n++] = io;
		/* The driver may use the link of what it takes: from here on only `io` and ios[] are looked at. */
		taken = dl->drive->ops->submit(dl->drive, ios, n);
		total += taken;
		dl->kept = taken < n ? ios[taken] : io;
	} while (taken == n && dl->kept != NULL);
	if (dl->kept == NULL) {
		dl->kept_tail = &dl->kept;
		TAILQ_REMOVE(&r->waiting, dl, link);
	}
	retry_set_fd(r);
	return total;
}

static uint32_t
retry_poll(struct strake_poller *p, uint64_t now)
{
	struct retry *r = container_of(p, struct retry, poller);
	struct drive_lcore *dl, *next;
	uint32_t work = 0;

	for (dl = TAILQ_FIRST(&r->waiting); dl != NULL; dl = next) {
		next = TAILQ_NEXT(dl, link);
		work += retry_drive(r, dl);
	}
	return work;
}

static void
retry_use(struct retry *r)
{
	if (r->users++ > 0)
		return;
	TAILQ_INIT(&r->waiting);
	r->poller = (struct strake_poller){.name = "drive_retry", .poll = retry_poll, .fd = -2};
	strake_poller_add(&r->poller);
}

static void
retry_unuse(struct retry *r)
{
	if (--r->users == 0)
		strake_poller_del(&r->poller);
}

int
strake_drive_lcore_init(struct strake_drive *drive)
{
	uint16_t self = strake_self_index();
	struct drive_lcore *dl;
	int ret;

	dl = rte_zmalloc_socket("drive_lcore", sizeof(*dl), RTE_CACHE_LINE_SIZE, strake_self()->socket);
	if (dl == NULL)
		return -ENOMEM;
	dl->drive = drive;
	dl->kept_tail = &dl->kept;
	retry_use(&retries[self]);
	ret = drive->ops->lcore_init != NULL ? drive->ops->lcore_init(drive) : 0;
	if (ret < 0) {
		retry_unuse(&retries[self]);
		rte_free(dl);
		return ret;
	}
	rte_free(drive->stats[self]);
	dl->ready = true;
	drive->stats[self] = &dl->stats;
	return 0;
}

/* The figures stay for telemetry until the drive is closed. */
void
strake_drive_lcore_fini(struct strake_drive *drive)
{
	struct drive_lcore *dl = (struct drive_lcore *)drive->stats[strake_self_index()];

	if (dl == NULL || !dl->ready)
		return;
	dl->ready = false;
	if (drive->ops->lcore_fini != NULL)
		drive->ops->lcore_fini(drive);
	retry_unuse(&retries[strake_self_index()]);
}

/* --- I/O -----------------------------------------------------------------------------------------------------------
 */

struct strake_io *
strake_io_alloc(void)
{
	void *io;

	if (unlikely(rte_mempool_get(io_pool, &io) < 0))
		return NULL;
	return memset(io, 0, sizeof(struct strake_io));
}

void
strake_io_free(struct strake_io *io)
{
	rte_mempool_put(io_pool, io);
}

static void
keep(struct drive_lcore *dl, struct strake_io **ios, uint16_t n)
{
	struct retry *r = &retries[strake_self_index()];

	if (dl->kept == NULL) {
		TAILQ_INSERT_TAIL(&r->waiting, dl, link);
		retry_set_fd(r);
	}
	for (uint16_t i = 0; i < n; i++) {
		ios[i]->link = NULL;
		*dl->kept_tail = ios[i];
		dl->kept_tail = &ios[i]->link;
	}
}

void
strake_drive_submit(struct strake_drive *drive, struct strake_io **ios, uint16_t n)
{
	struct drive_lcore *dl = (struct drive_lcore *)drive->stats[strake_self_index()];
	uint8_t before = strake_account_enter(&submit_step);
	uint64_t now = strake_now();
	uint16_t taken = 0;

	for (uint16_t i = 0; i < n; i++) {
		ios[i]->drive = drive;
		ios[i]->t_start = now;
	}
	dl->stats.inflight += n;
	if (likely(dl->kept == NULL))
		taken = drive->ops->submit(drive, ios, n);
	if (unlikely(taken < n)) {
		dl->stats.full++;
		keep(dl, ios + taken, n - taken);
	}
	strake_account_leave(before);
}

static void
note_error(struct drive_lcore *dl, const struct strake_io *io, int status)
{
	dl->stats.errors[io->op]++;
	dl->error.off = io->off;
	dl->error.len = io->len;
	dl->error.op = io->op;
	dl->error.status = status;
	dl->error.at = strake_now();
}

const char *
strake_drive_error(const struct strake_drive *drive, char out[STRAKE_DRIVE_ERROR_MAX])
{
	static const char *const names[STRAKE_IO_OPS] = {"read", "write", "flush", "write zeroes", "deallocate"};
	const struct drive_lcore *last = NULL;

	for (unsigned int i = 0; i < STRAKE_LCORE_MAX; i++) {
		const struct drive_lcore *dl = (const struct drive_lcore *)drive->stats[i];

		if (dl != NULL && dl->error.at != 0 && (last == NULL || dl->error.at > last->error.at))
			last = dl;
	}
	out[0] = '\0';
	if (last != NULL)
		snprintf(out, STRAKE_DRIVE_ERROR_MAX, "%s of %" PRIu32 " bytes at %" PRIu64 ": %s",
			 names[last->error.op], last->error.len, last->error.off, strerror(-last->error.status));
	return out;
}

void
strake_io_complete(struct strake_io *io, int status)
{
	struct strake_drive_stats *stats = io->drive->stats[strake_self_index()];

	stats->inflight--;
	stats->ops[io->op]++;
	if (likely(status == 0)) {
		stats->bytes[io->op] += io->len;
		if (io->op <= STRAKE_IO_WRITE)
			strake_hist_add(&stats->latency[io->op], strake_now() - io->t_start);
	} else {
		note_error((struct drive_lcore *)stats, io, status);
	}
	io->status = status;
	io->done(io);
}

static void
sync_done(struct strake_io *io)
{
	*(bool *)io->arg = true;
}

int
strake_drive_sync(struct strake_drive *drive, enum strake_io_op op, uint64_t off, struct strake_buf *buf, uint32_t len)
{
	bool done = false;
	struct strake_io io = {.off = off, .len = len, .op = op, .bufs = buf, .done = sync_done, .arg = &done};
	struct strake_io *ios[] = {&io};

	strake_drive_submit(drive, ios, 1);
	while (!done)
		strake_lcore_turn(RTE_MAX(strake_now(), strake_clock_ns()));
	return io.status;
}
