/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "conf_value.h"

/*
 * Everything is written, defaults too: what the appliance does must not change because a later version has other
 * defaults. One style for each kind of value, so that the same structure gives the same bytes.
 */

/* Words that YAML or this loader would not read as the text they are get quotes. */
static void
put_text(FILE *out, const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-";

	if (text[0] != '\0' && text[0] != '-' && text[strspn(text, plain)] == '\0' && strcmp(text, "null") != 0) {
		fputs(text, out);
		return;
	}
	fputc('"', out);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

/* @p lead is the indentation, or what begins an item: "  - ". */
static void
put(FILE *out, const char *lead, const char *key, const char *text)
{
	if (text == NULL)
		return;
	fprintf(out, "%s%s: ", lead, key);
	put_text(out, text);
	fputc('\n', out);
}

static void
put_uint(FILE *out, const char *lead, const char *key, unsigned int num)
{
	fprintf(out, "%s%s: %u\n", lead, key, num);
}

static void
put_bool(FILE *out, const char *lead, const char *key, bool b)
{
	fprintf(out, "%s%s: %s\n", lead, key, b ? "true" : "false");
}

static void
put_size(FILE *out, const char *lead, const char *key, uint64_t bytes)
{
	static const struct conf_key size = {.type = CONF_SIZE};
	char text[CONF_TEXT];

	conf_value_print(&size, bytes, text);
	fprintf(out, "%s%s: %s\n", lead, key, text);
}

static void
put_duration(FILE *out, const char *lead, const char *key, uint64_t ns)
{
	static const struct conf_key duration = {.type = CONF_DURATION};
	char text[CONF_TEXT];

	conf_value_print(&duration, ns, text);
	fprintf(out, "%s%s: %s\n", lead, key, text);
}

static void
put_texts(FILE *out, const char *lead, const char *key, const char *const *texts, unsigned int n)
{
	fprintf(out, "%s%s: [", lead, key);
	for (unsigned int i = 0; i < n; i++) {
		if (i != 0)
			fputs(", ", out);
		put_text(out, texts[i]);
	}
	fputs("]\n", out);
}

struct lead {
	FILE *out;
	const char *lead;
};

static void
put_value(const struct conf_key *key, const char *text, void *arg)
{
	const struct lead *to = arg;

	put(to->out, to->lead, key->name, text);
}

static void
save_appliance(FILE *out, const struct conf_appliance *a)
{
	fputs("appliance:\n", out);
	put(out, "  ", "name", a->name);
	put(out, "  ", "control", a->control);
	put(out, "  ", "state", a->state);
	put_uint(out, "  ", "main_cpu", a->main_cpu);
	fputs("  data_cpus: [", out);
	for (unsigned int i = 0; i < a->n_data_cpus; i++)
		fprintf(out, "%s%u", i != 0 ? ", " : "", a->data_cpus[i]);
	fputs("]\n", out);
	put_bool(out, "  ", "huge", a->huge);
	put_size(out, "  ", "memory", a->memory);
	put_size(out, "  ", "buffers", a->buffers);
	put_uint(out, "  ", "requests", a->requests);
	put(out, "  ", "idle", a->idle == CONF_IDLE_SPIN ? "spin" : "adaptive");
	put_uint(out, "  ", "resume_us", a->resume_us);
	put(out, "  ", "congestion", a->congestion);
	put_size(out, "  ", "slab", a->slab);
	put_size(out, "  ", "under_way", a->under_way);
}

static void
put_range(FILE *out, const char *lead, const char *key, unsigned int first, unsigned int last)
{
	fprintf(out, "%s%s: [%u, %u]\n", lead, key, first, last);
}

static void
save_access(FILE *out, const struct conf_access *a)
{
	put(out, "      - ", "from", a->from);
	put_range(out, "        ", "to", a->to_first, a->to_last);
	put(out, "        ", "action", a->action == CONF_DENY ? "deny" : "accept");
}

static void
save_port(FILE *out, const struct conf_port *p)
{
	put(out, "  - ", "name", p->name);
	put(out, "    ", "device", p->device);
	if (p->n_members != 0)
		put_texts(out, "    ", "members", p->members, p->n_members);
	put_uint(out, "    ", "mtu", p->mtu);
	put_uint(out, "    ", "queues", p->queues);
	put_uint(out, "    ", "vlan", p->vlan);
	put(out, "    ", "mac", p->mac);
	put_texts(out, "    ", "addresses", p->addresses, p->n_addresses);
	put(out, "    ", "gateway4", p->gateway4);
	put(out, "    ", "gateway6", p->gateway6);
	put(out, "    ", "congestion", p->congestion);
	if (p->n_access != 0)
		fputs("    access:\n", out);
	for (unsigned int i = 0; i < p->n_access; i++)
		save_access(out, &p->access[i]);
	put(out, "    ", "exception", p->exception);
	put_uint(out, "    ", "exception_rate", p->exception_rate);
}

static void
save_drive(FILE *out, const struct conf_drive *d)
{
	struct lead to = {out, "    "};

	put(out, "  - ", "name", d->name);
	put(out, "    ", "kind", d->kind);
	put(out, "    ", "overwrite", d->overwrite);
	conf_values_walk(d->values, put_value, &to);
}

static void
put_drives(FILE *out, const char *key, struct conf_drive *const *drives, unsigned int n)
{
	fprintf(out, "    %s: [", key);
	for (unsigned int i = 0; i < n; i++) {
		if (i != 0)
			fputs(", ", out);
		put_text(out, drives[i]->name);
	}
	fputs("]\n", out);
}

static void
save_group(FILE *out, const struct conf_group *g)
{
	static const char *const raids[] = {[CONF_RAID0] = "0", [CONF_RAID1] = "1", [CONF_RAID10] = "10"};

	put(out, "  - ", "name", g->name);
	if (g->style == CONF_STYLE_LOG) {
		put(out, "    ", "style", "log");
		put_uint(out, "    ", "data", g->data);
		put_uint(out, "    ", "parity", g->parity);
		put_size(out, "    ", "unit", g->unit);
		if (g->segment != 0)
			put_size(out, "    ", "segment", g->segment);
		if (g->map_cache != 0)
			put_size(out, "    ", "map_cache", g->map_cache);
	} else {
		put(out, "    ", "raid", raids[g->raid]);
		put_size(out, "    ", "chunk", g->chunk);
	}
	put_drives(out, "drives", g->drives, g->n_drives);
	if (g->n_spares != 0)
		put_drives(out, "spares", g->spares, g->n_spares);
	if (g->rebuild_rate != 0)
		put_size(out, "    ", "rebuild_rate", g->rebuild_rate);
	if (g->scrub_every != 0)
		put_duration(out, "    ", "scrub_every", g->scrub_every);
	if (g->scrub_rate != 0)
		put_size(out, "    ", "scrub_rate", g->scrub_rate);
	if (g->reseal_rate != 0)
		put_size(out, "    ", "reseal_rate", g->reseal_rate);
	if (g->lcore != 0)
		put_uint(out, "    ", "lcore", g->lcore);
	if (g->style == CONF_STYLE_PLAIN)
		put_size(out, "    ", "region", g->region);
	put_bool(out, "    ", "create", g->create);
}

static void
has_one(const struct conf_key *key, const char *text, void *arg)
{
	*(bool *)arg = true;
}

static void
save_stage(FILE *out, const struct conf_stage *st)
{
	struct lead to = {out, "          "};
	bool any = st->cpu > 0;

	conf_values_walk(st->values, has_one, &any);
	fputs("      - ", out);
	put_text(out, st->name);
	fputs(any ? ":\n" : "\n", out);
	if (st->cpu > 0)
		put_uint(out, to.lead, "lcore", (unsigned int)st->cpu);
	conf_values_walk(st->values, put_value, &to);
}

static void
save_volume(FILE *out, const struct conf_volume *v)
{
	put(out, "  - ", "name", v->name);
	put(out, "    ", "group", v->group->name);
	put_size(out, "    ", "size", v->size);
	put_uint(out, "    ", "lba", v->lba);
	put_bool(out, "    ", "read_only", v->read_only);
	put(out, "    ", "uuid", v->uuid);
	if (v->n_stages != 0)
		fputs("    stages:\n", out);
	for (unsigned int i = 0; i < v->n_stages; i++)
		save_stage(out, &v->stages[i]);
}

static void
save_subsystem(FILE *out, const struct conf_subsystem *s)
{
	put(out, "  - ", "nqn", s->nqn);
	put(out, "    ", "serial", s->serial);
	put(out, "    ", "model", s->model);
	if (s->any_host)
		fputs("    hosts: any\n", out);
	else
		put_texts(out, "    ", "hosts", s->hosts, s->n_hosts);
	put_uint(out, "    ", "max_queues", s->max_queues);
	put_uint(out, "    ", "queue_depth", s->queue_depth);
	if (s->n_namespaces != 0)
		fputs("    namespaces:\n", out);
	for (unsigned int i = 0; i < s->n_namespaces; i++) {
		put_uint(out, "      - ", "nsid", s->namespaces[i].nsid);
		put(out, "        ", "volume", s->namespaces[i].volume->name);
	}
}

static void
save_class(FILE *out, const struct conf_class *c)
{
	static const struct conf_key size = {.type = CONF_SIZE};
	char first[CONF_TEXT], end[CONF_TEXT];

	/* Only these two are always there; the class leads, because an item must begin with something. */
	put_uint(out, "  - ", "class", c->cls);
	put(out, "    ", "name", c->name);
	put(out, "    ", "host", c->host);
	if (c->subsystem != NULL)
		put(out, "    ", "subsystem", c->subsystem->nqn);
	if (c->nsid != 0)
		put_uint(out, "    ", "namespace", c->nsid);
	if (c->range_last != UINT64_MAX) {
		conf_value_print(&size, c->range_first, first);
		conf_value_print(&size, c->range_last + 1, end);
		fprintf(out, "    range: [%s, %s]\n", first, end);
	}
	if (c->n_ops != 0)
		put_texts(out, "    ", "ops", c->ops, c->n_ops);
	put_range(out, "    ", "dscp", c->dscp_first, c->dscp_last);
	put_range(out, "    ", "pcp", c->pcp_first, c->pcp_last);
}

static void
save_service(FILE *out, const struct conf_service *s)
{
	put_uint(out, "  - ", "class", s->cls);
	put_uint(out, "    ", "weight", s->weight);
	if (s->iops != 0)
		put_uint(out, "    ", "iops", (unsigned int)s->iops);
	if (s->bandwidth != 0)
		put_size(out, "    ", "bandwidth", s->bandwidth);
	put_uint(out, "    ", "burst_ms", s->burst_ms);
}

static void
save_listener(FILE *out, const struct conf_listener *l)
{
	static const char *const anas[] = {[CONF_ANA_OPTIMIZED] = "optimized",
					   [CONF_ANA_NON_OPTIMIZED] = "non_optimized",
					   [CONF_ANA_INACCESSIBLE] = "inaccessible"};

	put(out, "  - ", "transport", l->transport);
	put(out, "    ", "port", l->port != NULL ? l->port->name : "kernel");
	put(out, "    ", "address", l->address);
	put_uint(out, "    ", "service", l->service);
	put(out, "    ", "ana", anas[l->ana]);
}

#define SAVE_ALL(conf, out, section, save_one)                                                                         \
	do {                                                                                                           \
		if ((conf)->n_##section != 0)                                                                          \
			fputs("\n" #section ":\n", out);                                                               \
		for (unsigned int i_ = 0; i_ < (conf)->n_##section; i_++)                                              \
			save_one(out, &(conf)->section[i_]);                                                           \
	} while (0)

int
conf_save(const struct conf *conf, FILE *out)
{
	save_appliance(out, &conf->appliance);
	SAVE_ALL(conf, out, ports, save_port);
	SAVE_ALL(conf, out, drives, save_drive);
	SAVE_ALL(conf, out, groups, save_group);
	SAVE_ALL(conf, out, volumes, save_volume);
	SAVE_ALL(conf, out, subsystems, save_subsystem);
	SAVE_ALL(conf, out, classes, save_class);
	SAVE_ALL(conf, out, services, save_service);
	SAVE_ALL(conf, out, listeners, save_listener);
	return fflush(out) != 0 || ferror(out) ? (errno != 0 ? -errno : -EIO) : 0;
}
