/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "domain.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_malloc.h>

#include "index.h"

static struct dedup_domain *domains;

static struct dedup_domain *
lookup(const char *name, const uint8_t *uuid, uint16_t lcore)
{
	for (struct dedup_domain *d = domains; d != NULL; d = d->next)
		if (d->lcore == lcore && strcmp(d->name, name) == 0 && memcmp(d->uuid, uuid, sizeof(d->uuid)) == 0)
			return d;
	return NULL;
}

static int
make(struct dedup_domain **out, const struct dedup_conf *conf, const uint8_t *uuid, uint16_t lcore)
{
	struct dedup_domain *d = rte_zmalloc("dedup_domain", sizeof(*d), RTE_CACHE_LINE_SIZE);

	if (d == NULL)
		return -ENOMEM;
	snprintf(d->name, sizeof(d->name), "%s", conf->name);
	memcpy(d->uuid, uuid, sizeof(d->uuid));
	d->lcore = lcore;
	d->kind = conf->kind;
	d->memory = conf->memory;
	d->next = domains;
	domains = d;
	*out = d;
	return 0;
}

int
dedup_domain_join(struct dedup_domain **out, const struct dedup_conf *conf, const uint8_t *uuid, uint16_t lcore,
		  char *err, size_t errlen)
{
	struct dedup_domain *d = lookup(conf->name, uuid, lcore);
	int ret = d != NULL ? 0 : make(&d, conf, uuid, lcore);

	if (ret < 0) {
		snprintf(err, errlen, "out of memory");
		return ret;
	}
	if (d->kind != conf->kind || d->memory != conf->memory) {
		snprintf(err, errlen, "domain \"%s\": another volume of it has another %s", conf->name,
			 d->kind != conf->kind ? "fingerprint" : "index_memory");
		return -EINVAL;
	}
	d->stages++;
	*out = d;
	return 0;
}

void
dedup_domain_leave(struct dedup_domain *d)
{
	struct dedup_domain **at = &domains;

	if (d == NULL || --d->stages > 0)
		return;
	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	rte_free(d);
}

static void
release(struct dedup_domain *d)
{
	dedup_index_destroy(d->ix);
	dedup_hasher_destroy(d->hasher);
	rte_free(d->pool);
	rte_free(d->scratch);
	d->ix = NULL;
	d->hasher = NULL;
	d->pool = NULL;
	d->free = NULL;
	d->scratch = NULL;
}

int
dedup_domain_open(struct dedup_domain *d)
{
	int socket = strake_self()->socket;
	int ret;

	if (d->users > 0) {
		d->users++;
		return 0;
	}
	ret = dedup_hasher_create(&d->hasher, d->kind, socket);
	if (ret < 0)
		return ret;
	d->pool = rte_zmalloc_socket("dedup_advice", sizeof(*d->pool) * DEDUP_ADVICE, RTE_CACHE_LINE_SIZE, socket);
	d->scratch = rte_malloc_socket("dedup_scratch", sizeof(*d->scratch) * DEDUP_BATCH, RTE_CACHE_LINE_SIZE, socket);
	ret = d->pool == NULL || d->scratch == NULL ? -ENOMEM : 0;
	if (ret == 0)
		ret = dedup_index_create(&d->ix, d->memory, d->kind, d->uuid, d->name, &d->stats);
	if (ret < 0) {
		release(d);
		return ret;
	}
	for (unsigned int i = DEDUP_ADVICE; i-- > 0;)
		dedup_advice_give(d, &d->pool[i].a);
	snprintf(d->engine, sizeof(d->engine), "%s", dedup_hasher_name(d->hasher));
	d->users = 1;
	return 0;
}

void
dedup_domain_close(struct dedup_domain *d)
{
	if (--d->users == 0)
		release(d);
}
