/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CTL_H
#define CTL_H

/**
 * @file
 * The control socket: a UNIX stream socket that only its owner may open. A request is one line, `command key=value
 * ...`; the answer is one JSON object on a line, {"ok": true, ...} or {"ok": false, "error": "..."}. Commands run on
 * main.
 */

#include <stdint.h>

#include <jansson.h>

#include "boot.h"

#define CTL_LINE_MAX  8192
#define CTL_WORDS_MAX 16

/** One request: the words before the first key=value are the command. */
struct ctl_request {
	char command[CTL_LINE_MAX];
	const char *keys[CTL_WORDS_MAX], *values[CTL_WORDS_MAX];
	unsigned int n;
};

/** What a command returns that has called ctl_defer() and answers with ctl_finish(). */
#define CTL_LATER 1

const char *ctl_value(const struct ctl_request *r, const char *key);
/** @return 0, or -EINVAL when a number is missing or wrong; the answer then says which. */
int ctl_number(const struct ctl_request *r, const char *key, uint64_t *out, json_t *answer);
/** Say in @p answer why a command is refused. @return @p ret. */
int ctl_refuse(json_t *answer, int ret, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/** The request being carried out is answered later; its client waits. */
uint64_t ctl_defer(void);
void ctl_finish(uint64_t request, int ret, const char *error);

/** What the socket carries out. */
struct ctl_ops {
	/** One request. @return 0; CTL_LATER; -errno, of which "error" in the answer says more or nothing. */
	int (*run)(struct appliance *a, const struct ctl_request *r, json_t *answer);
	/** What was begun and is not answered yet; each turn, but not while a command runs turns. */
	uint32_t (*poll)(struct appliance *a, uint64_t now);
	/** Answer what is left: no client is heard any more, and none is gone yet. */
	void (*down)(struct appliance *a);
};

int ctl_up(struct appliance *a, const struct ctl_ops *ops);
void ctl_down(struct appliance *a);

#endif /* CTL_H */
