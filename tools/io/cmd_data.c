/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* read, write, trim, zero, flush: small work on a range of the volume. */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "units.h"

#define STDIN_MAX   (256u << 20)
#define TRIM_CHUNK  (1ull << 30) /* bytes in one range: within what any target takes */
#define DATA_QUEUES 1

static int
open_range(struct session *s, struct opts *o)
{
	int ret = session_open(s, o, DATA_QUEUES, 128, 0);

	if (ret != CLI_OK)
		return ret;
	ret = range_check(s, o);
	if (ret != CLI_OK)
		session_close(s);
	return ret;
}

static int
finish(struct session *s, int err)
{
	int ret = err < 0 ? session_fail(s, err) : CLI_OK;

	session_close(s);
	return ret;
}

static void
hex_lines(const uint8_t *p, uint64_t at, uint32_t len)
{
	for (uint32_t i = 0; i < len; i += 16) {
		char text[17] = "";

		printf("%08llx ", (unsigned long long)(at + i));
		for (uint32_t j = 0; j < 16; j++) {
			printf("%s%02x", j % 8 == 0 ? "  " : " ", p[i + j]);
			text[j] = isprint(p[i + j]) ? (char)p[i + j] : '.';
		}
		printf("  |%s|\n", text);
	}
}

static int
put_hex(struct xfer *x, void *buf, uint64_t at, uint32_t len)
{
	hex_lines(buf, at, len);
	return 0;
}

static int
put_raw(struct xfer *x, void *buf, uint64_t at, uint32_t len)
{
	if (fwrite(buf, 1, len, stdout) == len)
		return 0;
	snprintf(x->arg, INI_ERR_MAX, "cannot write to the standard output: %s", strerror(errno));
	return -EIO;
}

int
cmd_read(void *values, int argc, char **argv)
{
	struct opts *o = values;
	char local[INI_ERR_MAX] = "";
	struct session s;
	struct xfer x;
	int ret;

	ret = session_open(&s, o, DATA_QUEUES, 128, 0);
	if (ret != CLI_OK)
		return ret;
	if (o->length == 0)
		o->length = 1u << s.ns.lba_shift;
	ret = range_check(&s, o);
	if (ret != CLI_OK) {
		session_close(&s);
		return ret;
	}
	xfer_setup(&x, &s, o, NVME_IO_READ);
	x.data = o->raw || !isatty(STDOUT_FILENO) ? put_raw : put_hex;
	x.arg = local;
	ret = xfer_run(&x);
	if (ret == 0 && fflush(stdout) != 0)
		ret = put_raw(&x, local, 0, 1);
	if (local[0] == '\0')
		return finish(&s, ret);
	session_close(&s);
	return cli_fail(CLI_LOCAL, "%s", local);
}

static int
take_fill(struct xfer *x, void *buf, uint64_t at, uint32_t len)
{
	memset(buf, *(const uint8_t *)x->arg, len);
	return 0;
}

static int
take_memory(struct xfer *x, void *buf, uint64_t at, uint32_t len)
{
	memcpy(buf, (const uint8_t *)x->arg + (at - x->offset), len);
	return 0;
}

static uint8_t *
read_stdin(uint64_t *len)
{
	uint8_t *buf = malloc(STDIN_MAX + 1ul);

	if (buf != NULL)
		*len = fread(buf, 1, STDIN_MAX + 1ul, stdin);
	return buf;
}

int
cmd_write(void *values, int argc, char **argv)
{
	struct opts *o = values;
	uint8_t *input = NULL, byte;
	uint64_t fill = 0;
	struct session s;
	struct xfer x;
	int ret;

	if (o->fill != NULL && (units_parse_u64(o->fill, &fill) < 0 || fill > 255))
		return cli_fail(CLI_USAGE, "--fill: '%s' is not a byte, 0 to 255", o->fill);
	if (o->fill != NULL && o->length == 0)
		return cli_fail(CLI_USAGE, "--fill needs --length");
	if (o->fill == NULL) {
		uint64_t len = 0;

		input = read_stdin(&len);
		if (input == NULL || len == 0 || len > STDIN_MAX) {
			free(input);
			return cli_fail(CLI_LOCAL,
					len == 0 ? "nothing came on the standard input; see --fill"
						 : "more than 256 MiB came on the standard input; use copy-in");
		}
		o->length = len;
	}
	ret = open_range(&s, o);
	if (ret != CLI_OK)
		goto out;
	xfer_setup(&x, &s, o, NVME_IO_WRITE);
	byte = (uint8_t)fill;
	x.data = input != NULL ? take_memory : take_fill;
	x.arg = input != NULL ? input : &byte;
	ret = finish(&s, xfer_run(&x));
out:
	free(input);
	return ret;
}

int
cmd_trim(void *values, int argc, char **argv)
{
	struct opts *o = values;
	struct session s;
	int ret = open_range(&s, o);

	if (ret != CLI_OK)
		return ret;
	for (uint64_t at = 0; at < o->length && ret == 0; at += TRIM_CHUNK) {
		uint64_t n = o->length - at < TRIM_CHUNK ? o->length - at : TRIM_CHUNK;
		struct nvme_dsm_range range = {.nlb = (uint32_t)(n >> s.ns.lba_shift),
					       .slba = (o->offset + at) >> s.ns.lba_shift};
		struct qp_io io = {.buf = &range, .len = sizeof(range), .dir = QP_OUT};

		io.cmd.opc = NVME_IO_DSM;
		io.cmd.nsid = s.ns.nsid;
		io.cmd.cdw10 = 0; /* one range, 0's based */
		io.cmd.cdw11 = NVME_DSM_AD;
		ret = ini_exec(s.ini, ini_queue(s.ini, 0), &io);
	}
	return finish(&s, ret);
}

/* Zeroes are not sent, so their commands may be longer than those that carry data: as long as the target says, or as
 * their field for blocks can say. */
static uint32_t
zero_bytes(struct session *s)
{
	uint64_t most = 65536ull << s->ns.lba_shift;
	struct nvme_id_cs_ctrlr *id = calloc(1, sizeof(*id));

	if (id != NULL && ini_identify(s->ini, NVME_CNS_CS_CTRLR, 0, id) == 0 && id->wzsl != 0 && id->wzsl < 20)
		most = 4096ull << id->wzsl < most ? 4096ull << id->wzsl : most;
	else if (ini_max_xfer(s->ini) < most)
		most = ini_max_xfer(s->ini);
	free(id);
	return (uint32_t)most;
}

int
cmd_zero(void *values, int argc, char **argv)
{
	struct opts *o = values;
	struct session s;
	struct xfer x;
	int ret = open_range(&s, o);

	if (ret != CLI_OK)
		return ret;
	xfer_setup(&x, &s, o, NVME_IO_WRITE_ZEROES);
	if (o->bs == 0 || o->bs > x.bs)
		x.bs = zero_bytes(&s);
	if (o->bs != 0 && o->bs < x.bs)
		x.bs = (uint32_t)o->bs & ~((1u << s.ns.lba_shift) - 1);
	if (o->dealloc)
		x.control |= NVME_RW_DEAC;
	return finish(&s, xfer_run(&x));
}

int
cmd_flush(void *values, int argc, char **argv)
{
	struct session s;
	int ret = session_open(&s, values, DATA_QUEUES, 1, 0);

	return ret != CLI_OK ? ret : finish(&s, do_flush(&s));
}
