/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>

#include <openssl/evp.h>

#include "gcm_lane.h"
#include "gcm_soft.h"
#include "secret.h"

void *
gcm_soft_session(const uint8_t *key, bool seal)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	EVP_CIPHER_CTX *ctx;

	/* Its schedule of the key lies where secrets do. */
	crypto_secret_begin();
	ctx = EVP_CIPHER_CTX_new();
	if (ctx != NULL && (cipher == NULL || EVP_CipherInit_ex2(ctx, cipher, key, NULL, seal, NULL) != 1)) {
		EVP_CIPHER_CTX_free(ctx);
		ctx = NULL;
	}
	crypto_secret_end();
	EVP_CIPHER_free(cipher);
	return ctx;
}

void
gcm_soft_session_free(void *session)
{
	EVP_CIPHER_CTX_free(session);
}

static int
payload(EVP_CIPHER_CTX *ctx, struct strake_buf *list, uint32_t len, uint8_t *to)
{
	for (; len > 0 && list != NULL; list = list->next) {
		uint32_t n = RTE_MIN(len, list->len);
		int out;

		if (EVP_CipherUpdate(ctx, to, &out, list->addr, (int)n) != 1 || out != (int)n)
			return -EIO;
		to += n;
		len -= n;
	}
	return len == 0 ? 0 : -EIO;
}

static int
run(EVP_CIPHER_CTX *ctx, struct strake_unit *u, uint8_t *to)
{
	struct strake_seal *seal = &strake_chunk_of(u)->seal;
	bool write = u->op == STRAKE_OP_WRITE;
	uint8_t aad[GCM_AAD];
	int n, ret;

	gcm_aad(seal, aad);
	if (EVP_CipherInit_ex2(ctx, NULL, NULL, seal->nonce, -1, NULL) != 1 ||
	    EVP_CipherUpdate(ctx, NULL, &n, aad, sizeof(aad)) != 1)
		return -EIO;
	ret = payload(ctx, u->bufs, seal->stored, to);
	if (ret < 0)
		return ret;
	if (!write && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, GCM_TAG, seal->tag) != 1)
		return -EIO;
	if (EVP_CipherFinal_ex(ctx, to + seal->stored, &n) != 1)
		return write ? -EIO : -EBADMSG;
	if (write && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, GCM_TAG, seal->tag) != 1)
		return -EIO;
	return 0;
}

int
gcm_soft_run(void *session, struct strake_unit *u)
{
	uint32_t stored = strake_chunk_of(u)->seal.stored;
	struct strake_buf *page = strake_buf_page(stored);
	int ret;

	if (page == NULL)
		return -ENOBUFS;
	ret = run(session, u, page->addr);
	if (ret < 0) {
		strake_buf_put(page);
		return ret;
	}
	strake_buf_put_list(u->bufs);
	u->bufs = u->last = NULL;
	strake_unit_append(u, page);
	u->nbytes = stored;
	return 0;
}
