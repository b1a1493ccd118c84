/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "change.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "confirm.h"
#include "link.h"

/* The control socket: as told, or where the appliance says it is, or where it is by default. One that is there and does
 * not say is not looked for elsewhere. @return 0, or -errno with a line in @p err. */
static int
control_path(const struct opts *o, char *path, size_t len, char err[LINK_ERR_MAX])
{
	char tel_path[PATH_MAX];
	const char *said = NULL;
	json_t *v = NULL;
	struct tel *t;
	int ret = -ENOENT;

	look_path(o, tel_path, sizeof(tel_path));
	if (o->control == NULL && (ret = tel_open(&t, tel_path, err)) == 0) {
		ret = tel_ask(t, "/strake/status", &v, err);
		if (ret == 0)
			said = json_string_value(json_object_get(v, "control"));
		tel_close(t);
	}
	if (ret == -ETIMEDOUT)
		return ret;
	if (o->control != NULL || said != NULL)
		snprintf(path, len, "%s", o->control != NULL ? o->control : said);
	else
		snprintf(path, len, "/run/strake/%s.sock", o->name);
	json_decref(v);
	return 0;
}

/* A word for the control socket: what it splits at must not be in it. */
bool
change_word(const char *s)
{
	return *s != '\0' && strpbrk(s, " \t\r\n=") == NULL;
}

static int
send_line(const struct opts *o, const char *line, json_t **answer)
{
	char path[PATH_MAX], err[LINK_ERR_MAX];
	json_t *v;
	int ret;

	ret = control_path(o, path, sizeof(path), err);
	if (ret == 0)
		ret = control_ask(path, line, &v, err);
	if (ret < 0)
		return cli_fail(CLI_UNREACHABLE, "%s", err);
	if (!json_is_true(json_object_get(v, "ok"))) {
		const char *why = json_string_value(json_object_get(v, "error"));

		ret = cli_fail(CLI_FAILED, "%s", why != NULL ? why : "the appliance refused without a reason");
		json_decref(v);
		return ret;
	}
	*answer = v;
	return CLI_OK;
}

int
change_quietly(const struct opts *o, const char *line)
{
	json_t *v;
	int ret = send_line(o, line, &v);

	if (ret == CLI_OK)
		json_decref(v);
	return ret;
}

int
change(const struct opts *o, const char *line)
{
	json_t *v;
	int ret = send_line(o, line, &v);

	if (ret != CLI_OK)
		return ret;
	if (!o->json)
		json_object_del(v, "ok");
	if (!o->json && json_object_size(v) == 0) {
		json_decref(v);
		return CLI_OK;
	}
	return look_show(o, v);
}

/* The same, of a change that takes something away. */
int
change_sure(const struct opts *o, const char *line, const char *loss, ...)
{
	char text[768];
	va_list ap;
	int ret;

	va_start(ap, loss);
	vsnprintf(text, sizeof(text), loss, ap);
	va_end(ap);
	ret = confirm(o->yes, text, isatty(STDIN_FILENO) != 0, stdin, stderr);
	return ret != CLI_OK ? ret : change(o, line);
}
