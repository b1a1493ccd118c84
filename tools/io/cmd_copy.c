/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* copy-in, copy-out, verify: long work with a progress line, and SHA-256 of what went through. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "cmd.h"
#include "pattern.h"
#include "ticks.h"
#include "units.h"

#define BLOCK_MAX (64u << 10)

struct copy {
	const char *path;
	int fd;
	bool made;	       /* by us, so that no half of a copy stays when it fails */
	uint64_t offset, size; /* of the volume's range; size in bytes of the file */
	EVP_MD_CTX *sha, *sha_file;
	uint8_t tail[BLOCK_MAX]; /* what the last block holds behind the file's end */
	uint8_t *compare;
	uint64_t seed;
	uint32_t shift;
	char err[INI_ERR_MAX];
};

static int
local_fail(struct copy *c, const char *what)
{
	snprintf(c->err, sizeof(c->err), "%s: cannot %s: %s", c->path, what, strerror(errno));
	return -EIO;
}

/* Bytes of [at, at + len) that belong to the file. */
static uint32_t
within(const struct copy *c, uint64_t at, uint32_t len)
{
	uint64_t left = c->size - (at - c->offset);

	return left < len ? (uint32_t)left : len;
}

static int
pread_all(struct copy *c, uint8_t *buf, uint64_t at, uint32_t len)
{
	for (uint32_t got = 0; got < len;) {
		ssize_t n = pread(c->fd, buf + got, len - got, (off_t)(at + got));

		if (n == 0)
			errno = EIO; /* it became shorter under our hands */
		if (n <= 0)
			return local_fail(c, "read");
		got += (uint32_t)n;
	}
	return 0;
}

static int
from_file(struct xfer *x, void *buf, uint64_t at, uint32_t len)
{
	struct copy *c = x->arg;
	uint32_t n = within(c, at, len);
	int ret = pread_all(c, buf, at - c->offset, n);

	if (ret < 0)
		return ret;
	if (n < len)
		memcpy((uint8_t *)buf + n, c->tail, len - n);
	EVP_DigestUpdate(c->sha, buf, n);
	return 0;
}

static int
to_file(struct xfer *x, void *buf, uint64_t at, uint32_t len)
{
	struct copy *c = x->arg;

	len = within(c, at, len);
	EVP_DigestUpdate(c->sha, buf, len);
	for (uint32_t put = 0; put < len;) {
		ssize_t n = pwrite(c->fd, (uint8_t *)buf + put, len - put, (off_t)(at - c->offset + put));

		if (n <= 0)
			return local_fail(c, "write");
		put += (uint32_t)n;
	}
	return 0;
}

static int
mismatch(struct copy *c, uint64_t at, const char *what)
{
	snprintf(c->err, sizeof(c->err), "the volume differs from %s, first at byte %llu", what,
		 (unsigned long long)at);
	return -EILSEQ;
}

static int
against_file(struct xfer *x, void *buf, uint64_t at, uint32_t len)
{
	struct copy *c = x->arg;
	int ret;

	len = within(c, at, len);
	ret = pread_all(c, c->compare, at - c->offset, len);
	if (ret < 0)
		return ret;
	EVP_DigestUpdate(c->sha, buf, len);
	EVP_DigestUpdate(c->sha_file, c->compare, len);
	for (uint32_t i = 0; c->err[0] == '\0' && i < len; i++)
		if (((uint8_t *)buf)[i] != c->compare[i])
			mismatch(c, at + i, c->path); /* read on: both sums shall be of everything */
	return 0;
}

static int
from_pattern(struct xfer *x, void *buf, uint64_t at, uint32_t len)
{
	struct copy *c = x->arg;

	pattern_fill(buf, len, c->seed, at >> c->shift, c->shift, 1);
	return 0;
}

static int
against_pattern(struct xfer *x, void *buf, uint64_t at, uint32_t len)
{
	struct copy *c = x->arg;
	int64_t bad = pattern_check(buf, len, c->seed, at >> c->shift, c->shift, 1);

	EVP_DigestUpdate(c->sha, buf, len);
	return bad < 0 ? 0 : mismatch(c, at + (uint64_t)bad, "the pattern");
}

/* Whole blocks in the options, bytes in @p c. */
static int
set_range(struct session *s, struct opts *o, struct copy *c, uint64_t size)
{
	uint64_t mask = (1ull << s->ns.lba_shift) - 1;

	c->offset = o->offset;
	c->shift = s->ns.lba_shift;
	o->length = (size + mask) & ~mask;
	if (range_check(s, o) != CLI_OK)
		return CLI_USAGE;
	c->size = size != 0 ? size : o->length;
	return CLI_OK;
}

/* A file that ends inside a block must not change what the volume has behind it. */
static int
load_tail(struct session *s, struct copy *c)
{
	uint64_t bs = 1ull << s->ns.lba_shift, into = c->size % bs;
	uint8_t block[BLOCK_MAX];
	struct qp_io io = {.buf = block, .len = (uint32_t)bs, .dir = QP_IN};
	int ret;

	if (into == 0)
		return 0;
	io.cmd.opc = NVME_IO_READ;
	io.cmd.nsid = s->ns.nsid;
	io.cmd.slba = (c->offset + c->size) >> s->ns.lba_shift;
	ret = ini_exec(s->ini, ini_queue(s->ini, 0), &io);
	memcpy(c->tail, block + into, bs - into);
	return ret;
}

static void
sha_text(EVP_MD_CTX *ctx, char *out)
{
	uint8_t h[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	EVP_DigestFinal_ex(ctx, h, &n);
	for (unsigned int i = 0; i < n; i++)
		sprintf(out + 2 * i, "%02x", h[i]);
}

static int
open_sums(struct copy *c)
{
	c->sha = EVP_MD_CTX_new();
	c->sha_file = EVP_MD_CTX_new();
	if (c->sha == NULL || c->sha_file == NULL)
		return -ENOMEM;
	EVP_DigestInit_ex(c->sha, EVP_sha256(), NULL);
	EVP_DigestInit_ex(c->sha_file, EVP_sha256(), NULL);
	return 0;
}

static void
copy_free(struct copy *c)
{
	if (c->fd >= 0)
		close(c->fd);
	if (c->made)
		unlink(c->path);
	EVP_MD_CTX_free(c->sha);
	EVP_MD_CTX_free(c->sha_file);
	free(c->compare);
}

/* One pass over the range, with its line of progress. */
static int
pass(struct session *s, const struct opts *o, struct copy *c, const char *what, uint8_t opc,
     int (*data)(struct xfer *, void *, uint64_t, uint32_t))
{
	struct progress p;
	struct xfer x;
	int ret;

	xfer_setup(&x, s, o, opc);
	x.data = data;
	x.arg = c;
	x.progress = &p;
	c->compare = opc == NVME_IO_READ ? realloc(c->compare, x.bs) : c->compare;
	if (opc == NVME_IO_READ && c->compare == NULL)
		return -ENOMEM;
	progress_begin(&p, what, o->length, o->quiet || o->json, (uint64_t)ticks_to_ns(ticks_now()));
	ret = xfer_run(&x);
	progress_end(&p, x.moved, (uint64_t)ticks_to_ns(ticks_now()));
	return ret;
}

/* Result on stdout, or what failed on stderr; closes everything. */
static int
conclude(struct session *s, const struct opts *o, struct copy *c, const char *what, int err, uint64_t ticks)
{
	char sum[2 * EVP_MAX_MD_SIZE + 1], sum_file[2 * EVP_MAX_MD_SIZE + 1], b1[UNITS_MAX], b2[UNITS_MAX];
	double secs = ticks_to_ns(ticks) / 1e9;
	int ret = CLI_OK;

	if (err < 0 || c->err[0] != '\0')
		ret = c->err[0] != '\0' ? cli_fail(exit_of(err < 0 ? err : -EILSEQ), "%s", c->err)
					: session_fail(s, err);
	c->made = c->made && ret != CLI_OK;
	if (ret == CLI_OK || ret == CLI_MISMATCH) {
		sha_text(c->sha, sum);
		sha_text(c->sha_file, sum_file);
		if (o->json)
			printf("{\"command\": \"%s\", \"bytes\": %llu, \"seconds\": %.6f, \"sha256\": \"%s\", \"ok\": "
			       "%s}\n",
			       what, (unsigned long long)c->size, secs, sum, ret == CLI_OK ? "true" : "false");
		else
			printf("%s: %s in %.2f s, %s/s\nsha256 %s\n", what, units_bytes(b1, (double)c->size), secs,
			       units_bytes(b2, (double)c->size / secs), sum);
		if (ret == CLI_MISMATCH && !o->json && c->fd >= 0)
			printf("sha256 %s of %s\n", sum_file, c->path);
	}
	copy_free(c);
	session_close(s);
	return ret;
}

/* @return 0, or -errno and why in c->err. */
static int
open_file(struct copy *c, int flags, struct stat *st)
{
	const char *why = NULL;

	c->fd = open(c->path, flags | O_CLOEXEC, 0644);
	if (c->fd < 0 && errno == ENOENT && flags == O_RDWR) {
		c->fd = open(c->path, flags | O_CLOEXEC | O_CREAT | O_EXCL, 0644);
		c->made = c->fd >= 0;
	}
	if (c->fd < 0 || fstat(c->fd, st) < 0)
		return local_fail(c, "open");
	if (S_ISBLK(st->st_mode))
		st->st_size = lseek(c->fd, 0, SEEK_END);
	if (S_ISDIR(st->st_mode))
		why = "is a directory";
	else if (flags == O_RDONLY && !S_ISREG(st->st_mode) && !S_ISBLK(st->st_mode))
		why = "is neither a file nor a block device";
	else if (flags == O_RDONLY && st->st_size <= 0)
		why = "is empty";
	if (why == NULL)
		return 0;
	snprintf(c->err, sizeof(c->err), "%s: %s", c->path, why);
	return -EIO;
}

static int
open_all(struct session *s, struct opts *o, struct copy *c, int flags, struct stat *st)
{
	*c = (struct copy){.path = o->file, .fd = -1, .seed = o->seed};
	if (o->file != NULL && open_file(c, flags, st) < 0)
		goto err_local;
	if (open_sums(c) < 0) {
		snprintf(c->err, sizeof(c->err), "out of memory");
		goto err_local;
	}
	flags = session_open(s, o, o->queues, (uint16_t)o->depth, 64 << 10);
	if (flags != CLI_OK)
		copy_free(c);
	return flags;

err_local:
	copy_free(c);
	return cli_fail(CLI_LOCAL, "%s", c->err);
}

int
cmd_copy_in(void *values, int argc, char **argv)
{
	struct opts *o = values;
	struct session s;
	struct copy c;
	struct stat st;
	uint64_t t;
	int ret;

	o->file = argv[0];
	ret = open_all(&s, o, &c, O_RDONLY, &st);
	if (ret != CLI_OK)
		return ret;
	ret = set_range(&s, o, &c, (uint64_t)st.st_size);
	if (ret != CLI_OK) {
		copy_free(&c);
		session_close(&s);
		return ret;
	}
	t = ticks_now();
	ret = load_tail(&s, &c);
	if (ret == 0)
		ret = pass(&s, o, &c, "copy-in", NVME_IO_WRITE, from_file);
	if (ret == 0)
		ret = do_flush(&s);
	return conclude(&s, o, &c, "copy-in", ret, ticks_now() - t);
}

int
cmd_copy_out(void *values, int argc, char **argv)
{
	struct opts *o = values;
	struct session s;
	struct copy c;
	struct stat st;
	uint64_t t;
	int ret;

	o->file = argv[0];
	ret = open_all(&s, o, &c, O_RDWR, &st);
	if (ret != CLI_OK)
		return ret;
	ret = set_range(&s, o, &c, o->length);
	if (ret != CLI_OK) {
		copy_free(&c);
		session_close(&s);
		return ret;
	}
	t = ticks_now();
	ret = S_ISREG(st.st_mode) && ftruncate(c.fd, 0) < 0 ? local_fail(&c, "shorten") : 0;
	if (ret == 0)
		ret = pass(&s, o, &c, "copy-out", NVME_IO_READ, to_file);
	if (ret == 0 && S_ISREG(st.st_mode) && fdatasync(c.fd) < 0)
		ret = local_fail(&c, "sync");
	return conclude(&s, o, &c, "copy-out", ret, ticks_now() - t);
}

int
cmd_verify(void *values, int argc, char **argv)
{
	struct opts *o = values;
	struct session s;
	struct copy c;
	struct stat st;
	uint64_t t, size = o->length;
	int ret;

	o->file = argc > 0 ? argv[0] : NULL;
	ret = open_all(&s, o, &c, O_RDONLY, &st);
	if (ret != CLI_OK)
		return ret;
	if (o->file != NULL && (size == 0 || size > (uint64_t)st.st_size))
		size = (uint64_t)st.st_size;
	ret = set_range(&s, o, &c, size);
	if (ret != CLI_OK) {
		copy_free(&c);
		session_close(&s);
		return ret;
	}
	t = ticks_now();
	if (o->file != NULL) {
		ret = pass(&s, o, &c, "compare", NVME_IO_READ, against_file);
		return conclude(&s, o, &c, "verify", ret, ticks_now() - t);
	}
	if (!o->read_only)
		ret = pass(&s, o, &c, "write", NVME_IO_WRITE, from_pattern);
	if (ret == 0)
		ret = pass(&s, o, &c, "check", NVME_IO_READ, against_pattern);
	return conclude(&s, o, &c, "verify", ret, ticks_now() - t);
}
