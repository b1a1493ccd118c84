/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* strake-bench: load on an appliance from a DPDK port, without the kernel's network between. */

#include <signal.h>
#include <stddef.h>

#include "cli.h"
#include "cmd.h"
#include "nvme_tcp_spec.h"

#define AT(field) offsetof(struct opts, field)
#define SECOND_NS 1000000000ull

volatile bool cmd_stop;

static const struct cli_opt common[] = {
	{"device", "DEVARGS", "the DPDK device, such as net_memif0,role=client,socket=PATH,zero-copy=yes", CLI_STR,
	 AT(device), 0, 0},
	{"ip", "ADDR", "this side's address (10.78.0.1)", CLI_STR, AT(ip), 0, 0},
	{"addr", "ADDR", "the target's address (10.78.0.2)", CLI_STR, AT(addr), 0, 0},
	{"port", "N", "its TCP port (4420)", CLI_U32, AT(service), 1, 65535},
	{"nqn", "NAME", "the subsystem (nqn.2026-11.io.strake:bench)", CLI_STR, AT(nqn), 0, 0},
	{"hostnqn", "NAME", "this host's name", CLI_STR, AT(hostnqn), 0, 0},
	{"ns", "N", "the namespace (1)", CLI_U32, AT(ns), 1, 0},
	{"hdgst", NULL, "ask for header digests", CLI_FLAG, AT(hdgst), 0, 0},
	{"ddgst", NULL, "ask for data digests", CLI_FLAG, AT(ddgst), 0, 0},
	{"mtu", "N", "largest IP packet (9000)", CLI_U32, AT(mtu), 576, 65280},
	{"descs", "N", "descriptors of each queue (1024)", CLI_U32, AT(descs), 32, 16384},
	{"check", NULL, "check the checksums of what is received", CLI_FLAG, AT(check), 0, 0},
	{"cpu", "N", "the CPU to spin on (0)", CLI_U32, AT(cpu), 0, 1023},
	{"huge", NULL, "use huge pages", CLI_FLAG, AT(huge), 0, 0},
	{"memory", "SIZE", "for frames (512M)", CLI_SIZE, AT(memory), 64u << 20, 0},
	{"target", "NAME", "the appliance's name: its telemetry gives its cycles", CLI_STR, AT(target), 0, 0},
	{"lcore", "N", "its data lcore (1)", CLI_U32, AT(lcore), 1, 31},
	{"timeout", "TIME", "of each step of connecting (10s)", CLI_TIME, AT(timeout), 1000000, 0},
	{"conns", "N", "I/O queues, each on its own connection (1)", CLI_U32, AT(conns), 1, NET_CONNS_MAX - 1},
	{"size", "SIZE", "of the volume to work on (all)", CLI_SIZE, AT(size), 512, 0},
	{"time", "TIME", "to measure (5s)", CLI_TIME, AT(time), 1000000, 0},
	{"warm-up", "TIME", "before measuring (500ms)", CLI_TIME, AT(warmup), 0, 0},
	{"seed", "N", "of random places and contents (1)", CLI_U64, AT(seed), 0, 0},
	{"json", NULL, "results as JSON", CLI_FLAG, AT(json), 0, 0},
	{NULL},
};

static const struct cli_opt load_opts[] = {
	{"pattern", "NAME", "read, write, randread, randwrite, randrw (randread)", CLI_STR, AT(pattern), 0, 0},
	{"bs", "SIZE", "bytes a command (4K)", CLI_SIZE, AT(bs), 512, 4u << 20},
	{"depth", "N", "commands under way on each queue (128)", CLI_U32, AT(depth), 1, QP_DEPTH_MAX - 1},
	{"rwmix", "N", "percentage of reads in randrw (70)", CLI_U32, AT(rwmix), 0, 100},
	{"fill", NULL, "write the range once first", CLI_FLAG, AT(fill), 0, 0},
	{"verify", NULL, "fill, and check every byte read", CLI_FLAG, AT(verify), 0, 0},
	{NULL},
};

static const struct cli_opt suite_opts[] = {
	{"runs", "N", "of each figure (5)", CLI_U32, AT(runs), 1, 99},
	{NULL},
};

static const struct cli_cmd cmds[] = {
	{"run", "", "one load: IOPS, bandwidth, latency, cycles of both sides", load_opts, 0, 0, cmd_run},
	{"breakdown", "", "one load, and where the target's cycles went", load_opts, 0, 0, cmd_breakdown},
	{"suite", "", "the list of loads that RESULTS.md reports, medians of several runs", suite_opts, 0, 0,
	 cmd_suite},
	{NULL},
};

static void
on_signal(int sig)
{
	(void)sig;
	cmd_stop = true;
}

int
main(int argc, char **argv)
{
	struct opts o = {
		.ip = "10.78.0.1",
		.addr = "10.78.0.2",
		.nqn = "nqn.2026-11.io.strake:bench",
		.hostnqn = "nqn.2026-11.io.strake:strake-bench",
		.pattern = "randread",
		.service = NVME_TCP_PORT,
		.ns = 1,
		.mtu = 9000,
		.depth = 128,
		.conns = 1,
		.rwmix = 70,
		.lcore = 1,
		.runs = 5,
		.memory = 512u << 20,
		.bs = 4096,
		.time = 5 * SECOND_NS,
		.warmup = SECOND_NS / 2,
		.timeout = 10 * SECOND_NS,
		.seed = 1,
	};
	struct cli cli = {
		.program = "strake-bench",
		.help = "load on an appliance from a DPDK port, without the kernel between",
		.cmds = cmds,
		.common = common,
		.values = &o,
	};

	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	return cli_main(&cli, argc, argv);
}
