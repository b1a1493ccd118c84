/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef PREFLIGHT_H
#define PREFLIGHT_H

/**
 * @file
 * `strake preflight`: what a machine lacks, and the command that mends it.
 *
 * A check is a row of a table. It sees the machine through struct preflight_src only, so that a test can give it any
 * machine: a folder in place of "/", and functions in place of what no file tells.
 */

#include <stdio.h>

#include <rte_pci.h>

#include "conf.h"
#include "foreign.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PREFLIGHT_CPUS 1024

enum preflight_result { PREFLIGHT_PASS, PREFLIGHT_WARN, PREFLIGHT_FAIL };

/** The machine. */
struct preflight_src {
	const char *root; /**< stands before /sys, /proc and /dev; "" for the machine itself */
	bool no_huge;
	uint64_t memlock; /**< RLIMIT_MEMLOCK, bytes */
	/** May an io_uring be made? @return 0 or -errno. */
	int (*uring)(void);
	/** @return 1: the path holds foreign data, in *out; 0 or -errno. */
	int (*foreign)(const char *path, struct foreign *out);
	/** Open a drive for ourselves alone. @return 0 or -errno. */
	int (*claim)(const char *path);
	/** Block device number of @p path, or 0: it is a file; -errno as a negative number. */
	int64_t (*device)(const char *path);
};

/** One line of the report. */
struct preflight_row {
	enum preflight_result result;
	const char *check; /**< name of the check */
	char about[64];	   /**< which CPU, port or drive; "" for the machine */
	char text[200];
	char mend[200]; /**< the command, or ""  */
};

struct preflight_report {
	struct preflight_row *rows;
	unsigned int n, room;
	const char *check; /**< running */
};

struct preflight_check {
	const char *name;
	/** @p conf is NULL where no file was given: then the machine alone is looked at. */
	void (*run)(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r);
};

/** The table, ended by a check without name. */
extern const struct preflight_check preflight_checks[];

/** Run all checks. @return 0: nothing failed; 1: something did; -ENOMEM. */
int preflight_run(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r);
void preflight_report_free(struct preflight_report *r);
void preflight_print(const struct preflight_report *r, FILE *out);
void preflight_print_json(const struct preflight_report *r, FILE *out);

/** `strake preflight [--json] [FILE]` on this machine. @return exit status: 0, or 1 if anything failed. */
int preflight_main(const struct conf *conf, bool no_huge, bool json);

/* --- for the checks ------------------------------------------------------------------------------------------------
 */

/** Add a row. @p mend NULL: nothing to do. */
void preflight_say(struct preflight_report *r, enum preflight_result result, const char *about, const char *mend,
		   const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/** First line of a file, without its end. @p path is a format. @return false: not there, or empty. */
bool preflight_read(const struct preflight_src *src, char *out, size_t len, const char *path, ...)
	__attribute__((format(printf, 4, 5)));
bool preflight_exists(const struct preflight_src *src, const char *path, ...) __attribute__((format(printf, 2, 3)));
/** Last part of what a symbolic link points to. @return false: no such link. */
bool preflight_link(const struct preflight_src *src, char *out, size_t len, const char *path, ...)
	__attribute__((format(printf, 4, 5)));
/** Value of "KEY: value" in a file of /proc. @return false: no such key. */
bool preflight_field(const struct preflight_src *src, const char *path, const char *key, char *out, size_t len);
/** One entry of a folder after another, in the order of their names; ends at i == number of entries. */
bool preflight_entry(const struct preflight_src *src, unsigned int i, char *out, size_t len, const char *path, ...)
	__attribute__((format(printf, 5, 6)));
/** Does the process have this capability (CAP_*)? */
bool preflight_cap(const struct preflight_src *src, unsigned int cap);

/** A list of the kernel's, "0-3,8". */
struct preflight_cpus {
	bool has[PREFLIGHT_CPUS];
};
void preflight_cpus_parse(struct preflight_cpus *set, const char *list);
/** NUMA node of a CPU, or -1. */
int preflight_cpu_node(const struct preflight_src *src, unsigned int cpu);
/** Does any data lcore run on @p node? -1 is everywhere. */
bool preflight_node_used(const struct preflight_src *src, const struct conf *conf, int node);
/** @p i-th device of the ports, members of bonds included. @return NULL past the end. */
const char *preflight_device(const struct conf *conf, unsigned int i, const struct conf_port **port);
/** Is it a PCI address? Complete, with its domain, in @p addr (PCI_PRI_STR_SIZE bytes). */
bool preflight_pci(const char *device, char *addr);

/* preflight_machine.c, preflight_cpu.c, preflight_port.c, preflight_drive.c */
void preflight_huge(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r);
void preflight_uring(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r);
void preflight_clock(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r);
void preflight_rights(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r);
void preflight_cores(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r);
void preflight_siblings(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r);
void preflight_governor(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r);
void preflight_waking(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r);
void preflight_numa(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r);
void preflight_modules(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r);
void preflight_ports(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r);
void preflight_interfaces(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r);
void preflight_drive_use(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r);
void preflight_drive_data(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r);
void preflight_drive_cache(const struct preflight_src *src, const struct conf *conf, struct preflight_report *r);

#ifdef __cplusplus
}
#endif

#endif /* PREFLIGHT_H */
