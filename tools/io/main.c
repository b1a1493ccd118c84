/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* strake-io: what a host does to a volume over NVMe/TCP, from the command line. */

#include <signal.h>
#include <stdio.h>

#include "cmd.h"
#include "nvme_tcp_spec.h"
#include "ticks.h"

#define AT(field) offsetof(struct opts, field)
#define NS_PER_S  1000000000ull
#define NS_PER_MS 1000000ull

static const struct cli_opt common[] = {
	{"addr", "ADDR[:PORT]", "the target (127.0.0.1)", CLI_STR, AT(addr), 0, 0},
	{"port", "N", "its TCP port (4420)", CLI_U32, AT(port), 1, 65535},
	{"nqn", "NAME", "the subsystem (the only one that discovery shows)", CLI_STR, AT(nqn), 0, 0},
	{"hostnqn", "NAME", "this host's name (made from the machine id)", CLI_STR, AT(hostnqn), 0, 0},
	{"ns", "N", "the namespace (1; identify: all)", CLI_U32, AT(ns), 1, 0},
	{"hdgst", NULL, "ask for header digests", CLI_FLAG, AT(hdgst), 0, 0},
	{"ddgst", NULL, "ask for data digests", CLI_FLAG, AT(ddgst), 0, 0},
	{"timeout", "TIME", "of the connect and of each command (10s)", CLI_TIME, AT(timeout), 1000000, 0},
	{"keep-alive", "TIME", "tell the target to expect a sign of life, 0 never (30s)", CLI_TIME, AT(kato), 0,
	 UINT32_MAX *NS_PER_MS},
	{"congestion", "NAME", "its TCP congestion control (cubic); system: what this host is set to", CLI_STR,
	 AT(congestion), 0, 0},
	{"json", NULL, "results as JSON", CLI_FLAG, AT(json), 0, 0},
	{"quiet", NULL, "no progress", CLI_FLAG, AT(quiet), 0, 0},
	{NULL},
};

#define OPT_RANGE                                                                                                      \
	{"offset", "SIZE", "where in the volume (0)", CLI_SIZE, AT(offset), 0, 0},                                     \
	{                                                                                                              \
		"length", "SIZE", "how much (the rest)", CLI_SIZE, AT(length), 1, 0                                    \
	}
#define OPT_FUA                                                                                                        \
	{                                                                                                              \
		"fua", NULL, "each write is durable before it is answered", CLI_FLAG, AT(fua), 0, 0                    \
	}
#define OPT_FLOW                                                                                                       \
	{"bs", "SIZE", "bytes a command (128K)", CLI_SIZE, AT(bs), 512, 0},                                            \
		{"depth", "N", "commands under way (32)", CLI_U32, AT(depth), 1, QP_DEPTH_MAX - 1},                    \
	{                                                                                                              \
		"queues", "N", "I/O queues (1)", CLI_U32, AT(queues), 1, 256                                           \
	}

static const struct cli_opt none_opts[] = {{NULL}};
static const struct cli_opt read_opts[] = {
	OPT_RANGE, {"raw", NULL, "bytes, not a dump, also on a terminal", CLI_FLAG, AT(raw), 0, 0}, {NULL}};
static const struct cli_opt write_opts[] = {
	OPT_RANGE,
	{"fill", "BYTE", "write this byte, not the standard input", CLI_STR, AT(fill), 0, 0},
	OPT_FUA,
	{NULL}};
static const struct cli_opt in_opts[] = {
	{"offset", "SIZE", "where in the volume (0)", CLI_SIZE, AT(offset), 0, 0}, OPT_FLOW, OPT_FUA, {NULL}};
static const struct cli_opt out_opts[] = {OPT_RANGE, OPT_FLOW, {NULL}};
static const struct cli_opt verify_opts[] = {
	OPT_RANGE,
	OPT_FLOW,
	{"seed", "N", "of the pattern (1)", CLI_U64, AT(seed), 0, 0},
	{"read-only", NULL, "the pattern is there already: only check it", CLI_FLAG, AT(read_only), 0, 0},
	{NULL}};
static const struct cli_opt trim_opts[] = {OPT_RANGE, {NULL}};
static const struct cli_opt zero_opts[] = {
	OPT_RANGE,
	OPT_FLOW,
	{"deallocate", NULL, "let the target free the blocks", CLI_FLAG, AT(dealloc), 0, 0},
	OPT_FUA,
	{NULL}};
static const struct cli_opt bench_opts[] = {
	{"pattern", "NAME", "read, write, randread, randwrite, randrw (randread)", CLI_STR, AT(pattern), 0, 0},
	{"bs", "SIZE", "bytes a command (4K)", CLI_SIZE, AT(bs), 512, 0},
	{"depth", "N", "commands under way, each job (32)", CLI_U32, AT(depth), 1, QP_DEPTH_MAX - 1},
	{"jobs", "N", "threads, each with its own I/O queue (1)", CLI_U32, AT(jobs), 1, 256},
	{"rwmix", "PERCENT", "reads in randrw (70)", CLI_U32, AT(rwmix), 0, 100},
	{"time", "TIME", "measured (10s)", CLI_TIME, AT(time), 1000000, 0},
	{"warm-up", "TIME", "before that (1s)", CLI_TIME, AT(warmup), 0, 0},
	{"every", "TIME", "one command in this time, each job, depth 1 (as many as can be)", CLI_TIME, AT(every), 0, 0},
	{"offset", "SIZE", "where in the volume (0)", CLI_SIZE, AT(offset), 0, 0},
	{"size", "SIZE", "how much of it (the rest; 64M with --verify)", CLI_SIZE, AT(size), 1, 0},
	{"seed", "N", "of places and contents (1)", CLI_U64, AT(seed), 0, 0},
	{"verify", NULL, "fill the range first, then check every byte read", CLI_FLAG, AT(verify), 0, 0},
	{"discard", NULL, "let the kernel drop read payloads of 16K and more", CLI_FLAG, AT(discard), 0, 0},
	{"sleep", NULL, "wait for answers in the kernel, not in a loop", CLI_CLEAR, AT(spin), 0, 0},
	{"histogram", NULL, "show how many commands took how long (always in JSON)", CLI_FLAG, AT(histogram), 0, 0},
	{"cpus", "LIST", "CPUs for the jobs, such as 1 or 0,2-3 (any)", CLI_STR, AT(cpus), 0, 0},
	{NULL}};

static const struct cli_cmd cmds[] = {
	{"discover", "[ADDR[:PORT]]", "list the subsystems a target offers", none_opts, 0, 1, cmd_discover},
	{"identify", "", "show the controller and its namespaces", none_opts, 0, 0, cmd_identify},
	{"read", "", "read blocks to the standard output, one unless told", read_opts, 0, 0, cmd_read},
	{"write", "", "write the standard input, or a byte, to blocks", write_opts, 0, 0, cmd_write},
	{"copy-in", "FILE", "copy a file into the volume", in_opts, 1, 1, cmd_copy_in},
	{"copy-out", "FILE", "copy from the volume into a file", out_opts, 1, 1, cmd_copy_out},
	{"verify", "[FILE]", "compare with a file, or write and check a pattern", verify_opts, 0, 1, cmd_verify},
	{"trim", "", "deallocate a range", trim_opts, 0, 0, cmd_trim},
	{"zero", "", "write zeroes to a range, without sending them", zero_opts, 0, 0, cmd_zero},
	{"flush", "", "make what was written durable", none_opts, 0, 0, cmd_flush},
	{"bench", "", "measure throughput and latency", bench_opts, 0, 0, cmd_bench},
	{NULL},
};

int
main(int argc, char **argv)
{
	static struct opts o = {
		.addr = "127.0.0.1",
		.port = NVME_TCP_PORT,
		.queues = 1,
		.timeout = 10 * NS_PER_S,
		.kato = 30 * NS_PER_S,
		.seed = 1,
		.depth = 32,
		.jobs = 1,
		.rwmix = 70,
		.time = 10 * NS_PER_S,
		.warmup = NS_PER_S,
		.pattern = "randread",
		.spin = true,
	};
	const struct cli cli = {
		.program = "strake-io",
		.help = "Reach a volume over NVMe/TCP.",
		.cmds = cmds,
		.common = common,
		.values = &o,
	};

	signal(SIGPIPE, SIG_IGN);
	cmd_catch_signals();
	return cli_main(&cli, argc, argv);
}
