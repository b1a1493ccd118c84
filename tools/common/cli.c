/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "units.h"

#define WORD_MAX 40

static const char *program_name = "strake";

int
cli_fail(int code, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", program_name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return code;
}

static unsigned int
min3(unsigned int a, unsigned int b, unsigned int c)
{
	unsigned int m = a < b ? a : b;

	return m < c ? m : c;
}

/* Edits to come from a to b, a swap of neighbours counting as one (optimal string alignment). */
static unsigned int
distance(const char *a, const char *b)
{
	unsigned int d[WORD_MAX + 1][WORD_MAX + 1];
	size_t la = strlen(a), lb = strlen(b);

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (size_t i = 0; i <= la; i++)
		d[i][0] = (unsigned int)i;
	for (size_t j = 0; j <= lb; j++)
		d[0][j] = (unsigned int)j;
	for (size_t i = 1; i <= la; i++) {
		for (size_t j = 1; j <= lb; j++) {
			d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    d[i - 2][j - 2] + 1 < d[i][j])
				d[i][j] = d[i - 2][j - 2] + 1;
		}
	}
	return d[la][lb];
}

const char *
cli_nearest(const char *word, const char *const *words, size_t n, size_t stride)
{
	const char *best = NULL;
	unsigned int best_d = 3; /* three or more edits: another word, not a misspelt one */

	for (size_t i = 0; i < n; i++) {
		const char *w = *(const char *const *)((const char *)words + i * stride);
		unsigned int d = distance(word, w);

		if (d < best_d && d < strlen(w)) {
			best_d = d;
			best = w;
		}
	}
	return best;
}

int
cli_choose(const char *what, const char *word, const char *const *words, size_t n)
{
	char all[256] = "";
	const char *near;
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		if (strcmp(word, words[i]) == 0)
			return (int)i;
		if (used < sizeof(all))
			used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s",
						 i == 0	      ? ""
						 : i + 1 == n ? " or "
							      : ", ",
						 words[i]);
	}
	near = cli_nearest(word, words, n, sizeof(*words));
	if (near != NULL)
		return cli_fail(-CLI_USAGE, "no %s '%s'; did you mean '%s'?", what, word, near);
	return cli_fail(-CLI_USAGE, "no %s '%s': %s", what, word, all);
}

static const struct cli_opt *
find_opt(const struct cli_opt *opts, const char *name, size_t len)
{
	for (; opts != NULL && opts->name != NULL; opts++)
		if (strlen(opts->name) == len && memcmp(opts->name, name, len) == 0)
			return opts;
	return NULL;
}

static size_t
count_opts(const struct cli_opt *opts)
{
	size_t n = 0;

	while (opts != NULL && opts[n].name != NULL)
		n++;
	return n;
}

static int
unknown_opt(const struct cli *cli, const struct cli_cmd *cmd, const char *name, size_t len, char *err, size_t errlen)
{
	char word[WORD_MAX];
	const char *near;

	snprintf(word, sizeof(word), "%.*s", (int)len, name);
	near = cmd->opts == NULL ? NULL
				 : cli_nearest(word, &cmd->opts->name, count_opts(cmd->opts), sizeof(struct cli_opt));
	if (near == NULL && cli->common != NULL)
		near = cli_nearest(word, &cli->common->name, count_opts(cli->common), sizeof(struct cli_opt));
	snprintf(err, errlen, "%s has no option --%s%s%s%s", cmd->name, word, near ? "; did you mean --" : "",
		 near ? near : "", near ? "?" : "");
	return -EINVAL;
}

/* As it may be written: sizes and times with their units. */
static void
bound(char out[UNITS_MAX], const struct cli_opt *opt, uint64_t v)
{
	if (opt->kind == CLI_TIME)
		units_ns(out, (double)v);
	else if (opt->kind == CLI_SIZE)
		units_bytes(out, (double)v);
	else
		snprintf(out, UNITS_MAX, "%llu", (unsigned long long)v);
}

static int
parse_number(const struct cli_opt *opt, const char *text, uint64_t *v, char *err, size_t errlen)
{
	const char *what = opt->kind == CLI_SIZE   ? "a size such as 4K or 1G"
			   : opt->kind == CLI_TIME ? "a time such as 10s or 500ms"
						   : "a whole number";
	int ret;

	if (opt->kind == CLI_SIZE)
		ret = units_parse_size(text, v);
	else if (opt->kind == CLI_TIME)
		ret = units_parse_time(text, v);
	else
		ret = units_parse_u64(text, v);
	if (ret < 0) {
		snprintf(err, errlen, "--%s: '%s' is not %s", opt->name, text, what);
		return -EINVAL;
	}
	if (*v < opt->min || (opt->max != 0 && *v > opt->max) || (opt->kind == CLI_U32 && *v > UINT32_MAX)) {
		char lo[UNITS_MAX], hi[UNITS_MAX];

		bound(lo, opt, opt->min);
		bound(hi, opt, opt->max);
		snprintf(err, errlen, "--%s: %s is out of range, %s%s%s", opt->name, text,
			 opt->max != 0 ? lo : "at least ", opt->max != 0 ? " to " : lo, opt->max != 0 ? hi : "");
		return -EINVAL;
	}
	return 0;
}

static int
set_value(const struct cli *cli, const struct cli_opt *opt, const char *text, char *err, size_t errlen)
{
	char *to = (char *)cli->values + opt->off;
	uint64_t v;
	int ret;

	switch (opt->kind) {
	case CLI_FLAG:
	case CLI_CLEAR:
		*(bool *)to = opt->kind == CLI_FLAG;
		return 0;
	case CLI_STR:
		*(const char **)to = text;
		return 0;
	default:
		ret = parse_number(opt, text, &v, err, errlen);
		if (ret < 0)
			return ret;
		if (opt->kind == CLI_U32)
			*(uint32_t *)to = (uint32_t)v;
		else
			*(uint64_t *)to = v;
		return 0;
	}
}

int
cli_parse(const struct cli *cli, const struct cli_cmd *cmd, int argc, char **argv, char *err, size_t errlen)
{
	int args = 0;
	bool literal = false;

	for (int i = 0; i < argc; i++) {
		const char *name = argv[i] + 2, *eq;
		const struct cli_opt *opt;
		size_t len;

		if (!literal && strcmp(argv[i], "-h") == 0)
			return -ECANCELED;
		if (literal || strncmp(argv[i], "--", 2) != 0) {
			if (!literal && argv[i][0] == '-' && argv[i][1] != '\0') {
				snprintf(err, errlen, "%s: options are long ones, as in --help", argv[i]);
				return -EINVAL;
			}
			argv[args++] = argv[i];
			continue;
		}
		if (*name == '\0') {
			literal = true;
			continue;
		}
		if (strcmp(name, "help") == 0)
			return -ECANCELED;
		eq = strchr(name, '=');
		len = eq != NULL ? (size_t)(eq - name) : strlen(name);
		opt = find_opt(cmd->opts, name, len);
		if (opt == NULL)
			opt = find_opt(cli->common, name, len);
		if (opt == NULL)
			return unknown_opt(cli, cmd, name, len, err, errlen);
		if (opt->meta == NULL && eq != NULL) {
			snprintf(err, errlen, "--%s takes no value", opt->name);
			return -EINVAL;
		}
		if (opt->meta != NULL && eq == NULL && ++i == argc) {
			snprintf(err, errlen, "--%s needs a value: %s", opt->name, opt->meta);
			return -EINVAL;
		}
		if (set_value(cli, opt, eq != NULL ? eq + 1 : argv[i], err, errlen) < 0)
			return -EINVAL;
	}
	return args;
}

static void
help_opts(const char *title, const struct cli_opt *opts)
{
	if (opts == NULL || opts->name == NULL)
		return;
	printf("\n%s:\n", title);
	for (; opts->name != NULL; opts++) {
		char left[64];

		snprintf(left, sizeof(left), "--%s%s%s", opts->name, opts->meta ? " " : "",
			 opts->meta ? opts->meta : "");
		printf("  %-22s %s\n", left, opts->help);
	}
}

static int
help_cmd(const struct cli *cli, const struct cli_cmd *cmd)
{
	printf("usage: %s %s [options]%s%s\n\n%s\n", cli->program, cmd->name, *cmd->args ? " " : "", cmd->args,
	       cmd->help);
	help_opts("options", cmd->opts);
	help_opts("common options", cli->common);
	return CLI_OK;
}

static int
help_all(const struct cli *cli)
{
	printf("usage: %s COMMAND [options] [arguments]\n\n%s\n\ncommands:\n", cli->program, cli->help);
	for (const struct cli_cmd *c = cli->cmds; c->name != NULL; c++) {
		char left[64];

		snprintf(left, sizeof(left), "%s %s", c->name, c->args);
		printf("  %-28s %s\n", left, c->help);
	}
	help_opts("common options", cli->common);
	printf("\n'%s COMMAND --help' tells the options of a command.\n"
	       "exit: 0 done, 1 the other side failed it, 2 wrong usage, 3 no connection or no answer, 4 bytes "
	       "differ,\n"
	       "      5 a local file or resource failed, 130 interrupted\n",
	       cli->program);
	return CLI_OK;
}

static int
unknown_cmd(const struct cli *cli, const char *name)
{
	const char *near;
	size_t n = 0;

	while (cli->cmds[n].name != NULL)
		n++;
	near = cli_nearest(name, &cli->cmds->name, n, sizeof(struct cli_cmd));
	if (near != NULL)
		return cli_fail(CLI_USAGE, "no command '%s'; did you mean '%s'?", name, near);
	return cli_fail(CLI_USAGE, "no command '%s'; '%s --help' lists them", name, cli->program);
}

/* Options may stand before the command: how many words of them do. */
static int
before_command(const struct cli *cli, int argc, char **argv)
{
	int i = 1;

	while (i < argc && strncmp(argv[i], "--", 2) == 0) {
		const char *name = argv[i] + 2, *eq = strchr(name, '=');
		size_t len = eq != NULL ? (size_t)(eq - name) : strlen(name);
		const struct cli_opt *opt = find_opt(cli->common, name, len);

		for (const struct cli_cmd *c = cli->cmds; opt == NULL && c->name != NULL; c++)
			opt = find_opt(c->opts, name, len);
		if (opt == NULL)
			break;
		i += opt->meta != NULL && eq == NULL ? 2 : 1;
	}
	return (i < argc ? i : argc) - 1;
}

/* Put the command in front of what stood before it. */
static void
command_first(char **argv, int before)
{
	char *cmd = argv[1 + before];

	memmove(argv + 2, argv + 1, (size_t)before * sizeof(*argv));
	argv[1] = cmd;
}

/* Whoever read the other end of a pipe and closed it has seen enough: that is no failure. */
static bool
reader_gone(void)
{
	struct pollfd p = {.fd = STDOUT_FILENO};

	return poll(&p, 1, 0) == 1 && (p.revents & POLLERR) != 0;
}

int
cli_said(const char *program, int ret)
{
	program_name = program;
	errno = 0;
	if ((fflush(stdout) == 0 && !ferror(stdout)) || reader_gone())
		return ret;
	/* A buffer that was lost earlier has taken its reason with it. */
	return cli_fail(ret == CLI_OK ? CLI_LOCAL : ret, "cannot write to the standard output%s%s",
			errno != 0 ? ": " : "", errno != 0 ? strerror(errno) : "");
}

static int
run(const struct cli *cli, int argc, char **argv)
{
	const struct cli_cmd *cmd;
	char err[256];
	int n;

	n = before_command(cli, argc, argv);
	if (argc < 2 + n)
		return cli_fail(CLI_USAGE, "no command given; '%s --help' lists them", cli->program);
	command_first(argv, n);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
		return help_all(cli);
	for (cmd = cli->cmds; cmd->name != NULL; cmd++)
		if (strcmp(cmd->name, argv[1]) == 0)
			break;
	if (cmd->name == NULL)
		return unknown_cmd(cli, argv[1]);
	n = cli_parse(cli, cmd, argc - 2, argv + 2, err, sizeof(err));
	if (n == -ECANCELED)
		return help_cmd(cli, cmd);
	if (n < 0)
		return cli_fail(CLI_USAGE, "%s", err);
	if (n < cmd->min_args)
		return cli_fail(CLI_USAGE, "%s needs %s", cmd->name, cmd->args);
	if (n > cmd->max_args)
		return cli_fail(CLI_USAGE, "%s: one argument too many: '%s'", cmd->name, argv[2 + cmd->max_args]);
	return cmd->run(cli->values, n, argv + 2);
}

int
cli_main(const struct cli *cli, int argc, char **argv)
{
	program_name = cli->program;
	return cli_said(cli->program, run(cli, argc, argv));
}
