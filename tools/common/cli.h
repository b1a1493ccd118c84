/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CLI_H
#define CLI_H

/**
 * @file
 * Command lines: `program command [options] [arguments]`, described by tables, from which parsing, --help and
 * suggestions for misspelt words come.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Exit codes of every tool. */
enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,	     /**< the other side answered with an error, or broke the protocol */
	CLI_USAGE = 2,	     /**< the command line is wrong */
	CLI_UNREACHABLE = 3, /**< no connection, refused, or it was lost, or no answer in time */
	CLI_MISMATCH = 4,    /**< bytes differ from what was expected */
	CLI_LOCAL = 5,	     /**< a local file or resource failed */
	CLI_INTERRUPTED = 130,
};

enum cli_kind {
	CLI_FLAG,  /**< bool */
	CLI_CLEAR, /**< bool, set to false */
	CLI_U32,
	CLI_U64,
	CLI_SIZE, /**< uint64_t bytes */
	CLI_TIME, /**< uint64_t ns */
	CLI_STR,  /**< const char * */
};

/** One option. Value goes to (char *)values + off. */
struct cli_opt {
	const char *name; /**< "queues" for --queues; NULL ends the table */
	const char *meta; /**< "N" in the help; NULL for flags */
	const char *help;
	enum cli_kind kind;
	size_t off;
	uint64_t min, max; /**< of numbers; max 0 means no limit */
};

struct cli_cmd {
	const char *name; /**< NULL ends the table */
	const char *args; /**< "FILE", for the help */
	const char *help; /**< one line */
	const struct cli_opt *opts;
	int min_args, max_args;
	int (*run)(void *values, int argc, char **argv); /**< @return enum cli_exit */
};

struct cli {
	const char *program;
	const char *help; /**< one line */
	const struct cli_cmd *cmds;
	const struct cli_opt *common; /**< options of every command */
	void *values;
};

/** Parse and run. @return enum cli_exit, after a line on stderr for CLI_USAGE. */
int cli_main(const struct cli *cli, int argc, char **argv);

/**
 * The last words of a program: what it wrote to the standard output must have been taken, or a full disk passes for
 * success. @return @p ret, or CLI_LOCAL in the place of CLI_OK, after a line on stderr.
 */
int cli_said(const char *program, int ret);

/**
 * Parse options of @p cmd from argv (past the command's name). Arguments are moved to the front of argv.
 * @return number of arguments, or -EINVAL with one line in @p err; -ECANCELED when --help was asked.
 */
int cli_parse(const struct cli *cli, const struct cli_cmd *cmd, int argc, char **argv, char *err, size_t errlen);

/** Nearest of @p n words, or NULL when none is near enough to be a misspelling. @p stride bytes lie between words. */
const char *cli_nearest(const char *word, const char *const *words, size_t n, size_t stride);

/**
 * Which of @p n words it is. @p what names them in the line on stderr: "pattern".
 * @return its index, or -CLI_USAGE after that line.
 */
int cli_choose(const char *what, const char *word, const char *const *words, size_t n);

/** "program: text" on stderr, one line. @return @p code. */
int cli_fail(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif

#endif /* CLI_H */
