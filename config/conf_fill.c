/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cyaml/cyaml.h>

#include "conf_fill.h"

/*
 * libcyaml reads the checked tree, written out once more with plain numbers and all defaults, into the structures of
 * conf.h. What it has no words for is joined afterwards from the tree: names become pointers, stages and drives get
 * their values.
 */

#define OPT		CYAML_FLAG_OPTIONAL
#define OPT_PTR		(CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER)
#define STR(type, key)	CYAML_FIELD_STRING_PTR(#key, OPT_PTR, struct type, key, 0, CYAML_UNLIMITED)
#define UINT(type, key) CYAML_FIELD_UINT(#key, OPT, struct type, key)
#define BOOL(type, key) CYAML_FIELD_BOOL(#key, OPT, struct type, key)
#define ENUM(type, key, map)                                                                                           \
	CYAML_FIELD_ENUM(#key, OPT | CYAML_FLAG_STRICT, struct type, key, map, CYAML_ARRAY_LEN(map))
#define LIST(type, key, entry)                                                                                         \
	CYAML_FIELD_SEQUENCE_COUNT(#key, OPT_PTR, struct type, key, n_##key, &entry, 0, CYAML_UNLIMITED)

static const cyaml_strval_t idles[] = {{"adaptive", CONF_IDLE_ADAPTIVE}, {"spin", CONF_IDLE_SPIN}};
static const cyaml_strval_t actions[] = {{"accept", CONF_ACCEPT}, {"deny", CONF_DENY}};
static const cyaml_strval_t anas[] = {{"optimized", CONF_ANA_OPTIMIZED},
				      {"non_optimized", CONF_ANA_NON_OPTIMIZED},
				      {"inaccessible", CONF_ANA_INACCESSIBLE}};
static const cyaml_strval_t raids[] = {{"0", CONF_RAID0}, {"1", CONF_RAID1}, {"10", CONF_RAID10}};

static const cyaml_strval_t styles[] = {{"plain", CONF_STYLE_PLAIN}, {"log", CONF_STYLE_LOG}};

static const cyaml_schema_value_t text_entry = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 0, CYAML_UNLIMITED)};
static const cyaml_schema_value_t uint_entry = {CYAML_VALUE_UINT(CYAML_FLAG_DEFAULT, unsigned int)};

static const cyaml_schema_field_t appliance_fields[] = {
	STR(conf_appliance, name),
	STR(conf_appliance, control),
	STR(conf_appliance, state),
	UINT(conf_appliance, main_cpu),
	LIST(conf_appliance, data_cpus, uint_entry),
	BOOL(conf_appliance, huge),
	UINT(conf_appliance, memory),
	UINT(conf_appliance, buffers),
	UINT(conf_appliance, requests),
	ENUM(conf_appliance, idle, idles),
	UINT(conf_appliance, resume_us),
	STR(conf_appliance, congestion),
	UINT(conf_appliance, slab),
	UINT(conf_appliance, under_way),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t access_fields[] = {
	STR(conf_access, from),	    UINT(conf_access, to_first),
	UINT(conf_access, to_last), ENUM(conf_access, action, actions),
	UINT(conf_access, line),    CYAML_FIELD_END,
};
static const cyaml_schema_value_t access_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct conf_access, access_fields)};

static const cyaml_schema_field_t port_fields[] = {
	STR(conf_port, name),
	STR(conf_port, device),
	LIST(conf_port, members, text_entry),
	UINT(conf_port, mtu),
	UINT(conf_port, queues),
	UINT(conf_port, vlan),
	STR(conf_port, mac),
	STR(conf_port, gateway4),
	STR(conf_port, gateway6),
	STR(conf_port, congestion),
	UINT(conf_port, line),
	LIST(conf_port, addresses, text_entry),
	LIST(conf_port, access, access_entry),
	STR(conf_port, exception),
	UINT(conf_port, exception_rate),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t drive_fields[] = {
	STR(conf_drive, name),	STR(conf_drive, kind), STR(conf_drive, overwrite),
	UINT(conf_drive, line), CYAML_FIELD_END,
};

static const cyaml_schema_field_t group_fields[] = {
	STR(conf_group, name),	       ENUM(conf_group, raid, raids), UINT(conf_group, chunk),
	UINT(conf_group, region),      BOOL(conf_group, create),      ENUM(conf_group, style, styles),
	UINT(conf_group, data),	       UINT(conf_group, parity),      UINT(conf_group, unit),
	UINT(conf_group, segment),     UINT(conf_group, map_cache),   UINT(conf_group, rebuild_rate),
	UINT(conf_group, scrub_every), UINT(conf_group, scrub_rate),  UINT(conf_group, reseal_rate),
	UINT(conf_group, lcore),       UINT(conf_group, line),	      CYAML_FIELD_END,
};

static const cyaml_schema_field_t volume_fields[] = {
	STR(conf_volume, name), UINT(conf_volume, size), UINT(conf_volume, lba), BOOL(conf_volume, read_only),
	STR(conf_volume, uuid), UINT(conf_volume, line), CYAML_FIELD_END,
};

static const cyaml_schema_field_t namespace_fields[] = {
	UINT(conf_namespace, nsid),
	UINT(conf_namespace, line),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t namespace_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct conf_namespace, namespace_fields)};

static const cyaml_schema_field_t subsystem_fields[] = {
	STR(conf_subsystem, nqn),
	STR(conf_subsystem, serial),
	STR(conf_subsystem, model),
	BOOL(conf_subsystem, any_host),
	LIST(conf_subsystem, hosts, text_entry),
	LIST(conf_subsystem, namespaces, namespace_entry),
	UINT(conf_subsystem, max_queues),
	UINT(conf_subsystem, queue_depth),
	UINT(conf_subsystem, line),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t class_fields[] = {
	STR(conf_class, name),
	STR(conf_class, host),
	CYAML_FIELD_UINT("namespace", OPT, struct conf_class, nsid),
	UINT(conf_class, range_first),
	UINT(conf_class, range_last),
	LIST(conf_class, ops, text_entry),
	UINT(conf_class, dscp_first),
	UINT(conf_class, dscp_last),
	UINT(conf_class, pcp_first),
	UINT(conf_class, pcp_last),
	CYAML_FIELD_UINT("class", OPT, struct conf_class, cls),
	UINT(conf_class, line),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t service_fields[] = {
	CYAML_FIELD_UINT("class", OPT, struct conf_service, cls),
	UINT(conf_service, weight),
	UINT(conf_service, iops),
	UINT(conf_service, bandwidth),
	UINT(conf_service, burst_ms),
	UINT(conf_service, line),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t listener_fields[] = {
	STR(conf_listener, transport),	STR(conf_listener, address), UINT(conf_listener, service),
	ENUM(conf_listener, ana, anas), UINT(conf_listener, line),   CYAML_FIELD_END,
};

#define ENTRY(name)                                                                                                    \
	static const cyaml_schema_value_t name##_entry = {                                                             \
		CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct conf_##name, name##_fields)}
ENTRY(port);
ENTRY(drive);
ENTRY(group);
ENTRY(volume);
ENTRY(subsystem);
ENTRY(class);
ENTRY(service);
ENTRY(listener);

static const cyaml_schema_field_t conf_fields[] = {
	CYAML_FIELD_MAPPING("appliance", CYAML_FLAG_DEFAULT, struct conf, appliance, appliance_fields),
	LIST(conf, ports, port_entry),
	LIST(conf, drives, drive_entry),
	LIST(conf, groups, group_entry),
	LIST(conf, volumes, volume_entry),
	LIST(conf, subsystems, subsystem_entry),
	LIST(conf, classes, class_entry),
	LIST(conf, services, service_entry),
	LIST(conf, listeners, listener_entry),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t conf_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct conf, conf_fields)};

/* Keys of stages and drive kinds are not in the schema; the check before has seen to all of them. */
static const cyaml_config_t cyaml_conf = {
	.log_fn = NULL,
	.mem_fn = cyaml_mem,
	.log_level = CYAML_LOG_ERROR,
	.flags = CYAML_CFG_IGNORE_UNKNOWN_KEYS | CYAML_CFG_NO_ALIAS,
};

/* --- the tree as text: JSON, which is YAML -------------------------------------------------------------------------
 */

static void
write_text(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

static void
write_node(FILE *out, const struct conf_node *node)
{
	bool map = node->kind == CONF_NODE_MAP;

	if (node->kind == CONF_NODE_SCALAR) {
		write_text(out, node->text);
		return;
	}
	fputc(map ? '{' : '[', out);
	for (const struct conf_node *c = node->first; c != NULL; c = c->next) {
		if (map) {
			write_text(out, c->key);
			fputs(": ", out);
		}
		write_node(out, c);
		if (c->next != NULL)
			fputs(",\n", out);
	}
	fputc(map ? '}' : ']', out);
}

static struct conf *
read_back(const struct conf_node *root, struct conf_errors *errs)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct conf *conf = NULL;
	cyaml_err_t err;

	if (out == NULL) {
		conf_err_at(errs, 0, 0, "out of memory");
		return NULL;
	}
	write_node(out, root);
	fclose(out);
	err = cyaml_load_data((const uint8_t *)text, len, &cyaml_conf, &conf_schema, (cyaml_data_t **)&conf, NULL);
	free(text);
	if (err == CYAML_OK)
		return conf;
	conf_err_at(errs, 0, 0, "cannot be loaded: %s", cyaml_strerror(err));
	return NULL;
}

/* --- what libcyaml has no words for --------------------------------------------------------------------------------
 */

/* Place of a named item in its section: that of its structure in the array. */
static unsigned int
place(const struct conf_tree *tree, const char *section, const char *name)
{
	return conf_item(tree, section, name)->index;
}

static struct conf_values *
take_values(struct conf_node *node)
{
	struct conf_values *v = node->values;

	node->values = NULL;
	return v;
}

static void
fill_stages(struct conf_volume *volume, const struct conf_node *list)
{
	struct conf_stage *st;

	if (list == NULL || list->n == 0)
		return;
	volume->stages = st = conf_alloc(list->n * sizeof(*volume->stages));
	volume->n_stages = list->n;
	for (struct conf_node *item = list->first; item != NULL; item = item->next, st++) {
		struct conf_node *body = item->kind == CONF_NODE_MAP ? item->first : item;
		const char *lcore = conf_node_text(body, "lcore");

		st->name = conf_strdup(item->key);
		st->values = take_values(body);
		st->cpu = lcore != NULL ? atoi(lcore) : -1;
		st->line = item->line;
	}
}

/* The drives that a group's key names. */
static struct conf_drive **
drives_of(struct conf *conf, const struct conf_tree *tree, const struct conf_node *list, unsigned int *n)
{
	struct conf_drive **drives = conf_alloc(list->n * sizeof(struct conf_drive *));

	*n = list->n;
	for (const struct conf_node *d = list->first; d != NULL; d = d->next)
		drives[d->index] = &conf->drives[place(tree, "drives", d->text)];
	return drives;
}

static void
fill_drives(struct conf *conf, const struct conf_tree *tree)
{
	for (struct conf_node *d = conf_first(tree, "drives"); d != NULL; d = d->next)
		conf->drives[d->index].values = take_values(d);
	for (struct conf_node *g = conf_first(tree, "groups"); g != NULL; g = g->next) {
		const struct conf_node *spares = conf_node_get(g, "spares");
		struct conf_group *group = &conf->groups[g->index];

		group->drives = drives_of(conf, tree, conf_node_get(g, "drives"), &group->n_drives);
		if (spares != NULL)
			group->spares = drives_of(conf, tree, spares, &group->n_spares);
	}
}

/* Twenty characters that stay the same for an NQN: FNV-1a, 64 bits. */
static char *
serial_of(const char *nqn)
{
	uint64_t h = 0xcbf29ce484222325ULL;
	char text[21];

	for (; *nqn != '\0'; nqn++)
		h = (h ^ (unsigned char)*nqn) * 0x100000001b3ULL;
	snprintf(text, sizeof(text), "STRK%016" PRIX64, h);
	return conf_strdup(text);
}

static void
fill_subsystem(struct conf *conf, const struct conf_tree *tree, const struct conf_node *node)
{
	struct conf_subsystem *s = &conf->subsystems[node->index];
	const struct conf_node *list = conf_node_get(node, "namespaces");

	if (s->serial == NULL)
		s->serial = serial_of(s->nqn);
	for (const struct conf_node *n = list != NULL ? list->first : NULL; n != NULL; n = n->next) {
		struct conf_namespace *ns = &s->namespaces[n->index];

		ns->volume = &conf->volumes[place(tree, "volumes", conf_node_text(n, "volume"))];
		if (ns->nsid == 0)
			ns->nsid = n->index + 1;
	}
}

static void
fill_class(struct conf *conf, const struct conf_tree *tree, const struct conf_node *node)
{
	struct conf_class *c = &conf->classes[node->index];
	const char *subsystem = conf_node_text(node, "subsystem");

	if (subsystem != NULL)
		c->subsystem = &conf->subsystems[place(tree, "subsystems", subsystem)];
	if (conf_node_get(node, "range") == NULL)
		c->range_last = UINT64_MAX;
	if (conf_node_get(node, "dscp") == NULL)
		c->dscp_last = 63;
	if (conf_node_get(node, "pcp") == NULL)
		c->pcp_last = 7;
}

static void
fill_access(struct conf_port *port, const struct conf_node *list)
{
	for (const struct conf_node *a = list != NULL ? list->first : NULL; a != NULL; a = a->next) {
		if (conf_node_get(a, "to") != NULL)
			continue;
		port->access[a->index].to_first = 1;
		port->access[a->index].to_last = UINT16_MAX;
	}
}

/* A path made of the appliance's name. */
static char *
named(const char *format, const char *name)
{
	size_t len = strlen(format) + strlen(name);
	char *path = conf_alloc(len);

	snprintf(path, len, format, name);
	return path;
}

static void
fill_appliance(struct conf_appliance *a)
{
	if (a->control == NULL)
		a->control = named("/run/strake/%s.sock", a->name);
	if (a->state == NULL)
		a->state = named("/var/lib/strake/%s", a->name);
	if (a->n_data_cpus == 0) {
		a->data_cpus = conf_alloc(sizeof(*a->data_cpus));
		a->data_cpus[0] = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 1 : 0;
		a->n_data_cpus = 1;
	}
}

struct conf *
conf_fill(struct conf_tree *tree, const char *file, struct conf_errors *errs)
{
	struct conf *conf = read_back(tree->root, errs);

	if (conf == NULL)
		return NULL;
	conf->file = conf_strdup(file);
	fill_appliance(&conf->appliance);
	fill_drives(conf, tree);
	for (struct conf_node *v = conf_first(tree, "volumes"); v != NULL; v = v->next) {
		struct conf_volume *volume = &conf->volumes[v->index];

		volume->group = &conf->groups[place(tree, "groups", conf_node_text(v, "group"))];
		fill_stages(volume, conf_node_get(v, "stages"));
	}
	for (struct conf_node *s = conf_first(tree, "subsystems"); s != NULL; s = s->next)
		fill_subsystem(conf, tree, s);
	for (struct conf_node *p = conf_first(tree, "ports"); p != NULL; p = p->next)
		fill_access(&conf->ports[p->index], conf_node_get(p, "access"));
	for (struct conf_node *c = conf_first(tree, "classes"); c != NULL; c = c->next)
		fill_class(conf, tree, c);
	for (struct conf_node *l = conf_first(tree, "listeners"); l != NULL; l = l->next) {
		const char *port = conf_node_text(l, "port");

		if (conf_item(tree, "ports", port) != NULL)
			conf->listeners[l->index].port = &conf->ports[place(tree, "ports", port)];
	}
	return conf;
}

void
conf_free(struct conf *conf)
{
	if (conf == NULL)
		return;
	for (unsigned int i = 0; i < conf->n_drives; i++)
		conf_values_free(conf->drives[i].values);
	for (unsigned int i = 0; i < conf->n_groups; i++) {
		free(conf->groups[i].drives);
		free(conf->groups[i].spares);
	}
	for (unsigned int i = 0; i < conf->n_volumes; i++) {
		struct conf_volume *v = &conf->volumes[i];

		for (unsigned int s = 0; s < v->n_stages; s++) {
			free((char *)v->stages[s].name);
			conf_values_free(v->stages[s].values);
		}
		free(v->stages);
	}
	free((char *)conf->file);
	cyaml_free(&cyaml_conf, &conf_schema, conf, 0);
}
