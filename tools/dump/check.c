/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "check.h"

#include <stdlib.h>

#include "fsck.h"

int
check_drives(struct check *c, const struct source *const *drive, unsigned int n, enum check_show show)
{
	struct store *st = calloc(1, sizeof(*st));
	struct group *g = calloc(1, sizeof(*g));
	int ret = group_gather(g, drive, n);

	if (ret == 0) {
		bool loaded = store_load(st, g) == 0;

		group_judge(g);
		if (loaded) {
			store_replay(st);
			store_prove(st);
		}
		if (loaded && show != CHECK_SHOW_NOTHING)
			store_show(st, show == CHECK_SHOW_SEGMENTS);
		*c = (struct check){st->n_refs, st->live_chunks, st->rows, st->super.clean};
		store_free(st);
	}
	group_free(g);
	free(g);
	free(st);
	return ret;
}
