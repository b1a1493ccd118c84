/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "ticks.h"
#include "units.h"

volatile bool cmd_stop;

static void
on_signal(int sig)
{
	cmd_stop = true;
	signal(sig, SIG_DFL);
}

void
cmd_catch_signals(void)
{
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
}

int
exit_of(int err)
{
	switch (err) {
	case 0:
		return CLI_OK;
	case -EREMOTEIO:
	case -EPROTO:
	case -EBADMSG:
	case -ECONNABORTED:
		return CLI_FAILED;
	case -EILSEQ:
		return CLI_MISMATCH;
	case -EINTR:
		return CLI_INTERRUPTED;
	case -EIO:
	case -ENOMEM:
		return CLI_LOCAL;
	default:
		return CLI_UNREACHABLE;
	}
}

/* ADDR, ADDR:PORT, V6, [V6], [V6]:PORT: a bare V6 address is known by its second colon. */
int
split_addr(struct opts *o)
{
	static char host[256];
	const char *text = o->addr;
	bool bracket = text[0] == '[';
	uint64_t port;
	char *end;

	snprintf(host, sizeof(host), "%s", text + bracket);
	end = strchr(host, bracket ? ']' : ':');
	if (bracket && end == NULL)
		return cli_fail(CLI_USAGE, "'%s': the ']' is missing", text);
	if (bracket)
		*end++ = '\0';
	else if (end != NULL && strchr(end + 1, ':') != NULL)
		end = NULL;
	o->addr = host;
	if (end == NULL || *end == '\0')
		return CLI_OK;
	if (*end != ':' || units_parse_u64(end + 1, &port) < 0 || port == 0 || port > 65535)
		return cli_fail(CLI_USAGE, "'%s': '%s' is not a port", text, *end == ':' ? end + 1 : end);
	*end = '\0';
	o->port = (uint32_t)port;
	return CLI_OK;
}

static void
fill_conf(struct ini_conf *c, const struct opts *o)
{
	*c = (struct ini_conf){
		.addr = o->addr,
		.port = (uint16_t)o->port,
		.nqn = o->nqn,
		.hostnqn = o->hostnqn,
		.hdgst = o->hdgst,
		.ddgst = o->ddgst,
		.timeout = o->timeout,
		.kato = (uint32_t)(o->kato / 1000000),
		.congestion = o->congestion,
	};
}

int
admin_open(struct ini **out, const struct opts *o, const char *nqn)
{
	char err[INI_ERR_MAX];
	struct ini_conf c;
	int ret;

	fill_conf(&c, o);
	if (nqn != NULL)
		c.nqn = nqn;
	ret = ini_open(out, &c, err);
	return ret < 0 ? cli_fail(exit_of(ret), "%s", err) : CLI_OK;
}

int
find_subsystem(const struct opts *o, char *nqn)
{
	struct nvme_discovery_entry *e;
	struct ini *ini;
	uint64_t n, found = 0;
	int ret = admin_open(&ini, o, NVME_DISCOVERY_NQN);

	if (ret != CLI_OK)
		return ret;
	ret = ini_discover(ini, &e, &n);
	if (ret < 0) {
		ret = cli_fail(exit_of(ret), "%s", ini_error(ini));
		ini_close(ini);
		return ret;
	}
	for (uint64_t i = 0; i < n; i++) {
		e[i].subnqn[NVME_NQN_LEN - 1] = '\0';
		if (e[i].subtype != NVME_DISC_NVM || (found > 0 && strcmp(nqn, e[i].subnqn) == 0))
			continue;
		if (found++ == 0)
			snprintf(nqn, NVME_NQN_LEN, "%s", e[i].subnqn);
	}
	free(e);
	ini_close(ini);
	if (found == 0)
		return cli_fail(CLI_FAILED, "%s shows this host no subsystem; name one with --nqn", o->addr);
	if (found > 1)
		return cli_fail(CLI_USAGE, "%s has several subsystems; choose with --nqn ('strake-io discover %s')",
				o->addr, o->addr);
	return CLI_OK;
}

int
session_open(struct session *s, struct opts *o, uint32_t queues, uint16_t depth, uint32_t rx_bytes)
{
	char err[INI_ERR_MAX], nqn[NVME_NQN_LEN];
	struct ini_conf c;
	int ret;

	ret = split_addr(o);
	if (ret != CLI_OK)
		return ret;
	fill_conf(&c, o);
	c.queues = queues;
	c.depth = depth;
	c.discard = o->discard;
	c.rx_bytes = rx_bytes;
	if (c.nqn == NULL) {
		ret = find_subsystem(o, nqn);
		if (ret != CLI_OK)
			return ret;
		c.nqn = nqn;
	}
	ret = ini_open(&s->ini, &c, err);
	if (ret < 0)
		return cli_fail(exit_of(ret), "%s", err);
	ret = ini_find_ns(s->ini, o->ns != 0 ? o->ns : 1, &s->ns);
	if (ret < 0) {
		ret = session_fail(s, ret);
		ini_close(s->ini);
	}
	return ret;
}

void
session_close(struct session *s)
{
	ini_close(s->ini);
}

int
session_fail(struct session *s, int err)
{
	return cli_fail(exit_of(err), "%s", ini_error(s->ini));
}

int
range_check(const struct session *s, struct opts *o)
{
	uint64_t total = s->ns.nlb << s->ns.lba_shift, mask = (1ull << s->ns.lba_shift) - 1;

	if (o->offset & mask)
		return cli_fail(CLI_USAGE, "--offset %llu is not a multiple of the volume's block size, %llu",
				(unsigned long long)o->offset, (unsigned long long)mask + 1);
	if (o->offset >= total)
		return cli_fail(CLI_USAGE, "--offset %llu is past the end of the volume, %llu bytes",
				(unsigned long long)o->offset, (unsigned long long)total);
	if (o->length == 0)
		o->length = total - o->offset;
	if (o->length & mask)
		return cli_fail(CLI_USAGE, "--length %llu is not a multiple of the volume's block size, %llu",
				(unsigned long long)o->length, (unsigned long long)mask + 1);
	if (o->length > total - o->offset)
		return cli_fail(CLI_USAGE, "%llu bytes from offset %llu run past the end of the volume, %llu bytes",
				(unsigned long long)o->length, (unsigned long long)o->offset,
				(unsigned long long)total);
	return CLI_OK;
}

void
xfer_setup(struct xfer *x, struct session *s, const struct opts *o, uint8_t opc)
{
	uint32_t mask = (1u << s->ns.lba_shift) - 1;
	uint64_t bs = o->bs != 0 ? o->bs : 128 << 10, most = ini_max_xfer(s->ini);

	/* The field of a command that counts blocks has 16 bits. */
	if (most > 65536ull << s->ns.lba_shift)
		most = 65536ull << s->ns.lba_shift;
	if (bs > most)
		bs = most;
	if (bs < mask + 1)
		bs = mask + 1;
	*x = (struct xfer){
		.ini = s->ini,
		.ns = &s->ns,
		.opc = opc,
		.control = o->fua && opc != NVME_IO_READ ? NVME_RW_FUA : 0,
		.offset = o->offset,
		.length = o->length,
		.bs = (uint32_t)bs & ~mask,
		.depth = o->depth,
		.stop = &cmd_stop,
	};
}

int
do_flush(struct session *s)
{
	struct qp_io io = {.dir = QP_NONE};

	io.cmd.opc = NVME_IO_FLUSH;
	io.cmd.nsid = s->ns.nsid;
	return ini_exec(s->ini, ini_queue(s->ini, 0), &io);
}
