/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <openssl/crypto.h>
#include <rte_common.h>

#include "secret.h"

/*
 * One range of addresses, so that any pointer can be told to be ours or not; memory is taken from its front as needed,
 * in classes of powers of two, and freed pieces wait in their class.
 */

#define RANGE	 (256u << 20) /* of addresses, not of memory */
#define STEP	 (64u << 10)  /* locked at a time */
#define CLASSES	 8	      /* 64 to 8192 bytes */
#define CLASS(i) ((size_t)64 << (i))

struct piece {
	struct piece *next; /* while free */
	size_t cls;
	unsigned char bytes[];
};

static struct {
	pthread_mutex_t lock;
	unsigned char *base; /* set once */
	size_t used, locked;
	struct piece *free[CLASSES];
	bool hooked;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};

static __thread bool openssl_too;

static bool
pool_open(void)
{
	void *base;

	if (pool.base != NULL)
		return true;
	base = mmap(NULL, RANGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return false;
	/* A core dump outlives us on a disk: where it cannot be kept clean there is no memory for secrets. */
	if (madvise(base, RANGE, MADV_DONTDUMP) != 0) {
		munmap(base, RANGE);
		return false;
	}
	(void)!madvise(base, RANGE, MADV_WIPEONFORK);
	__atomic_store_n(&pool.base, base, __ATOMIC_RELEASE);
	return true;
}

static struct piece *
pool_grow(size_t cls)
{
	size_t size = sizeof(struct piece) + CLASS(cls);
	struct piece *p;

	if (RANGE - pool.used < size)
		return NULL;
	p = (struct piece *)(pool.base + pool.used);
	pool.used += size;
	while (pool.locked < pool.used) {
		/* Best effort: RLIMIT_MEMLOCK may be small. */
		(void)!mlock(pool.base + pool.locked, STEP);
		pool.locked += STEP;
	}
	p->cls = cls;
	return p;
}

void *
crypto_secret_alloc(size_t size)
{
	struct piece *p = NULL;
	size_t cls = 0;

	if (size > CRYPTO_SECRET_MAX)
		return NULL;
	while (CLASS(cls) < size)
		cls++;
	pthread_mutex_lock(&pool.lock);
	if (pool_open()) {
		p = pool.free[cls];
		if (p != NULL)
			pool.free[cls] = p->next;
		else
			p = pool_grow(cls);
	}
	pthread_mutex_unlock(&pool.lock);
	return p != NULL ? p->bytes : NULL;
}

static struct piece *
piece_of(void *p)
{
	return (struct piece *)((unsigned char *)p - offsetof(struct piece, bytes));
}

void
crypto_secret_free(void *p)
{
	struct piece *piece;

	if (p == NULL)
		return;
	piece = piece_of(p);
	OPENSSL_cleanse(piece->bytes, CLASS(piece->cls));
	pthread_mutex_lock(&pool.lock);
	piece->next = pool.free[piece->cls];
	pool.free[piece->cls] = piece;
	pthread_mutex_unlock(&pool.lock);
}

/* --- OpenSSL's memory --------------------------------------------------------------------------------------------- */

static bool
is_ours(const void *p)
{
	const unsigned char *base = __atomic_load_n(&pool.base, __ATOMIC_ACQUIRE);

	return base != NULL && (uintptr_t)p - (uintptr_t)base < RANGE;
}

static void *
hook_malloc(size_t size, const char *file, int line)
{
	return openssl_too ? crypto_secret_alloc(size) : malloc(size);
}

static void
hook_free(void *p, const char *file, int line)
{
	if (is_ours(p))
		crypto_secret_free(p);
	else
		free(p);
}

static void *
hook_realloc(void *p, size_t size, const char *file, int line)
{
	size_t had;
	void *q;

	if (p != NULL && !is_ours(p))
		return realloc(p, size);
	q = hook_malloc(size, file, line);
	if (q == NULL || p == NULL)
		return q;
	had = CLASS(piece_of(p)->cls);
	memcpy(q, p, had < size ? had : size);
	crypto_secret_free(p);
	return q;
}

/* OpenSSL takes this only before its first allocation, which no constructor makes. */
RTE_INIT(crypto_secret_hook)
{
	pool.hooked = CRYPTO_set_mem_functions(hook_malloc, hook_realloc, hook_free) == 1;
}

bool
crypto_secret_begin(void)
{
	openssl_too = pool.hooked;
	return pool.hooked;
}

void
crypto_secret_end(void)
{
	openssl_too = false;
}
