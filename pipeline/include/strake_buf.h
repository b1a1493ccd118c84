/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STRAKE_BUF_H
#define STRAKE_BUF_H

/**
 * @file
 * Bytes, whoever owns them.
 *
 * A strake_buf describes one run of contiguous bytes; a list of them (linked by
 * `next`) describes the payload of a unit or a piece of a stream. The descriptor
 * is one cache line from a pool with a cache per lcore, so it may be taken on one
 * lcore and put on another. The bytes behind it belong to a *backing*: a received
 * mbuf, a page of the registered arena, a page lent by a drive, another buf
 * (slice), or memory that is simply there.
 *
 * Ownership: whoever holds a reference may read. Whoever holds the only reference
 * to a buf with STRAKE_BUF_WRITABLE may write. A function documented as "takes"
 * a list owns one reference of every element afterwards, also when it fails,
 * unless it says otherwise.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_mbuf_core.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Nobody can change the bytes while we hold a reference. Unset: a peer still may, so they are copied before anything
 * reads them twice. */
#define STRAKE_BUF_STABLE 0x01
/** The holder of the only reference may write to the bytes. */
#define STRAKE_BUF_WRITABLE 0x02

/** Value of strake_buf::reg for bytes outside every registered region. */
#define STRAKE_BUF_UNREGISTERED UINT8_MAX
/** io_uring registered-buffer index of the arena, on every ring of every lcore. */
#define STRAKE_BUF_REG_ARENA 0

/** Longest contiguous buf strake_buf_page() gives, bytes; also the longest I/O (MDTS). */
#define STRAKE_BUF_PAGE_MAX (128u * 1024u)
/** Alignment of every buf from strake_buf_page(), bytes. */
#define STRAKE_BUF_PAGE_ALIGN 4096u

struct strake_buf;

/** What to do when the last reference goes. One static object per kind of memory. */
struct strake_backing {
	const char *name; /**< for telemetry */
	/** Give the bytes back to whoever owns them. The descriptor itself is returned by the caller of this function.
	 * Runs on the lcore that put the last reference; must not block. NULL: nothing to do. */
	void (*release)(struct strake_buf *buf);
	/** The one's-complement sum (strake_kernels::cksum) of bytes [off, off + len) of @p buf, folded to 16 bits and
	 * not inverted, if it is known without reading them. Any lcore. @return false: read them. Optional. */
	bool (*sum)(const struct strake_buf *buf, uint32_t off, uint32_t len, uint16_t *sum);
};

/** One run of bytes. Exactly one cache line. */
struct strake_buf {
	struct strake_buf *next; /**< next piece of the same payload, or NULL */
	uint8_t *addr;		 /**< first byte */
	const struct strake_backing *backing;
	void *opaque;	 /**< the backing's own: mbuf, page, parent buf */
	uint32_t len;	 /**< bytes, never 0 on a list */
	uint16_t refcnt; /**< references to this descriptor; use the functions */
	uint8_t reg;	 /**< io_uring registered-buffer index the bytes lie in, or STRAKE_BUF_UNREGISTERED */
	uint8_t flags;	 /**< STRAKE_BUF_STABLE, STRAKE_BUF_WRITABLE */
	/** Lets an mbuf point at the bytes without a second descriptor: set up by strake_buf_mbuf_attach(). */
	struct rte_mbuf_ext_shared_info shinfo;
} __rte_cache_aligned;

/** Sizes of the pools, fixed at start-up. */
struct strake_buf_conf {
	uint32_t descriptors; /**< strake_buf objects in all */
	uint64_t arena_bytes; /**< bytes of page memory in all, cut into classes of 4, 16, 64 and 128 KiB */
	int socket;	      /**< NUMA node, or SOCKET_ID_ANY */
};

/**
 * Create descriptor pool and arena. Main lcore, once, after rte_eal_init().
 * @return 0, -ENOMEM (too little huge-page memory), -EEXIST.
 */
int strake_buf_init(const struct strake_buf_conf *conf);
/** Free what strake_buf_init() made. Every buf must have been put. */
void strake_buf_fini(void);

/** Where the arena lies, for io_uring registration. */
void strake_buf_arena(void **addr, size_t *len);

/** Free and total counts, for telemetry and for tests that look for leaks. */
struct strake_buf_usage {
	uint32_t descriptors_free, descriptors;
	uint32_t pages_free[4], pages[4]; /**< by class: 4, 16, 64, 128 KiB */
};
void strake_buf_usage(struct strake_buf_usage *out);

/**
 * A descriptor with one reference, for memory the caller provides.
 * @return NULL when the pool is empty.
 */
struct strake_buf *strake_buf_wrap(void *addr, uint32_t len, const struct strake_backing *backing, void *opaque,
				   uint8_t flags);

/** Bytes of the page that holds @p len bytes: of the smallest class that fits. */
static inline uint32_t
strake_buf_page_size(uint32_t len)
{
	return len <= 4096 ? 4096 : len <= 16384 ? 16384 : len <= 65536 ? 65536 : STRAKE_BUF_PAGE_MAX;
}

/**
 * A contiguous, page-aligned, registered, writable and stable buf from the arena.
 * @param len bytes, 1 to STRAKE_BUF_PAGE_MAX; buf->len is set to it.
 * @return NULL when no class that fits has a page left.
 */
struct strake_buf *strake_buf_page(uint32_t len);

/**
 * A new descriptor of bytes [off, off + len) of @p buf, holding a reference to it.
 * Not writable. Slices of slices refer to the root, so chains stay one deep.
 * @return NULL when the pool is empty.
 */
struct strake_buf *strake_buf_slice(struct strake_buf *buf, uint32_t off, uint32_t len);

/** What the backing knows of the sum of bytes [off, off + len). @return false: nothing. */
static inline bool
strake_buf_sum(const struct strake_buf *buf, uint32_t off, uint32_t len, uint16_t *sum)
{
	return buf->backing->sum != NULL && buf->backing->sum(buf, off, len, sum);
}

/** Called by strake_buf_put() for the last reference; not for other callers. */
void strake_buf_free(struct strake_buf *buf);

static inline struct strake_buf *
strake_buf_get(struct strake_buf *buf)
{
	__atomic_fetch_add(&buf->refcnt, 1, __ATOMIC_RELAXED);
	return buf;
}

/** Drop one reference of one descriptor; `next` is not followed. */
static inline void
strake_buf_put(struct strake_buf *buf)
{
	/* A holder of the only reference needs no locked instruction. The acquire pairs with the release of the
	 * decrement by which another lcore gave up its reference. */
	if (likely(__atomic_load_n(&buf->refcnt, __ATOMIC_ACQUIRE) == 1) ||
	    __atomic_sub_fetch(&buf->refcnt, 1, __ATOMIC_ACQ_REL) == 0)
		strake_buf_free(buf);
}

/** Drop one reference of every descriptor on a list. NULL is an empty list. */
static inline void
strake_buf_put_list(struct strake_buf *buf)
{
	while (buf != NULL) {
		struct strake_buf *next = buf->next;

		strake_buf_put(buf);
		buf = next;
	}
}

/** Bytes on a list. */
static inline uint32_t
strake_buf_list_len(const struct strake_buf *buf)
{
	uint32_t len = 0;

	for (; buf != NULL; buf = buf->next)
		len += buf->len;
	return len;
}

/** A position in a list: the one length-checked way to walk payload. */
struct strake_buf_iter {
	struct strake_buf *buf; /**< current piece; NULL at the end */
	uint32_t off;		/**< in the current piece */
	uint32_t left;		/**< bytes until the end of the window */
};

/** Window [off, off + len) of a list. @return 0, or -ERANGE when the list is shorter. */
int strake_buf_iter_init(struct strake_buf_iter *it, struct strake_buf *list, uint32_t off, uint32_t len);
/** Next contiguous run of the window: its address, and its length (0 at the end). */
uint32_t strake_buf_iter_next(struct strake_buf_iter *it, uint8_t **addr);

/** Copy a window of a list out to flat memory. @return 0 or -ERANGE. Counts nothing: callers on the data path count. */
int strake_buf_copy_out(struct strake_buf *list, uint32_t off, void *dst, uint32_t len);
/** Copy flat memory into a window of a list of writable bufs. @return 0 or -ERANGE. */
int strake_buf_copy_in(struct strake_buf *list, uint32_t off, const void *src, uint32_t len);
/** Compare windows of @p len bytes of two lists. @return 0 when all bytes are the same; -EILSEQ; -ERANGE. */
int strake_buf_compare(struct strake_buf *a, uint32_t a_off, struct strake_buf *b, uint32_t b_off, uint32_t len);

/**
 * A list of slices that shows window [off, off + len) of @p list.
 * @return NULL when descriptors ran out or the window is not inside the list.
 */
struct strake_buf *strake_buf_window(struct strake_buf *list, uint32_t off, uint32_t len);

/**
 * Window as iovecs, for system calls.
 * @return entries used, -E2BIG when @p max is too few, -ERANGE.
 */
struct iovec;
int strake_buf_iov(struct strake_buf *list, uint32_t off, uint32_t len, struct iovec *iov, int max);

/**
 * Make @p m an external-buffer mbuf that shows bytes [off, off + len) of @p buf and holds a reference until freed.
 * The mbuf must be direct, unchained and empty; its data_len, pkt_len and data_off are set.
 */
void strake_buf_mbuf_attach(struct rte_mbuf *m, struct strake_buf *buf, uint32_t off, uint16_t len);

#ifdef __cplusplus
}
#endif

#endif /* STRAKE_BUF_H */
