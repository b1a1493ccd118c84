/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CONF_SECTION_H
#define CONF_SECTION_H

/**
 * @file
 * What the sections of a configuration hold: one table, from which files are checked and the reference is printed.
 */

#include "conf_value.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NQN_MAX_BYTES  223 /* NVMe base 2.0, 4.5 */
#define NAME_MAX_BYTES 63  /* pipeline and superblocks keep names in 64 bytes */

enum conf_shape {
	CONF_ONE,    /* key: value */
	CONF_MANY,   /* key: [value, ...] */
	CONF_MAPS,   /* key: a list of mappings, each checked against `of` */
	CONF_STAGES, /* a volume's stages */
	CONF_HOSTS,  /* `any`, or a list of NQNs */
	CONF_RANGE,  /* key: [first, last], of sizes [first, end]; a number may stand for both */
};

struct conf_section;

struct conf_field {
	struct conf_key key; /* of the value, or of each in a list */
	enum conf_shape shape;
	unsigned int most;	/* CONF_MANY: values at most */
	const char *refers;	/* names an item of this section */
	const char *refers_too; /* or is this word */
	/* What the text must look like beyond its length. @return false, and why. */
	bool (*form)(const char *text, char *err, size_t errlen);
	const struct conf_section *of;
};

struct conf_section {
	const char *name;
	const char *help;
	bool list;			 /* of mappings; else one mapping */
	const struct conf_field *fields; /* ended by one without key.name */
};

/** Sections in the order they are written, ended by one without name. */
extern const struct conf_section conf_sections[];

const struct conf_section *conf_section_find(const char *name);
/** Key by which others refer to a section's items: its first, the name or the NQN. */
const char *conf_section_id(const char *section);

/* --- forms (conf_form.c) ----------------------------------------------------------------------------------------- */

bool conf_form_name(const char *text, char *err, size_t errlen);
bool conf_form_nqn(const char *text, char *err, size_t errlen);
bool conf_form_uuid(const char *text, char *err, size_t errlen);
bool conf_form_mac(const char *text, char *err, size_t errlen);
bool conf_form_ascii(const char *text, char *err, size_t errlen);
bool conf_form_address(const char *text, char *err, size_t errlen); /* 10.0.0.2, fd00::2 */
bool conf_form_host(const char *text, char *err, size_t errlen);    /* the same, but one host's: a gateway */
bool conf_form_prefix(const char *text, char *err, size_t errlen);  /* 10.0.0.2/24 */
bool conf_form_network(const char *text, char *err, size_t errlen); /* 10.0.0.0/24, 10.0.0.2 */
bool conf_form_any_nqn(const char *text, char *err, size_t errlen); /* an NQN, or `any` */

/** An IP address in network order. */
struct conf_ip {
	int family; /* AF_INET, AF_INET6; 0: not one */
	unsigned int prefix;
	unsigned char b[16];
};
/** Parse ADDRESS or ADDRESS/PREFIX. False if it is neither. */
bool conf_ip_parse(const char *text, struct conf_ip *ip);
bool conf_ip_same(const struct conf_ip *a, const struct conf_ip *b);
/** Is @p ip in the network of @p net (its prefix)? */
bool conf_ip_inside(const struct conf_ip *ip, const struct conf_ip *net);
/** 0.0.0.0 or ::. */
bool conf_ip_any(const struct conf_ip *ip);

#ifdef __cplusplus
}
#endif

#endif /* CONF_SECTION_H */
