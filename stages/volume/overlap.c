/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "overlap.h"

static inline bool
is_wide(const struct overlap_ctx *c)
{
	return c->first >> OVERLAP_REGION_SHIFT != (c->end - 1) >> OVERLAP_REGION_SHIFT;
}

static inline unsigned int
bucket_of(uint64_t region)
{
	return (unsigned int)((region * 0x9e3779b97f4a7c15ULL) >> 56) % OVERLAP_BUCKETS;
}

static inline struct strake_req **
list_of(struct overlap *ov, const struct overlap_ctx *c)
{
	return is_wide(c) ? &ov->wide : &ov->bucket[bucket_of(c->first >> OVERLAP_REGION_SHIFT)];
}

static struct strake_req *
search(struct overlap *ov, struct strake_req *list, const struct overlap_ctx *mine)
{
	uint64_t seq = mine->seq == 0 ? UINT64_MAX : mine->seq;

	for (; list != NULL; list = list->olap_next) {
		const struct overlap_ctx *c = overlap_ctx(ov, list);

		if (c->first < mine->end && mine->first < c->end && c->seq < seq)
			return list;
	}
	return NULL;
}

struct strake_req *
overlap_blocker(struct overlap *ov, struct strake_req *req)
{
	const struct overlap_ctx *mine = overlap_ctx(ov, req);
	struct strake_req *found;
	uint64_t region, last;

	if (ov->entered == 0)
		return NULL;
	found = search(ov, ov->wide, mine);
	if (found != NULL)
		return found;
	region = mine->first >> OVERLAP_REGION_SHIFT;
	last = (mine->end - 1) >> OVERLAP_REGION_SHIFT;
	if (last - region >= OVERLAP_BUCKETS) {
		for (unsigned int b = 0; b < OVERLAP_BUCKETS && found == NULL; b++)
			found = search(ov, ov->bucket[b], mine);
		return found;
	}
	for (; region <= last && found == NULL; region++)
		found = search(ov, ov->bucket[bucket_of(region)], mine);
	return found;
}

void
overlap_enter(struct overlap *ov, struct strake_req *req)
{
	struct overlap_ctx *c = overlap_ctx(ov, req);
	struct strake_req **list = list_of(ov, c);

	c->seq = ++ov->seq;
	req->olap_wait = NULL;
	req->olap_next = *list;
	*list = req;
	ov->entered++;
}

/* olap_wait of a request is the head of those who wait for it. */
void
overlap_wait(struct strake_req *blocker, struct strake_req *req)
{
	struct strake_unit *u;

	req->u.link = NULL;
	if (blocker->olap_wait == NULL) {
		blocker->olap_wait = req;
		return;
	}
	for (u = &blocker->olap_wait->u; u->link != NULL; u = u->link)
		;
	u->link = &req->u;
}

struct strake_unit *
overlap_leave(struct overlap *ov, struct strake_req *req)
{
	struct overlap_ctx *c = overlap_ctx(ov, req);
	struct strake_req **at = list_of(ov, c);
	struct strake_req *waiters = req->olap_wait;

	while (*at != req)
		at = &(*at)->olap_next;
	*at = req->olap_next;
	req->olap_next = NULL;
	req->olap_wait = NULL;
	c->seq = 0;
	ov->entered--;
	return waiters == NULL ? NULL : &waiters->u;
}
