/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <stdio.h>

#include <openssl/err.h>

#include <rte_log.h>
#include <rte_malloc.h>
#include <rte_telemetry.h>
#include <rte_prefetch.h>

#include "crypto.h"
#include "key.h"
#include "secret.h"

/*
 * The crypto stage. Writes are encrypted into new pages, which replace the payload on its way to the drives; reads are
 * decrypted where they lie, or into new pages. Without pages a write is offered again (RETRY), and a read, which cannot
 * be asked for twice, is kept (HELD) until there are some.
 *
 * Write Zeroes and Deallocate pass as they are: a stored block of zeroes is a hole and reads back as zeroes.
 */

RTE_LOG_REGISTER(crypto_log, strake.crypto, INFO)

#define FETCH_AHEAD 1024u

struct crypto {
	uint8_t *key; /* in secret memory */
	struct xts_stats stats[STRAKE_LCORE_MAX];
};

struct crypto_lcore {
	struct xts xts;
	struct strake_unit *held, *held_last; /* reads that wait for pages, in order */
};

static const char *const algorithms[] = {"aes-256-xts", NULL};

static const struct conf_key crypto_keys[] = {
	{.name = "key_file",
	 .type = CONF_PATH,
	 .required = true,
	 .help = "File with the key, 64 random bytes or 128 hex digits, which only its owner may read (mode 0600)."},
	{.name = "algorithm",
	 .type = CONF_CHOICE,
	 .def = "aes-256-xts",
	 .choices = algorithms,
	 .help = "Cipher. XTS keeps the size and gives no integrity."},
	{},
};

static int
crypto_create(struct strake_stage *st, const struct conf_values *conf, char *err, size_t errlen)
{
	struct crypto *cr = rte_zmalloc("crypto", sizeof(*cr), RTE_CACHE_LINE_SIZE);
	int ret;

	if (cr == NULL) {
		snprintf(err, errlen, "out of memory");
		return -ENOMEM;
	}
	ret = crypto_key_load(&cr->key, conf_str(conf, "key_file"), err, errlen);
	if (ret < 0) {
		rte_free(cr);
		return ret;
	}
	if (!crypto_secret_begin())
		rte_log(RTE_LOG_WARNING, crypto_log, "%s: OpenSSL keeps keys in memory that core dumps show\n",
			st->name);
	crypto_secret_end();
	st->priv = cr;
	return 0;
}

static void
crypto_destroy(struct strake_stage *st)
{
	struct crypto *cr = st->priv;

	crypto_secret_free(cr->key);
	rte_free(cr);
	st->priv = NULL;
}

static int
crypto_lcore_init(struct strake_stage *st)
{
	struct crypto *cr = st->priv;
	uint16_t self = strake_self_index();
	struct crypto_lcore *lc;
	int ret;

	lc = rte_zmalloc_socket("crypto_lcore", sizeof(*lc), RTE_CACHE_LINE_SIZE, strake_self()->socket);
	if (lc == NULL)
		return -ENOMEM;
	ret = xts_init(&lc->xts, cr->key, &cr->stats[self]);
	if (ret < 0) {
		rte_log(RTE_LOG_ERR, crypto_log, "%s: OpenSSL gives no AES-256-XTS: %s\n", st->name,
			ERR_reason_error_string(ERR_peek_last_error()));
		rte_free(lc);
		return ret;
	}
	st->lc[self] = lc;
	return 0;
}

static void
crypto_lcore_fini(struct strake_stage *st)
{
	struct crypto_lcore *lc = strake_stage_lcore(st);

	if (lc == NULL)
		return;
	xts_fini(&lc->xts);
	rte_free(lc);
	st->lc[strake_self_index()] = NULL;
}

static void
write_down(struct crypto_lcore *lc, struct strake_unit *u)
{
	const struct strake_chunk *chunk = strake_chunk_of(u);
	struct strake_buf *sealed;
	int ret = xts_payload_encrypt(&lc->xts, u->bufs, u->nbytes, chunk->lba_shift, u->lba, &sealed);

	if (ret == -ENOBUFS) {
		u->verdict = STRAKE_RETRY;
	} else if (unlikely(ret < 0)) {
		strake_unit_fail(u, ret);
	} else {
		strake_buf_put_list(u->bufs);
		u->bufs = u->last = NULL;
		strake_unit_append(u, sealed);
	}
}

static void
crypto_down(struct strake_stage *st, struct strake_unit **units, uint16_t n)
{
	struct crypto_lcore *lc = strake_stage_lcore(st);

	for (uint16_t i = 0; i < n; i++) {
		units[i]->verdict = STRAKE_NEXT;
		if (units[i]->op == STRAKE_OP_WRITE)
			write_down(lc, units[i]);
		else
			units[i]->flags |= STRAKE_UNIT_TOUCHED; /* what is read is deciphered on its way up */
	}
}

/* @return 0; -ENOBUFS: to be tried again. Other errors are in the unit. */
static int
read_up(struct crypto_lcore *lc, struct strake_unit *u)
{
	const struct strake_chunk *chunk = strake_chunk_of(u);
	struct strake_buf *clear = NULL;
	int ret = xts_payload_decrypt(&lc->xts, u->bufs, u->nbytes, chunk->lba_shift, u->lba, &clear);

	if (ret == -ENOBUFS)
		return ret;
	if (ret == 0 && clear == u->bufs)
		return 0;
	strake_buf_put_list(u->bufs);
	u->bufs = u->last = NULL;
	if (unlikely(ret < 0))
		u->status = (int16_t)ret; /* ciphertext is no answer */
	else
		strake_unit_append(u, clear);
	return 0;
}

static void
hold(struct crypto_lcore *lc, struct strake_unit *u)
{
	u->verdict = STRAKE_HELD;
	u->link = NULL;
	if (lc->held == NULL)
		lc->held = u;
	else
		lc->held_last->link = u;
	lc->held_last = u;
}

/* While one unit is decrypted, the next comes from memory. OpenSSL fetches nothing: for it as many lines as a core can
 * have under way without waiting; what follows them the processor fetches by itself. */
static inline void
fetch(struct crypto_lcore *lc, const struct strake_unit *u)
{
	const struct strake_buf *buf = u != NULL && u->op == STRAKE_OP_READ ? u->bufs : NULL;
	uint32_t len;

	lc->xts.next = buf != NULL ? buf->addr : NULL;
	lc->xts.next_len = buf != NULL ? buf->len : 0;
	if (likely(lc->xts.wide != NULL) || buf == NULL)
		return;
	len = RTE_MIN(buf->len, FETCH_AHEAD);
	for (uint32_t at = 0; at < len; at += RTE_CACHE_LINE_SIZE)
		rte_prefetch1(buf->addr + at);
}

static void
crypto_up(struct strake_stage *st, struct strake_unit **units, uint16_t n)
{
	struct crypto_lcore *lc = strake_stage_lcore(st);

	for (uint16_t i = 0; i < n; i++) {
		struct strake_unit *u = units[i];

		fetch(lc, i + 1 < n ? units[i + 1] : NULL);
		if (u->op != STRAKE_OP_READ || u->status != 0)
			continue;
		/* Behind those that wait already: pages go to who came first. */
		if (unlikely(lc->held != NULL) || unlikely(read_up(lc, u) == -ENOBUFS))
			hold(lc, u);
	}
}

static uint32_t
crypto_poll(struct strake_stage *st, uint64_t now)
{
	struct crypto_lcore *lc = strake_stage_lcore(st);
	uint32_t work = 0;

	if (likely(lc == NULL || lc->held == NULL))
		return 0;
	while (lc->held != NULL && work < STRAKE_BURST) {
		struct strake_unit *u = lc->held, *next = u->link;

		if (read_up(lc, u) == -ENOBUFS)
			break;
		lc->held = next;
		work++;
		strake_unit_complete(u);
	}
	return work;
}

static bool
crypto_drain(struct strake_stage *st)
{
	const struct crypto_lcore *lc = strake_stage_lcore(st);

	return lc == NULL || lc->held == NULL;
}

void
crypto_stats(const struct strake_stage *st, struct xts_stats *sum)
{
	const struct crypto *cr = st->priv;

	*sum = (struct xts_stats){0};
	for (unsigned int i = 0; i < STRAKE_LCORE_MAX; i++) {
		sum->encrypted += cr->stats[i].encrypted;
		sum->decrypted += cr->stats[i].decrypted;
		sum->gathered += cr->stats[i].gathered;
		sum->moved += cr->stats[i].moved;
		sum->holes += cr->stats[i].holes;
		sum->errors += cr->stats[i].errors;
	}
}

static void
crypto_telemetry(struct strake_stage *st, struct rte_tel_data *dict)
{
	struct xts_stats sum;

	crypto_stats(st, &sum);
	rte_tel_data_add_dict_u64(dict, "bytes_transformed", sum.encrypted + sum.decrypted);
	rte_tel_data_add_dict_u64(dict, "bytes_encrypted", sum.encrypted);
	rte_tel_data_add_dict_u64(dict, "bytes_decrypted", sum.decrypted);
	rte_tel_data_add_dict_u64(dict, "bytes_gathered", sum.gathered);
	rte_tel_data_add_dict_u64(dict, "bytes_moved", sum.moved);
	rte_tel_data_add_dict_u64(dict, "bytes_holes", sum.holes);
	rte_tel_data_add_dict_u64(dict, "cipher_errors", sum.errors);
}

static const struct strake_stage_ops crypto_ops = {
	.name = "crypto",
	.after = "compress", /* what is encrypted does not shrink */
	.unit = STRAKE_UNIT_CHUNK,
	.keys = crypto_keys,
	.create = crypto_create,
	.lcore_init = crypto_lcore_init,
	.lcore_fini = crypto_lcore_fini,
	.down = crypto_down,
	.up = crypto_up,
	.poll = crypto_poll,
	.drain = crypto_drain,
	.destroy = crypto_destroy,
	.telemetry = crypto_telemetry,
};
STRAKE_STAGE_REGISTER(crypto_ops)
