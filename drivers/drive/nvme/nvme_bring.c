/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "nvme_bring.h"

#include <stdbool.h>
#include <stdio.h>

#include "nvme_status.h"

static int
run(struct nvme_bring *b, const struct nvme_bring_step *step, void *arg, char *said, size_t len)
{
	int ret = step->run(arg, said, len);

	if (b->n < NVME_BRING_LINES)
		snprintf(b->lines[b->n++], NVME_BRING_TEXT, "%s: %s%s", step->name, ret < 0 ? "failed: " : "", said);
	return ret;
}

static int
once(struct nvme_bring *b, const struct nvme_bring_step *steps, void *arg, char *err, size_t len)
{
	char said[256];
	unsigned int i;
	int ret = 0;

	for (i = 0; ret == 0 && steps[i].name != NULL; i++) {
		said[0] = '\0';
		ret = run(b, &steps[i], arg, said, sizeof(said));
	}
	if (ret == 0)
		return 0;
	snprintf(err, len, "%s", said);
	for (i--; i > 0; i--) {
		if (steps[i - 1].undo != NULL)
			steps[i - 1].undo(arg);
	}
	return ret;
}

int
nvme_bring_up(struct nvme_bring *b, const struct nvme_bring_step *steps, const struct nvme_bring_step *remedies,
	      void *arg, char *err, size_t len)
{
	int ret = once(b, steps, arg, err, len);

	for (; nvme_status_silent(ret) && remedies->name != NULL; remedies++) {
		char said[256] = "";

		b->remedies++;
		if (run(b, remedies, arg, said, sizeof(said)) == 0)
			ret = once(b, steps, arg, err, len);
	}
	return ret;
}
