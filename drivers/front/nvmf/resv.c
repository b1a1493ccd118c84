/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Reservations as main keeps and publishes them. */

#include "resv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "barrier.h"
#include "resv_store.h"

/* --- the picture ---------------------------------------------------------------------------------------------------
 */

static bool
registered(const struct nvmf_resv_view *view, const uint8_t *hostid)
{
	for (uint16_t i = 0; i < view->n; i++)
		if (memcmp(view->hosts[i], hostid, sizeof(view->hosts[i])) == 0)
			return true;
	return false;
}

bool
nvmf_resv_conflict(const struct nvmf_resv_view *view, const uint8_t *hostid, bool writes)
{
	switch (view->rtype) {
	case NVME_RESV_WRITE_EXCL:
		return writes && memcmp(view->holder, hostid, sizeof(view->holder)) != 0;
	case NVME_RESV_EXCL_ACCESS:
		return memcmp(view->holder, hostid, sizeof(view->holder)) != 0;
	case NVME_RESV_WRITE_EXCL_REG:
	case NVME_RESV_WRITE_EXCL_ALL:
		return writes && !registered(view, hostid);
	default:
		return !registered(view, hostid);
	}
}

struct nvmf_resv_view *
nvmf_resv_view_get(struct nvmf_resv_view *view)
{
	if (view != NULL)
		view->refs++;
	return view;
}

void
nvmf_resv_view_put(struct nvmf_resv_view *view)
{
	if (view != NULL && --view->refs == 0)
		free(view);
}

/* @return -ENOMEM; *out NULL when nothing is reserved. */
static int
view_of(const struct nvmf_resv_state *st, struct nvmf_resv_view **out)
{
	bool all = st->rtype >= NVME_RESV_WRITE_EXCL_REG;
	uint16_t n = all ? st->n : 0;
	struct nvmf_resv_view *view;

	*out = NULL;
	if (st->rtype == NVME_RESV_NONE)
		return 0;
	view = calloc(1, sizeof(*view) + n * sizeof(view->hosts[0]));
	if (view == NULL)
		return -ENOMEM;
	view->refs = 1;
	view->rtype = st->rtype;
	view->n = n;
	if (st->holder != NVMF_RESV_NOBODY)
		memcpy(view->holder, st->reg[st->holder].hostid, sizeof(view->holder));
	for (uint16_t i = 0; i < n; i++)
		memcpy(view->hosts[i], st->reg[i].hostid, sizeof(view->hosts[i]));
	*out = view;
	return 0;
}

static bool
same(const struct nvmf_resv_view *a, const struct nvmf_resv_view *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return a->rtype == b->rtype && a->n == b->n && memcmp(a->holder, b->holder, sizeof(a->holder)) == 0 &&
	       memcmp(a->hosts, b->hosts, a->n * sizeof(a->hosts[0])) == 0;
}

/* --- what there is -------------------------------------------------------------------------------------------------
 */

struct nvmf_resv *
nvmf_resv_of(const uint8_t *uuid)
{
	struct nvmf_resv *r = nvmf_target->resvs;

	while (r != NULL && memcmp(r->uuid, uuid, sizeof(r->uuid)) != 0)
		r = r->next;
	return r;
}

bool
nvmf_volume_reserved(const struct strake_volume *vol)
{
	const struct nvmf_resv *r = nvmf_resv_of(vol->uuid);

	return r != NULL && r->st.rtype != NVME_RESV_NONE;
}

int
nvmf_resv_open(const uint8_t *uuid, char *err, size_t errlen)
{
	struct nvmf_resv *r;
	int ret = -ENOMEM;

	if (nvmf_resv_of(uuid) != NULL)
		return 0;
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		goto err;
	memcpy(r->uuid, uuid, sizeof(r->uuid));
	r->st.holder = NVMF_RESV_NOBODY;
	ret = nvmf_store_load(&r->st, uuid);
	if (ret == 0)
		ret = view_of(&r->st, &r->view);
	else if (ret == -ENOENT)
		ret = 0;
	if (ret < 0)
		goto err;
	r->next = nvmf_target->resvs;
	nvmf_target->resvs = r;
	return 0;

err:
	free(r);
	snprintf(err, errlen,
		 "the reservation kept for volume %02x%02x%02x%02x-... cannot be read: %s; without its file the volume "
		 "starts unreserved",
		 uuid[0], uuid[1], uuid[2], uuid[3], ret == -EBADMSG ? "it is damaged" : strerror(-ret));
	return ret;
}

void
nvmf_resv_destroy_all(void)
{
	while (nvmf_target->resvs != NULL) {
		struct nvmf_resv *r = nvmf_target->resvs;

		nvmf_target->resvs = r->next;
		nvmf_resv_view_put(r->view);
		free(r);
	}
}

/* --- change --------------------------------------------------------------------------------------------------------
 */

static bool
offers(const struct nvmf_subsystem *sub, const uint8_t *uuid)
{
	for (uint32_t i = 0; i < sub->ns->n; i++)
		if (sub->ns->ns[i].vol != NULL && memcmp(sub->ns->ns[i].vol->uuid, uuid, 16) == 0)
			return true;
	return false;
}

static void
cancel(struct nvmf_publication *p)
{
	while (p != NULL) {
		struct nvmf_publication *next = p->next;

		nvmf_ns_cancel(p);
		p = next;
	}
}

/* Arrays with the new picture for all subsystems that offer the volume. */
static int
prepare(const struct nvmf_resv *r, struct nvmf_publication **list)
{
	*list = NULL;
	for (struct nvmf_subsystem *sub = nvmf_target->subsystems; sub != NULL; sub = sub->next) {
		struct nvmf_ns_array *array;
		struct nvmf_publication *p;

		if (!offers(sub, r->uuid))
			continue;
		array = nvmf_ns_array_new(sub, sub->ns->classes, sub->ns->n);
		if (array == NULL || nvmf_ns_prepare(&p, sub, array) < 0) {
			cancel(*list);
			return -ENOMEM;
		}
		p->next = *list;
		*list = p;
	}
	return 0;
}

int
nvmf_resv_change(struct nvmf_resv *r, const struct nvmf_resv_state *next, struct nvmf_barrier *b)
{
	struct nvmf_resv_view *old = r->view, *view;
	struct nvmf_publication *list = NULL;
	int ret = view_of(next, &view);

	if (ret < 0)
		return ret;
	if (!same(view, old)) {
		r->view = view;
		ret = prepare(r, &list);
	}
	if (ret == 0 && (next->ptpl || r->st.ptpl)) {
		ret = nvmf_store_save(next, r->uuid);
		if (ret < 0)
			cancel(list);
	}
	if (ret < 0) {
		r->view = old;
		nvmf_resv_view_put(view);
		return ret;
	}
	while (list != NULL) {
		struct nvmf_publication *p = list;

		list = p->next;
		nvmf_ns_commit(p, b);
	}
	nvmf_resv_view_put(r->view == view ? old : view);
	r->st = *next;
	return 0;
}
