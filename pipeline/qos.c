/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The doors of data lcores; how they work is told in strake_qos.h. */

#include "qos.h"

#include <errno.h>
#include <string.h>

#include <rte_malloc.h>

#include "lcore_pvt.h"
#include "submit.h"
#include "unit.h"

/* Least that a request counts for, bytes: one without payload is work as well. */
#define COST_MIN 4096u
/* Time of limits: sixteenths of ns. 64 bits hold 36 years of it. */
#define TICKS_PER_NS 16ULL
#define TICKS_PER_S  (TICKS_PER_NS * STRAKE_NS_PER_SEC)
/* Virtual time begins anew here: one request adds less than 2^52. */
#define VIRTUAL_MAX (1ULL << 62)

struct limit {
	uint64_t rate; /* units a second of this lcore; 0: none */
	uint64_t due;  /* ticks: when nothing would be owed any more */
};

struct door {
	struct unit_fifo wait;
	struct limit ops, bytes;
	uint64_t burst; /* ticks */
	uint64_t share; /* what a byte costs in virtual time: the less, the heavier the class; to a thousandth */
	uint64_t tag;	/* virtual time at which its last request is paid for */
	struct strake_qos_stats stats;
};

struct qos {
	struct strake_poller poller;
	struct strake_timer timer;  /* a limit allows more */
	uint64_t under_way, window; /* bytes */
	uint64_t virtual_now;
	uint64_t waiting;
	bool cancelled; /* one of those that wait, perhaps */
	unsigned int n;
	uint8_t of[UINT8_MAX + 1]; /* class to door */
	struct door door[];
};

static struct strake_qos_class classes[UINT8_MAX + 1];
static struct strake_qos_conf conf;
static struct qos *doors[STRAKE_LCORE_MAX];

/* --- limits --------------------------------------------------------------------------------------------------------
 */

static bool
allows(const struct limit *l, uint64_t ticks, uint64_t burst)
{
	return l->rate == 0 || l->due <= ticks + burst;
}

static void
use(struct limit *l, uint64_t ticks, uint64_t units)
{
	if (l->rate != 0)
		l->due = RTE_MAX(l->due, ticks) + units * TICKS_PER_S / l->rate;
}

static bool
allowed(const struct door *d, uint64_t ticks)
{
	return allows(&d->ops, ticks, d->burst) && allows(&d->bytes, ticks, d->burst);
}

/* When the limits of a door will allow the next, ticks. */
static uint64_t
allowed_at(const struct door *d)
{
	uint64_t due = RTE_MAX(d->ops.rate != 0 ? d->ops.due : 0, d->bytes.rate != 0 ? d->bytes.due : 0);

	return due - RTE_MIN(due, d->burst);
}

/* --- turns ---------------------------------------------------------------------------------------------------------
 */

static bool
window_open(const struct qos *q)
{
	return q->window == 0 || q->under_way < q->window;
}

static void
begin_anew(struct qos *q)
{
	for (unsigned int i = 0; i < q->n; i++)
		q->door[i].tag -= RTE_MIN(q->door[i].tag, q->virtual_now);
	q->virtual_now = 0;
}

static void
let_in(struct qos *q, struct door *d, struct strake_req *req, uint64_t now)
{
	uint64_t start;

	if (unlikely(d->tag > VIRTUAL_MAX))
		begin_anew(q);
	start = RTE_MAX(d->tag, q->virtual_now);
	req->admitted = RTE_MAX(req->u.nbytes, COST_MIN);
	q->under_way += req->admitted;
	q->virtual_now = start;
	d->tag = start + req->admitted * d->share;
	use(&d->ops, now * TICKS_PER_NS, 1);
	use(&d->bytes, now * TICKS_PER_NS, req->u.nbytes);
	d->stats.admitted++;
}

/* Whose turn it is: of those that wait and may, the one that has had least. NULL: nobody. */
static struct door *
next_door(struct qos *q, uint64_t now)
{
	struct door *best = NULL;

	for (unsigned int i = 0; i < q->n; i++) {
		struct door *d = &q->door[i];

		if (d->wait.head == NULL || !allowed(d, now * TICKS_PER_NS))
			continue;
		if (best == NULL || RTE_MAX(d->tag, q->virtual_now) < RTE_MAX(best->tag, q->virtual_now))
			best = d;
	}
	return best;
}

static uint32_t
run(struct qos *q, uint64_t now)
{
	struct strake_req *burst[STRAKE_BURST];
	struct door *d;
	uint32_t total = 0;
	uint16_t n = 0;

	while (window_open(q) && (d = next_door(q, now)) != NULL) {
		struct strake_req *req = strake_req_of(unit_fifo_pop(&d->wait));

		q->waiting--;
		d->stats.waiting--;
		if (now > req->u.t_start) { /* not only behind one whose turn it was */
			d->stats.waited++;
			strake_hist_add(&d->stats.wait, now - req->u.t_start);
		}
		let_in(q, d, req, now);
		burst[n++] = req;
		total++;
		if (n == STRAKE_BURST) {
			submit_enter(burst, n);
			n = 0;
		}
	}
	if (n > 0)
		submit_enter(burst, n);
	return total;
}

static bool
passes(const struct strake_req *req)
{
	return (req->u.flags & STRAKE_UNIT_INTERNAL) != 0 || req->parent != NULL;
}

/* In at once, when nobody waits who could go before. */
static bool
straight_in(struct qos *q, struct strake_req *req, uint64_t now)
{
	struct door *d = &q->door[q->of[req->u.cls]];

	if (!window_open(q) || d->wait.head != NULL || !allowed(d, now * TICKS_PER_NS))
		return false;
	if (q->waiting != 0 && next_door(q, now) != NULL)
		return false;
	let_in(q, d, req, now);
	return true;
}

void
qos_submit(struct qos *q, struct strake_req **reqs, uint16_t n)
{
	struct strake_req *burst[STRAKE_BURST];
	uint64_t now = strake_now();
	uint16_t in = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct strake_req *req = reqs[i];
		struct door *d = &q->door[q->of[req->u.cls]];

		if (passes(req) || straight_in(q, req, now)) {
			burst[in++] = req;
			if (in == STRAKE_BURST) {
				submit_enter(burst, in);
				in = 0;
			}
			continue;
		}
		req->u.t_start = now;
		unit_fifo_push(&d->wait, &req->u);
		d->stats.waiting++;
		q->waiting++;
	}
	if (in > 0)
		submit_enter(burst, in);
	if (q->waiting != 0)
		run(q, now);
}

void
qos_ended(struct qos *q, struct strake_req *req)
{
	q->under_way -= req->admitted;
	req->admitted = 0;
}

/* --- cancelled -----------------------------------------------------------------------------------------------------
 */

void
qos_cancelled(struct qos *q)
{
	q->cancelled = q->waiting != 0;
}

static uint32_t
sweep(struct qos *q, struct door *d, uint64_t now)
{
	struct unit_fifo all = d->wait;
	struct strake_unit *u;
	uint32_t ended = 0;

	if (all.head == NULL)
		return 0;
	unit_fifo_init(&d->wait);
	while ((u = unit_fifo_pop(&all)) != NULL) {
		if ((u->flags & STRAKE_UNIT_CANCELLED) == 0) {
			unit_fifo_push(&d->wait, u);
			continue;
		}
		q->waiting--;
		d->stats.waiting--;
		d->stats.cancelled++;
		u->origin = (uint8_t)strake_self_index();
		u->t_start = now;
		submit_turn_back(strake_req_of(u), -ECANCELED);
		ended++;
	}
	return ended;
}

/* --- the lcore -----------------------------------------------------------------------------------------------------
 */

static uint32_t
qos_poll(struct strake_poller *p, uint64_t now)
{
	struct qos *q = RTE_PTR_SUB(p, offsetof(struct qos, poller));
	uint32_t work = 0;

	if (likely(q->waiting == 0))
		return 0;
	if (unlikely(q->cancelled)) {
		q->cancelled = false;
		for (unsigned int i = 0; i < q->n; i++)
			work += sweep(q, &q->door[i], now);
	}
	return work + run(q, now);
}

/* The timer only wakes the lcore: the poller runs after it in the same turn. */
static void
wake(struct strake_timer *t, uint64_t now)
{
	(void)t;
	(void)now;
}

/* What ends makes room and wakes us by itself; limits need the clock. */
static bool
qos_arm(struct strake_poller *p, bool on)
{
	struct qos *q = RTE_PTR_SUB(p, offsetof(struct qos, poller));
	uint64_t at = UINT64_MAX;

	if (!on || q->waiting == 0)
		return true;
	if (q->cancelled)
		return false;
	if (!window_open(q))
		return true;
	if (next_door(q, strake_now()) != NULL)
		return false;
	for (unsigned int i = 0; i < q->n; i++)
		if (q->door[i].wait.head != NULL)
			at = RTE_MIN(at, allowed_at(&q->door[i]));
	strake_timer_arm(&q->timer, at / TICKS_PER_NS + 1);
	return true;
}

static void
door_init(struct door *d, const struct strake_qos_class *c, unsigned int n_lcores)
{
	unit_fifo_init(&d->wait);
	d->ops.rate = c->iops != 0 ? RTE_MAX(c->iops / n_lcores, 1ULL) : 0;
	d->bytes.rate = c->bps != 0 ? RTE_MAX(c->bps / n_lcores, 1ULL) : 0;
	d->burst = c->burst_ns * TICKS_PER_NS;
	d->share = (1ULL << 20) / c->weight;
}

struct qos *
qos_lcore_init(void)
{
	uint16_t self = strake_self_index();
	struct qos *q;

	if (conf.n == 0 || self == STRAKE_LCORE_MAIN)
		return NULL;
	q = doors[self];
	q->poller.name = "qos";
	q->poller.poll = qos_poll;
	q->poller.arm = qos_arm;
	q->poller.fd = -2;
	q->timer.fn = wake;
	strake_poller_add(&q->poller);
	return q;
}

void
qos_lcore_fini(void)
{
	struct qos *q = doors[strake_self_index()];

	if (q == NULL)
		return;
	strake_timer_cancel(&q->timer);
	strake_poller_del(&q->poller);
}

static struct qos *
create(int socket)
{
	struct qos *q =
		rte_zmalloc_socket("strake_qos", sizeof(*q) + conf.n * sizeof(q->door[0]), RTE_CACHE_LINE_SIZE, socket);

	if (q == NULL)
		return NULL;
	q->n = conf.n;
	q->window = conf.window;
	for (unsigned int i = 0; i < conf.n; i++)
		if (conf.classes[i].cls == 0)
			memset(q->of, (int)i, sizeof(q->of));
	for (unsigned int i = 0; i < conf.n; i++) {
		q->of[conf.classes[i].cls] = (uint8_t)i;
		door_init(&q->door[i], &conf.classes[i], RTE_MAX(strake_lcore_count() - 1u, 1u));
	}
	return q;
}

static int
keep(const struct strake_qos_conf *want)
{
	bool zero = false;

	for (unsigned int i = 0; i < want->n; i++) {
		const struct strake_qos_class *c = &want->classes[i];

		if (i > UINT8_MAX || c->weight == 0 || c->weight > STRAKE_QOS_WEIGHT_MAX)
			return -EINVAL;
		classes[i] = *c;
		zero = zero || c->cls == 0;
	}
	conf = (struct strake_qos_conf){classes, want->n, want->window};
	if (!zero && conf.n <= UINT8_MAX)
		classes[conf.n++] = (struct strake_qos_class){.weight = STRAKE_QOS_WEIGHT_DEFAULT};
	return 0;
}

int
qos_init(const struct strake_qos_conf *want)
{
	if (want == NULL || want->n == 0)
		return 0;
	if (keep(want) < 0)
		return -EINVAL;
	for (uint16_t i = STRAKE_LCORE_MAIN + 1; i < strake_lcore_count(); i++) {
		doors[i] = create(strake_lcore_at(i)->socket);
		if (doors[i] == NULL) {
			qos_fini();
			return -ENOMEM;
		}
	}
	return 0;
}

void
qos_fini(void)
{
	for (uint16_t i = 0; i < STRAKE_LCORE_MAX; i++) {
		rte_free(doors[i]);
		doors[i] = NULL;
	}
	memset(&conf, 0, sizeof(conf));
}

const struct strake_qos_class *
strake_qos_asked(uint8_t cls)
{
	for (unsigned int i = 0; i < conf.n; i++)
		if (conf.classes[i].cls == cls)
			return &conf.classes[i];
	return NULL;
}

const struct strake_qos_stats *
strake_qos_stats(uint16_t lcore, uint8_t cls)
{
	const struct qos *q = lcore < STRAKE_LCORE_MAX ? doors[lcore] : NULL;

	return q != NULL && strake_qos_asked(cls) != NULL ? &q->door[q->of[cls]].stats : NULL;
}
