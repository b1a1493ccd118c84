/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* discover, identify: what is there. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cmd.h"
#include "table.h"
#include "units.h"

/* A field padded with spaces or zeroes. */
static const char *
trimmed(char *out, size_t outlen, const char *field, size_t len)
{
	if (len >= outlen)
		len = outlen - 1;
	while (len > 0 && (field[len - 1] == ' ' || field[len - 1] == '\0'))
		len--;
	memcpy(out, field, len);
	out[len] = '\0';
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)out[i] < ' ' || (unsigned char)out[i] > '~')
			out[i] = '?'; /* nothing of the target's choice reaches the terminal raw */
	return out;
}

static const char *
subtype_text(uint8_t t)
{
	return t == NVME_DISC_NVM	 ? "nvm"
	       : t == NVME_DISC_CURRENT	 ? "discovery"
	       : t == NVME_DISC_REFERRAL ? "referral"
					 : "?";
}

static const char *
trtype_text(uint8_t t)
{
	return t == NVME_TRTYPE_TCP ? "tcp" : t == NVME_TRTYPE_RDMA ? "rdma" : t == NVME_TRTYPE_FC ? "fc" : "other";
}

static int
print_json(json_t *root)
{
	json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(root);
	return CLI_OK;
}

static void
discover_json(const struct nvme_discovery_entry *e, uint64_t n)
{
	char nqn[NVME_NQN_LEN], addr[256], svc[40];
	json_t *list = json_array();

	for (uint64_t i = 0; i < n; i++)
		json_array_append_new(
			list,
			json_pack("{ss ss ss ss ss si}", "subtype", subtype_text(e[i].subtype), "transport",
				  trtype_text(e[i].trtype), "address",
				  trimmed(addr, sizeof(addr), e[i].traddr, sizeof(e[i].traddr)), "service",
				  trimmed(svc, sizeof(svc), e[i].trsvcid, sizeof(e[i].trsvcid)), "nqn",
				  trimmed(nqn, sizeof(nqn), e[i].subnqn, sizeof(e[i].subnqn)), "port_id", e[i].portid));
	print_json(list);
}

static void
discover_table(const struct nvme_discovery_entry *e, uint64_t n)
{
	char text[256];
	struct table t;

	table_init(&t, 5, true);
	table_add(&t, "type");
	table_add(&t, "transport");
	table_add(&t, "address");
	table_add(&t, "port");
	table_add(&t, "subsystem");
	for (uint64_t i = 0; i < n; i++) {
		table_add(&t, subtype_text(e[i].subtype));
		table_add(&t, trtype_text(e[i].trtype));
		table_add(&t, trimmed(text, sizeof(text), e[i].traddr, sizeof(e[i].traddr)));
		table_add(&t, trimmed(text, sizeof(text), e[i].trsvcid, sizeof(e[i].trsvcid)));
		table_add(&t, trimmed(text, sizeof(text), e[i].subnqn, sizeof(e[i].subnqn)));
	}
	table_print(&t, stdout, 0);
	table_free(&t);
}

int
cmd_discover(void *values, int argc, char **argv)
{
	struct opts *o = values;
	struct nvme_discovery_entry *e;
	struct ini *ini;
	uint64_t n;
	int ret;

	if (argc > 0)
		o->addr = argv[0];
	ret = split_addr(o);
	if (ret != CLI_OK)
		return ret;
	ret = admin_open(&ini, o, NVME_DISCOVERY_NQN);
	if (ret != CLI_OK)
		return ret;
	ret = ini_discover(ini, &e, &n);
	if (ret < 0) {
		ret = cli_fail(exit_of(ret), "%s", ini_error(ini));
	} else {
		if (o->json)
			discover_json(e, n);
		else
			discover_table(e, n);
		free(e);
	}
	ini_close(ini);
	return ret;
}

static const char *
hex(char *out, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sprintf(out + 2 * i, "%02x", p[i]);
	return out;
}

static json_t *
ns_json(const struct ini_ns *ns)
{
	char nguid[33], eui[17];
	json_t *j = json_object();

	json_object_set_new(j, "nsid", json_integer(ns->nsid));
	json_object_set_new(j, "bytes", json_integer((json_int_t)(ns->nlb << ns->lba_shift)));
	json_object_set_new(j, "block_size", json_integer(1 << ns->lba_shift));
	json_object_set_new(j, "blocks", json_integer((json_int_t)ns->nlb));
	json_object_set_new(j, "blocks_used", json_integer((json_int_t)ns->id.nuse));
	json_object_set_new(j, "nguid", json_string(hex(nguid, ns->id.nguid, 16)));
	json_object_set_new(j, "eui64", json_string(hex(eui, ns->id.eui64, 8)));
	json_object_set_new(j, "ana_group", json_integer(ns->id.anagrpid));
	json_object_set_new(j, "write_protected", json_boolean(ns->id.nsattr & 1));
	return j;
}

static json_t *
ctrlr_json(const struct ini *ini)
{
	const struct nvme_id_ctrlr *c = ini_ctrlr(ini);
	uint32_t v = ini_version(ini);
	char text[NVME_NQN_LEN];
	json_t *j = json_object();

	json_object_set_new(j, "subsystem", json_string(trimmed(text, sizeof(text), c->subnqn, sizeof(c->subnqn))));
	json_object_set_new(j, "model", json_string(trimmed(text, sizeof(text), c->mn, sizeof(c->mn))));
	json_object_set_new(j, "serial", json_string(trimmed(text, sizeof(text), c->sn, sizeof(c->sn))));
	json_object_set_new(j, "firmware", json_string(trimmed(text, sizeof(text), c->fr, sizeof(c->fr))));
	json_object_set_new(j, "version", json_sprintf("%u.%u.%u", v >> 16, v >> 8 & 0xff, v & 0xff));
	json_object_set_new(j, "controller_id", json_integer(c->cntlid));
	json_object_set_new(j, "max_transfer_bytes", json_integer(ini_max_xfer(ini)));
	json_object_set_new(j, "in_capsule_bytes", json_integer(c->ioccsz > 4 ? (json_int_t)c->ioccsz * 16 - 64 : 0));
	json_object_set_new(j, "namespaces_max", json_integer(c->nn));
	json_object_set_new(j, "volatile_write_cache", json_boolean(c->vwc & NVME_VWC_PRESENT));
	json_object_set_new(j, "write_zeroes", json_boolean(c->oncs & NVME_ONCS_WRITE_ZEROES));
	json_object_set_new(j, "deallocate", json_boolean(c->oncs & NVME_ONCS_DSM));
	json_object_set_new(j, "compare", json_boolean(c->oncs & NVME_ONCS_COMPARE));
	json_object_set_new(j, "verify", json_boolean(c->oncs & NVME_ONCS_VERIFY));
	return j;
}

static void
identify_table(json_t *root)
{
	json_t *spaces = json_object_get(root, "namespaces"), *ns, *v;
	const char *key;
	char text[UNITS_MAX];
	struct table t;
	size_t i;

	table_init(&t, 2, false);
	json_object_foreach(json_object_get(root, "controller"), key, v)
	{
		table_add(&t, key);
		if (json_is_string(v))
			table_add(&t, json_string_value(v));
		else if (json_is_boolean(v))
			table_add(&t, json_is_true(v) ? "yes" : "no");
		else if (strstr(key, "bytes") != NULL)
			table_add(&t, units_bytes(text, (double)json_integer_value(v)));
		else
			table_addf(&t, "%lld", (long long)json_integer_value(v));
	}
	table_print(&t, stdout, 0);
	table_free(&t);
	putchar('\n');
	table_init(&t, 5, true);
	table_add(&t, "namespace");
	table_add(&t, "size");
	table_add(&t, "block");
	table_add(&t, "used");
	table_add(&t, "nguid");
	json_array_foreach(spaces, i, ns)
	{
		double bs = (double)json_integer_value(json_object_get(ns, "block_size"));

		table_addf(&t, "%lld", (long long)json_integer_value(json_object_get(ns, "nsid")));
		table_add(&t, units_bytes(text, (double)json_integer_value(json_object_get(ns, "bytes"))));
		table_add(&t, units_bytes(text, bs));
		table_add(&t, units_bytes(text, bs * (double)json_integer_value(json_object_get(ns, "blocks_used"))));
		table_add(&t, json_string_value(json_object_get(ns, "nguid")));
	}
	table_print(&t, stdout, 0);
	table_free(&t);
}

/* The active namespaces, or only the one asked for. */
static int
add_namespaces(struct ini *ini, const struct opts *o, json_t *list)
{
	struct nvme_ns_list ids = {{o->ns}};
	struct ini_ns ns;
	int ret = 0;

	if (o->ns == 0)
		ret = ini_identify(ini, NVME_CNS_ACTIVE_NS, 0, &ids);
	for (int i = 0; i < NVME_ID_LIST_MAX && ids.nsid[i] != 0 && ret == 0; i++) {
		ret = ini_find_ns(ini, ids.nsid[i], &ns);
		if (ret == 0)
			json_array_append_new(list, ns_json(&ns));
	}
	return ret;
}

int
cmd_identify(void *values, int argc, char **argv)
{
	struct opts *o = values;
	static char nqn[NVME_NQN_LEN];
	struct session s;
	json_t *root;
	int ret;

	ret = split_addr(o);
	if (ret == CLI_OK && o->nqn == NULL) {
		ret = find_subsystem(o, nqn);
		o->nqn = nqn;
	}
	if (ret == CLI_OK)
		ret = admin_open(&s.ini, o, NULL);
	if (ret != CLI_OK)
		return ret;
	root = json_pack("{so so}", "controller", ctrlr_json(s.ini), "namespaces", json_array());
	ret = add_namespaces(s.ini, o, json_object_get(root, "namespaces"));
	if (ret < 0) {
		ret = session_fail(&s, ret);
	} else if (o->json) {
		json_incref(root);
		ret = print_json(root);
	} else {
		identify_table(root);
	}
	json_decref(root);
	session_close(&s);
	return ret;
}
