/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "chain.h"

#include <stdio.h>
#include <string.h>

#include <rte_malloc.h>

#include "stage.h"

static size_t
ctx_size(const struct strake_stage *st)
{
	return RTE_ALIGN_CEIL(st->ops->req_ctx_size, 8);
}

/* Is [off, off + size) free of the contexts of all placed stages? */
static bool
ctx_free(struct strake_stage **stages, unsigned int n, size_t off, size_t size)
{
	for (unsigned int i = 0; i < n; i++) {
		const struct strake_stage *st = stages[i];

		if (st->ctx_off != STAGE_CTX_UNPLACED && off < st->ctx_off + ctx_size(st) && st->ctx_off < off + size)
			return false;
	}
	return true;
}

/* A stage that stands in several chains keeps the place it got in the first; the others go round it. */
static int
ctx_place(struct strake_stage **stages, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		size_t size = ctx_size(stages[i]), off = 0;

		if (stages[i]->ctx_off != STAGE_CTX_UNPLACED)
			continue;
		while (off + size <= STRAKE_UNIT_CTX && !ctx_free(stages, n, off, size))
			off += 8;
		if (off + size > STRAKE_UNIT_CTX)
			return -E2BIG;
		stages[i]->ctx_off = (uint16_t)off;
	}
	return 0;
}

/* `after`: the named stage, if it is used, must stand above. */
static int
order_check(const char *name, struct strake_stage **stages, unsigned int n, char *err, size_t errlen)
{
	for (unsigned int i = 0; i < n; i++) {
		for (unsigned int j = i + 1; j < n; j++) {
			const char *after = stages[i]->ops->after;

			if (after == NULL || strcmp(after, stages[j]->ops->name) != 0)
				continue;
			snprintf(err, errlen, "%s: stage %s must come after %s", name, stages[i]->ops->name, after);
			return -EINVAL;
		}
	}
	return 0;
}

int
strake_chain_create(struct strake_chain **out, const char *name, enum strake_unit_kind kind,
		    struct strake_stage **stages, unsigned int n, char *err, size_t errlen)
{
	struct strake_chain *chain;
	int ret;

	if (n == 0 || n > STRAKE_CHAIN_STAGES_MAX) {
		snprintf(err, errlen, "%s: %u stages, must be 1 to %d", name, n, STRAKE_CHAIN_STAGES_MAX);
		return -EINVAL;
	}
	for (unsigned int i = 0; i < n; i++) {
		if (stages[i]->ops->unit != kind) {
			snprintf(err, errlen, "%s: stage %s does not take this kind of unit", name, stages[i]->name);
			return -EINVAL;
		}
	}
	ret = order_check(name, stages, n, err, errlen);
	if (ret < 0)
		return ret;
	ret = ctx_place(stages, n);
	if (ret < 0) {
		snprintf(err, errlen, "%s: its stages need more than %d bytes in a unit", name, STRAKE_UNIT_CTX);
		return ret;
	}
	chain = rte_zmalloc("strake_chain", sizeof(*chain), RTE_CACHE_LINE_SIZE);
	if (chain == NULL) {
		snprintf(err, errlen, "%s: out of memory", name);
		return -ENOMEM;
	}
	snprintf(chain->name, sizeof(chain->name), "%s", name);
	chain->kind = kind;
	chain->n = (uint8_t)n;
	for (unsigned int i = 0; i < n; i++) {
		chain->st[i] = stages[i];
		if (stages[i]->ops->up != NULL)
			chain->ups |= (uint16_t)(1u << i);
	}
	*out = chain;
	return 0;
}

void
strake_chain_destroy(struct strake_chain *chain)
{
	rte_free(chain);
}

static void
hop_back(struct strake_msg *msg)
{
	struct strake_hop *hop = (struct strake_hop *)msg;

	hop->back(hop);
}

static void
hop_there(struct strake_msg *msg)
{
	struct strake_hop *hop = (struct strake_hop *)msg;
	uint16_t from = msg->from;

	hop->fn(hop);
	hop->msg.fn = hop_back;
	strake_msg_send(from, &hop->msg);
}

void
strake_hop(struct strake_hop *hop, uint16_t owner, void (*fn)(struct strake_hop *), void (*back)(struct strake_hop *))
{
	hop->fn = fn;
	hop->back = back;
	hop->msg.fn = hop_there;
	strake_msg_send(owner, &hop->msg);
}
