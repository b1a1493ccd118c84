/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "cli.h"
#include "cmd.h"
#include "ticks.h"

#define MIB	 (1024ull * 1024)
#define EAL_ARGS 16

static int
exit_of(int err)
{
	return err == -EREMOTEIO ? CLI_FAILED : err == -ENOMEM || err == -EINVAL ? CLI_LOCAL : CLI_UNREACHABLE;
}

/* Nothing of it shall be found by, or meet, another process of DPDK. */
static int
eal_start(const struct opts *o)
{
	char lcores[32], memory[32], prefix[48];
	char *args[EAL_ARGS] = {"strake-bench", lcores, prefix, "-m", memory};
	int n = 5;

	args[n++] = "--single-file-segments"; /* a memif without copies hands memory over as one file */
	args[n++] = "--no-pci";
	args[n++] = "--no-telemetry";
	args[n++] = "--log-level=error";
	/* EAL has no memory of its own kind without huge pages. */
	args[n++] = o->huge ? "--in-memory" : "--no-huge";
	if (!o->huge)
		args[n++] = "--no-shconf";
	snprintf(lcores, sizeof(lcores), "--lcores=0@%u", o->cpu);
	snprintf(prefix, sizeof(prefix), "--file-prefix=strake-bench-%d", (int)getpid());
	snprintf(memory, sizeof(memory), "%llu", (unsigned long long)(o->memory / MIB));
	if (rte_eal_init(n, args) < 0)
		return cli_fail(CLI_LOCAL, "DPDK does not start: %s%s", rte_strerror(rte_errno),
				o->huge ? " (are there free huge pages?)" : "");
	return CLI_OK;
}

static int
address(const char *text, const char *option, uint32_t *out)
{
	if (text != NULL && inet_pton(AF_INET, text, out) == 1)
		return CLI_OK;
	return cli_fail(CLI_USAGE, "--%s wants an IPv4 address, such as 10.78.0.1", option);
}

static int
target_start(struct session *s, const struct opts *o)
{
	int ret;

	if (o->target == NULL)
		return CLI_OK;
	ret = target_open(&s->target, o->target, o->lcore, s->err);
	return ret < 0 ? cli_fail(CLI_UNREACHABLE, "%s", s->err) : CLI_OK;
}

int
session_open(struct session *s, const struct opts *o)
{
	struct net_conf nc = {.device = o->device,
			      .mtu = o->mtu,
			      .descs = o->descs,
			      .check = o->check,
			      .timeout = (uint32_t)(o->timeout / 1000000)};
	struct host_conf hc = {.service = (uint16_t)o->service,
			       .nqn = o->nqn,
			       .hostnqn = o->hostnqn,
			       .nsid = o->ns,
			       .queues = (uint16_t)o->conns,
			       .depth = (uint16_t)o->depth,
			       .hdgst = o->hdgst,
			       .ddgst = o->ddgst,
			       .timeout = o->timeout};
	int ret;

	memset(s, 0, sizeof(*s));
	if (o->device == NULL)
		return cli_fail(CLI_USAGE, "--device is missing: the DPDK device to use, such as "
					   "net_memif0,role=client,socket=/run/strake/memif.sock,socket-abstract=no");
	ret = address(o->ip, "ip", &nc.ip);
	if (ret == CLI_OK)
		ret = address(o->addr, "addr", &nc.peer);
	if (ret == CLI_OK)
		ret = eal_start(o);
	s->eal = ret == CLI_OK;
	if (ret != CLI_OK)
		goto err;
	ticks_per_ns();
	ret = net_open(&s->net, &nc, s->err);
	/* With the link, the target is there: it may be what this end waited for. */
	if (ret == 0 && target_start(s, o) != CLI_OK) {
		ret = CLI_UNREACHABLE;
		goto err;
	}
	if (ret == 0) {
		hc.net = s->net;
		ret = host_open(&s->host, &hc, s->err);
	}
	if (ret == 0)
		return CLI_OK;
	ret = cli_fail(exit_of(ret), "%s", s->err);
err:
	session_close(s);
	return ret;
}

void
session_close(struct session *s)
{
	if (s->host != NULL)
		host_close(s->host);
	if (s->net != NULL)
		net_close(s->net);
	if (s->target != NULL)
		target_close(s->target);
	if (s->eal) {
		char dir[256];

		snprintf(dir, sizeof(dir), "%s", rte_eal_get_runtime_dir());
		rte_eal_cleanup();
		rmdir(dir); /* EAL empties it and leaves it */
	}
	memset(s, 0, sizeof(*s));
}

static void
mark(void *arg, bool begin)
{
	struct session *s = arg;

	if (s->target != NULL && s->mark_err == 0)
		s->mark_err = target_ask(s->target, begin ? &s->before : &s->after, s->err);
}

static int
check_load(const struct host *h, const struct load_conf *c)
{
	uint64_t whole = host_nlb(h) << host_lba_shift(h), units = c->size / c->bs;

	if (c->bs % (1u << host_lba_shift(h)) != 0 || c->bs > host_max_xfer(h))
		return cli_fail(CLI_USAGE, "--bs %u: a multiple of %u, at most %u, is what the target takes", c->bs,
				1u << host_lba_shift(h), host_max_xfer(h));
	if (c->depth > host_depth(h))
		return cli_fail(CLI_USAGE, "--depth %u: the target's queues hold %u commands", c->depth, host_depth(h));
	if (c->size > whole || units == 0 || (c->verify && units <= (uint64_t)c->depth * c->queues))
		return cli_fail(CLI_USAGE,
				"--size %llu: the volume has %llu bytes, and all commands under way need room",
				(unsigned long long)c->size, (unsigned long long)whole);
	return CLI_OK;
}

int
session_load(struct session *s, const struct opts *o, struct load_conf *c, struct load_result *r)
{
	int ret;

	c->host = s->host;
	c->size = o->size != 0 ? o->size : host_nlb(s->host) << host_lba_shift(s->host);
	c->queues = o->conns;
	c->rwmix = o->rwmix;
	c->warmup = o->warmup;
	c->time = o->time;
	c->seed = o->seed;
	c->verify = o->verify;
	c->stop = &cmd_stop;
	c->mark = mark;
	c->arg = s;
	ret = check_load(s->host, c);
	if (ret != CLI_OK)
		return ret;
	ret = load_run(c, r);
	if (ret < 0)
		return cli_fail(exit_of(ret), "ended early: %s", r->text);
	if (r->mismatches > 0)
		return cli_fail(CLI_MISMATCH, "%llu commands returned wrong bytes: %s",
				(unsigned long long)r->mismatches, r->text);
	if (r->read.errors + r->write.errors > 0)
		return cli_fail(CLI_FAILED, "%llu commands failed; the first: %s",
				(unsigned long long)(r->read.errors + r->write.errors), r->text);
	if (s->mark_err < 0)
		return cli_fail(CLI_UNREACHABLE, "%s", s->err);
	if (r->secs <= 0 || r->read.ios + r->write.ios == 0)
		return cli_fail(CLI_INTERRUPTED, "interrupted before anything was measured");
	if (s->target != NULL)
		target_delta(&s->after, &s->before);
	return CLI_OK;
}
