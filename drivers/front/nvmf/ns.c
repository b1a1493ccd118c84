/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Namespaces of a subsystem, as main has them and as it tells the data lcores. */

#include "ns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_log.h>
#include <rte_malloc.h>

#include "barrier.h"
#include "resv.h"
#include "sweep.h"

RTE_LOG_REGISTER(ns_log, strake.nvmf, INFO)

/* One lcore's copy of the news. */
struct nvmf_ns_copy {
	struct strake_msg msg;
	struct nvmf_subsystem *sub;
	const struct nvmf_ns_array *array;
	struct nvmf_barrier *barrier;
	uint16_t lcore;
};

static void
set(struct nvmf_ns *ns, struct strake_volume *vol)
{
	if (vol == NULL)
		return;
	ns->vol = vol;
	ns->nlb = vol->nlb;
	ns->lba_shift = (uint8_t)vol->lba_shift;
	ns->read_only = vol->read_only;
	ns->resv = nvmf_resv_view_get(nvmf_resv_of(vol->uuid)->view);
}

struct nvmf_ns_array *
nvmf_ns_array_new(const struct nvmf_subsystem *sub, struct nvmf_classes *classes, uint32_t n)
{
	struct nvmf_ns_array *array;

	array = rte_zmalloc("nvmf_ns", sizeof(*array) + n * sizeof(array->ns[0]), RTE_CACHE_LINE_SIZE);
	if (array == NULL)
		return NULL;
	array->refs = 1;
	array->n = n;
	array->classes = classes;
	classes->refs++;
	if (strake_classifier_has_rules(classes->tables))
		array->rules = classes->tables;
	for (uint32_t i = 0; i < n; i++)
		set(&array->ns[i], strake_classify_route(classes->tables, STRAKE_HOST_ANY, sub->id, i + 1));
	return array;
}

void
nvmf_ns_array_put(struct nvmf_ns_array *array)
{
	if (--array->refs > 0)
		return;
	for (uint32_t i = 0; i < array->n; i++)
		nvmf_resv_view_put(array->ns[i].resv);
	nvmf_classes_put(array->classes);
	rte_free(array);
}

/* Back on main with the array that the lcore let go of. */
static void
let_go(struct strake_msg *msg)
{
	struct nvmf_ns_copy *copy = container_of(msg, struct nvmf_ns_copy, msg);

	nvmf_target->rounds--;
	nvmf_ns_array_put((struct nvmf_ns_array *)(uintptr_t)copy->array);
	if (copy->barrier != NULL)
		nvmf_barrier_drop(copy->barrier);
	free(copy);
}

static void
take(struct strake_msg *msg)
{
	struct nvmf_ns_copy *copy = container_of(msg, struct nvmf_ns_copy, msg);
	struct nvmf_ns_table *table = &copy->sub->table[copy->lcore];
	const struct nvmf_ns_array *old = table->array;

	table->array = copy->array;
	copy->array = old;
	msg->fn = let_go;
	strake_msg_send(STRAKE_LCORE_MAIN, msg);
}

static void
swap_here(struct nvmf_subsystem *sub, uint16_t lcore, struct nvmf_ns_array *array)
{
	struct nvmf_ns_array *old = (struct nvmf_ns_array *)(uintptr_t)sub->table[lcore].array;

	sub->table[lcore].array = array;
	if (old != NULL)
		nvmf_ns_array_put(old);
}

void
nvmf_ns_cancel(struct nvmf_publication *p)
{
	for (uint16_t i = 0; i < STRAKE_LCORE_MAX; i++)
		free(p->copy[i]);
	nvmf_ns_array_put(p->array);
	free(p);
}

int
nvmf_ns_prepare(struct nvmf_publication **out, struct nvmf_subsystem *sub, struct nvmf_ns_array *array)
{
	uint32_t running = __atomic_load_n(&nvmf_target->lcores, __ATOMIC_ACQUIRE);
	struct nvmf_publication *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		nvmf_ns_array_put(array);
		return -ENOMEM;
	}
	p->sub = sub;
	p->array = array;
	for (uint16_t i = 0; i < STRAKE_LCORE_MAX; i++) {
		if ((running & 1u << i) == 0)
			continue;
		p->copy[i] = malloc(sizeof(*p->copy[i]));
		if (p->copy[i] == NULL) {
			nvmf_ns_cancel(p);
			return -ENOMEM;
		}
	}
	*out = p;
	return 0;
}

void
nvmf_ns_commit(struct nvmf_publication *p, struct nvmf_barrier *b)
{
	struct nvmf_subsystem *sub = p->sub;
	struct nvmf_ns_array *old = sub->ns;

	p->array->refs += STRAKE_LCORE_MAX;
	for (uint16_t i = 0; i < STRAKE_LCORE_MAX; i++) {
		struct nvmf_ns_copy *copy = p->copy[i];

		if (copy == NULL) {
			swap_here(sub, i, p->array);
			continue;
		}
		if (b != NULL)
			nvmf_barrier_hold(b);
		*copy = (struct nvmf_ns_copy){.msg.fn = take, .sub = sub, .array = p->array, .barrier = b, .lcore = i};
		nvmf_target->rounds++;
		strake_msg_send(i, &copy->msg);
	}
	sub->ns = p->array;
	if (old != NULL)
		nvmf_ns_array_put(old);
	free(p);
}

int
nvmf_ns_publish(struct nvmf_subsystem *sub, struct nvmf_ns_array *array, struct nvmf_barrier *b)
{
	struct nvmf_publication *p;
	int ret = nvmf_ns_prepare(&p, sub, array);

	if (ret == 0)
		nvmf_ns_commit(p, b);
	return ret;
}

/* --- while hosts are connected -------------------------------------------------------------------------------------
 */

static void
tell_hosts(struct nvmf_subsystem *sub, uint32_t nsid)
{
	for (struct nvmf_ctrlr *c = sub->ctrlrs; c != NULL; c = c->next) {
		c->changed[(nsid - 1) / 64] |= 1ull << (nsid - 1) % 64;
		nvmf_aer_raise(c, NVMF_EVENT_NS_ATTR);
	}
}

/* A removal, or a new size, on its way to all that have to know. */
struct departure {
	struct nvmf_barrier known, swept;
	struct nvmf_subsystem *sub; /* NULL: nothing was removed */
	uint32_t nsid;
	const struct strake_volume *vol;
	void (*done)(void *arg);
	void *arg;
};

static void
departed(struct nvmf_barrier *b)
{
	struct departure *d = container_of(b, struct departure, swept);

	if (d->sub != NULL)
		d->sub->leaving[(d->nsid - 1) / 64] &= ~(1ull << (d->nsid - 1) % 64);
	if (d->done != NULL)
		d->done(d->arg);
	free(d);
}

/* No lcore begins a command against the old array any more: those begun are swept. */
static void
departure_known(struct nvmf_barrier *b)
{
	struct departure *d = container_of(b, struct departure, known);

	nvmf_barrier_init(&d->swept, departed);
	if (d->sub != NULL)
		nvmf_sweep(d->sub, d->nsid, NULL, NVMF_SWEEP_ALL, &d->swept);
	for (struct nvmf_subsystem *sub = nvmf_target->subsystems; d->sub == NULL && sub != NULL; sub = sub->next)
		for (uint32_t i = 0; i < sub->ns->n; i++)
			if (sub->ns->ns[i].vol == d->vol)
				nvmf_sweep(sub, i + 1, NULL, NVMF_SWEEP_MARKED, &d->swept);
	nvmf_barrier_drop(&d->swept);
}

static struct departure *
departure_new(void (*done)(void *arg), void *arg)
{
	struct departure *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	nvmf_barrier_init(&d->known, departure_known);
	d->done = done;
	d->arg = arg;
	return d;
}

/* New tables with one namespace changed, and the subsystem's array made from them. Other subsystems keep theirs, which
 * say the same about them. */
static int
change(struct nvmf_subsystem *sub, uint32_t nsid, struct strake_volume *vol, struct nvmf_barrier *b)
{
	struct nvmf_classes *classes;
	struct nvmf_ns_array *array;
	int ret = nvmf_classes_change(&classes, nvmf_target->classes, sub, nsid, vol);

	if (ret < 0)
		return ret;
	array = nvmf_ns_array_new(sub, classes, RTE_MAX(sub->ns->n, nsid));
	ret = array != NULL ? nvmf_ns_publish(sub, array, b) : -ENOMEM;
	if (ret < 0) {
		nvmf_classes_put(classes);
		return ret;
	}
	nvmf_classes_put(nvmf_target->classes);
	nvmf_target->classes = classes;
	tell_hosts(sub, nsid);
	return 0;
}

int
nvmf_ns_add(const char *nqn, uint32_t nsid, struct strake_volume *vol)
{
	struct nvmf_subsystem *sub = nvmf_subsystem_find(nqn);
	char err[256];
	int ret;

	if (sub == NULL || sub->discovery)
		return -ENOENT;
	if (nsid == 0 || nsid > NVMF_NS_MAX)
		return -EINVAL;
	if (nvmf_ns_of(sub->ns, nsid) != NULL)
		return -EEXIST;
	if ((sub->leaving[(nsid - 1) / 64] & 1ull << (nsid - 1) % 64) != 0)
		return -EBUSY;
	ret = nvmf_resv_open(vol->uuid, err, sizeof(err));
	if (ret < 0) {
		rte_log(RTE_LOG_ERR, ns_log, "NVMF: namespace %u of %s: %s\n", nsid, nqn, err);
		return ret;
	}
	ret = change(sub, nsid, vol, NULL);
	if (ret == 0)
		sub->ana_changes++;
	return ret;
}

int
nvmf_ns_remove(const char *nqn, uint32_t nsid, void (*done)(void *arg), void *arg)
{
	struct nvmf_subsystem *sub = nvmf_subsystem_find(nqn);
	struct departure *d;
	int ret;

	if (sub == NULL || sub->discovery || nvmf_ns_of(sub->ns, nsid) == NULL)
		return -ENOENT;
	d = departure_new(done, arg);
	if (d == NULL)
		return -ENOMEM;
	d->sub = sub;
	d->nsid = nsid;
	ret = change(sub, nsid, NULL, &d->known);
	if (ret < 0) {
		free(d);
		return ret;
	}
	sub->ana_changes++;
	sub->leaving[(nsid - 1) / 64] |= 1ull << (nsid - 1) % 64;
	nvmf_barrier_drop(&d->known);
	return 0;
}

int
nvmf_ns_resized(struct strake_volume *vol, void (*done)(void *arg), void *arg)
{
	struct departure *d = departure_new(done, arg);
	int ret = -ENOENT;

	if (d == NULL)
		return -ENOMEM;
	d->vol = vol;
	for (struct nvmf_subsystem *sub = nvmf_target->subsystems; sub != NULL; sub = sub->next) {
		for (uint32_t i = 0; i < sub->ns->n; i++) {
			if (sub->ns->ns[i].vol != vol)
				continue;
			ret = change(sub, i + 1, vol, &d->known);
			if (ret < 0) /* what some were told stays told; the caller learns of the error */
				goto out;
		}
	}
out:
	if (ret < 0)
		d->done = NULL;
	nvmf_barrier_drop(&d->known);
	return ret;
}

uint32_t
nvmf_ns_find(const char *nqn, const struct strake_volume *vol)
{
	const struct nvmf_subsystem *sub = nvmf_subsystem_find(nqn);

	for (uint32_t i = 0; sub != NULL && i < sub->ns->n; i++)
		if (sub->ns->ns[i].vol == vol)
			return i + 1;
	return 0;
}

uint32_t
nvmf_ns_free(const char *nqn, uint32_t from)
{
	const struct nvmf_subsystem *sub = nvmf_subsystem_find(nqn);

	for (uint32_t nsid = from; sub != NULL && nsid <= NVMF_NS_MAX; nsid++)
		if (nvmf_ns_of(sub->ns, nsid) == NULL && (sub->leaving[(nsid - 1) / 64] & 1ull << (nsid - 1) % 64) == 0)
			return nsid;
	return 0;
}
