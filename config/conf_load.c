/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "conf_fill.h"

/* The folder a file lies in, absolute where it can be found; the caller's to free. */
static char *
folder_of(const char *file)
{
	const char *slash = strrchr(file, '/');
	char *folder = slash == NULL ? conf_strdup(".") : conf_strdup(file), *real;

	if (slash != NULL)
		folder[slash == file ? 1 : slash - file] = '\0';
	real = realpath(folder, NULL);
	if (real == NULL)
		return folder;
	free(folder);
	return real;
}

struct conf *
conf_parse(const char *text, size_t len, const char *file, const struct conf_kinds *kinds, struct conf_errors *errs)
{
	struct conf_tree tree;
	char *folder = folder_of(file);
	struct conf_check ck = {.tree = &tree, .kinds = kinds, .errs = errs, .folder = folder};
	struct conf *conf = NULL;

	*errs = (struct conf_errors){0};
	conf_tree_parse(&tree, text, len, errs);
	if (tree.root != NULL) {
		conf_check_keys(&ck);
		conf_check_rules(&ck);
	}
	if (tree.root != NULL && errs->n == 0)
		conf = conf_fill(&tree, file, errs);
	if (conf != NULL)
		conf_check_warnings(&ck);
	conf_errors_sort(errs);
	conf_tree_free(&tree);
	free(folder);
	return conf;
}

/* @return bytes read, or -errno. One byte more than allowed is enough to know that it is too long. */
static ssize_t
read_all(FILE *in, char *text, size_t room)
{
	size_t n = fread(text, 1, room, in);

	return ferror(in) ? -errno : (ssize_t)n;
}

struct conf *
conf_load(const char *file, const struct conf_kinds *kinds, struct conf_errors *errs)
{
	FILE *in = fopen(file, "re");
	struct conf *conf = NULL;
	ssize_t n;
	char *text;

	*errs = (struct conf_errors){0};
	if (in == NULL) {
		conf_err_at(errs, 0, 0, "cannot be opened: %s", strerror(errno));
		return NULL;
	}
	text = conf_alloc(CONF_TEXT_MAX + 1);
	n = read_all(in, text, CONF_TEXT_MAX + 1);
	fclose(in);
	if (n < 0)
		conf_err_at(errs, 0, 0, "cannot be read: %s", strerror((int)-n));
	else if ((size_t)n > CONF_TEXT_MAX)
		conf_err_at(errs, 0, 0, "longer than 1MiB, which is the most a configuration may be");
	else
		conf = conf_parse(text, (size_t)n, file, kinds, errs);
	free(text);
	return conf;
}
