/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The appliance: reads one file, builds what it says, serves until told to stop. */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_log.h>

#include "boot.h"
#include "commands.h"
#include "ctl.h"
#include "eal.h"
#include "figures.h"
#include "gone.h"
#include "kinds.h"
#include "known.h"
#include "offline.h"
#include "overlay.h"
#include "plan.h"
#include "preflight.h"
#include "reseal.h"
#include "resume.h"
#include "scrub.h"
#include "serve.h"
#include "strake_lcore.h"

RTE_LOG_REGISTER(main_log, strake.main, INFO)

static const struct boot_step steps[] = {
	{"DPDK", eal_up, eal_down},
	{"waking", resume_up, resume_down},
	{"lcores and pools", serve_lcores_up, serve_lcores_down},
	{"drives", plan_drives_up, plan_drives_down},
	{"groups", plan_groups_up, plan_groups_down},
	{"loops", serve_loops_up, serve_loops_down},
	{"keys", plan_keys_up, plan_keys_down},
	{"stores", plan_stores_up, plan_stores_down},
	{"volumes deleted before", gone_settle, NULL},
	{"volumes", plan_volumes_up, plan_volumes_down},
	{"ports and target", serve_fronts_up, serve_fronts_down},
	{"data lcores", serve_data_up, serve_data_down},
	{"known blocks", known_up, known_down},
	{"scrubs", scrubs_up, scrubs_down},
	{"keys that were changed", reseals_up, reseals_down},
	{"telemetry", figures_up, NULL},
	{"offline volumes", offline_up, offline_down},
	{"control socket", commands_up, ctl_down},
	{"listeners", serve_listeners_up, serve_listeners_down},
};

static const char usage[] =
	"strake: storage offload appliance\n"
	"\n"
	"  strake [--no-huge] FILE    serve what FILE describes, until SIGINT, SIGTERM or SIGHUP\n"
	"  strake preflight [--json] [--no-huge] [FILE]\n"
	"                             say what this machine lacks, for FILE or at all, and how to mend it\n"
	"  strake --check FILE        check FILE and say everything that is wrong with it\n"
	"  strake --reference         print every configuration key, in Markdown\n"
	"  strake --version\n"
	"\n"
	"Exit status: 0 orderly end, 1 wrong configuration, 2 wrong command line, 3 could not start.\n"
	"Of preflight: 0 nothing failed, 1 something did.\n";

struct options {
	const char *file;
	bool check, no_huge, reference, preflight, json;
};

/* @return -1: go on; else the exit status. */
static int
parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"check", no_argument, NULL, 'c'},
		{"no-huge", no_argument, NULL, 'n'},
		{"reference", no_argument, NULL, 'r'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{"json", no_argument, NULL, 'j'},
		{NULL, 0, NULL, 0},
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (opt) {
		case 'c':
			o->check = true;
			break;
		case 'n':
			o->no_huge = true;
			break;
		case 'j':
			o->json = true;
			break;
		case 'r':
			o->reference = true;
			break;
		case 'v':
			printf("strake %s\n", STRAKE_VERSION);
			return 0;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (o->reference)
		return -1;
	if (optind < argc && strcmp(argv[optind], "preflight") == 0) {
		o->preflight = true;
		optind++;
	}
	if (argc - optind > 1 || (optind == argc && !o->preflight) || (o->json && !o->preflight)) {
		fputs(usage, stderr);
		return 2;
	}
	o->file = argv[optind]; /* NULL at the end */
	return -1;
}

static void
tell(void *arg, const char *line)
{
	RTE_SET_USED(arg);
	fprintf(stderr, "%s\n", line);
}

static struct conf *
load(const char *file)
{
	struct conf_errors errs = {NULL, 0};
	struct conf *conf = conf_load(file, &kinds_registered, &errs);

	conf_errors_print(&errs, file, stderr);
	conf_errors_free(&errs);
	if (conf == NULL || plan_check(conf, tell, NULL) == 0)
		return conf;
	conf_free(conf);
	return NULL;
}

/* While it starts: no further step. While it serves: the loop ends. */
static void
on_signal(int sig)
{
	RTE_SET_USED(sig);
	boot_cancel();
	if (strake_lcore_at(STRAKE_LCORE_MAIN) != NULL)
		strake_lcore_stop(STRAKE_LCORE_MAIN);
}

static void
take_signals(void)
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, before;

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	/* The terminal it was started from has gone; unless it was told not to care, as by nohup. */
	if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
		sigaction(SIGHUP, &sa, NULL);
	/* Others mean "look at your log" or "tell how far you are" by these: nothing to die of. */
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
}

/* Were a standard descriptor closed, the next file that is opened would get its number, and what is said there would be
 * written into a drive. */
static int
fill_standard(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? -errno : 0;
}

/* What was done to volumes while it ran last. */
static int
lay_over(struct conf *conf)
{
	char err[BOOT_ERR_MAX] = "out of memory";
	int ret = overlay_load(conf, err, sizeof(err));

	if (ret == 0)
		return plan_check(conf, tell, NULL);
	tell(NULL, err);
	return ret;
}

static int
serve(struct conf *conf, bool no_huge)
{
	struct appliance a = {.conf = conf, .no_huge = no_huge || !conf->appliance.huge};
	int ret;

	if (lay_over(conf) < 0)
		return 1;
	take_signals();
	ret = boot_up(&a, steps, RTE_DIM(steps));
	if (ret < 0) {
		overlay_free();
		return ret == -ECANCELED ? 0 : 3;
	}
	rte_log(RTE_LOG_INFO, main_log, "%s serves %u volumes on %u data lcores\n", conf->appliance.name,
		conf->n_volumes - offline_count(&a), a.n_data);
	strake_lcore_run();
	rte_log(RTE_LOG_INFO, main_log, "stopping\n");
	boot_down(&a, steps, RTE_DIM(steps));
	overlay_free();
	return 0;
}

int
main(int argc, char **argv)
{
	struct options o = {.file = NULL};
	int ret = parse(argc, argv, &o);
	struct conf *conf;

	if (ret >= 0)
		return ret;
	if (fill_standard() < 0)
		return 3;
	if (o.reference)
		return conf_reference(&kinds_registered, stdout) < 0 ? 3 : 0;
	conf = o.file != NULL ? load(o.file) : NULL;
	if (conf == NULL && o.file != NULL)
		return 1;
	if (o.preflight)
		ret = preflight_main(conf, o.no_huge, o.json);
	else if (o.check)
		printf("%s: correct\n", o.file);
	else
		ret = serve(conf, o.no_huge);
	conf_free(conf);
	return ret < 0 ? 0 : ret;
}
