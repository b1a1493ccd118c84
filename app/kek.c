/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "kek.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conf_key.h"

const char *
kek_word(const struct kek_place *p)
{
	return p->keyring ? "keyring" : "key_file";
}

bool
kek_same(const struct kek_place *a, const struct kek_place *b)
{
	return a->keyring == b->keyring && strcmp(a->name, b->name) == 0;
}

void
kek_place(const struct conf_stage *seal, struct kek_place *out)
{
	const char *file = conf_str(seal->values, "key_file");

	out->keyring = file == NULL;
	snprintf(out->name, sizeof(out->name), "%s", file != NULL ? file : conf_str(seal->values, "keyring"));
}

struct conf_values *
kek_values(const struct conf_values *v, const struct kek_place *p, char *err, size_t errlen)
{
	struct conf_values *bare = conf_values_with(v, p->keyring ? "key_file" : "keyring", NULL, err, errlen), *new;

	if (bare == NULL)
		return NULL;
	new = conf_values_with(bare, kek_word(p), p->name, err, errlen);
	conf_values_free(bare);
	return new;
}

int
kek_move(const struct conf *conf, const struct conf_group *g, const struct kek_place *p, char *err, size_t errlen)
{
	for (unsigned int i = 0; i < conf->n_volumes; i++) {
		const struct conf_volume *v = &conf->volumes[i];
		struct conf_stage *seal = (struct conf_stage *)(uintptr_t)conf_volume_stage(v, "seal");
		struct conf_values *values;

		if (v->group != g || seal == NULL)
			continue;
		/* What is wrong with the place is wrong with it for the first of them. */
		values = kek_values(seal->values, p, err, errlen);
		if (values == NULL)
			return -EINVAL;
		conf_values_free(seal->values);
		seal->values = values;
	}
	return 0;
}
