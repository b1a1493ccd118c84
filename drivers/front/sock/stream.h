/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef SOCK_STREAM_H
#define SOCK_STREAM_H

/**
 * @file
 * A kernel socket as a stream, and the lcore it lives on.
 *
 * A stream is read in one of two ways: *hot* ones (they had bytes lately) are tried with recv() every turn, without
 * asking epoll first; the others wait in the epoll set, level-triggered. Hot ones stay in it too, but for those that
 * were read SOCK_HOT_READS times since they became hot: these leave the set (*apart*), and are put back when they are
 * not hot any more, when the kernel's send buffer is full, and before the lcore sleeps.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/uio.h>

#include <rte_ring.h>

#include "strake_stream.h"

#define SOCK_STREAMS	2048			/* on each lcore at most */
#define SOCK_TX_LIMIT	(1024u * 1024u)		/* bytes queued above what the kernel took */
#define SOCK_RX_CREDIT	(2048u * 1024u)		/* bytes received for a stream whose bufs are not put yet */
#define SOCK_IOV	1024			/* IOV_MAX */
#define SOCK_HOT	64			/* streams tried without epoll */
#define SOCK_HOT_MISSES 32			/* turns without bytes until a stream is not hot any more */
#define SOCK_HOT_READS	64			/* leaving the set and coming back cost what some reads gain by it */
#define SOCK_EPOLL_NS	(10 * STRAKE_NS_PER_US) /* between looks at epoll while streams are hot */
#define SOCK_EVENTS	64
#define SOCK_ACCEPTS	64			 /* of one listener in one turn */
#define SOCK_RETRY_NS	(100 * STRAKE_NS_PER_MS) /* after accept() ran out of file descriptors */

#define SLAB_BYTES	(256u * 1024u)
#define SLAB_COUNT	64u	      /* on each lcore */
#define SLAB_READ	(64u * 1024u) /* most for one recv() */
#define SLAB_LEAST	4096u	      /* a slab with less left is finished */
#define SLAB_WINDOW	(16u * 1024u) /* an expect() window from this on is read with little behind it */

struct sock_lcore;
struct sock_stream;

/** A region that received bytes are cut from, in order; reused when all of them are put. */
struct sock_slab {
	struct sock_slab *next; /**< on the free list */
	struct sock_lcore *lc;
	uint8_t *mem;
	uint32_t off;  /**< bytes cut */
	uint32_t refs; /**< pieces in use, and one while it is the one being cut; atomic */
};

/** In front of each piece. */
struct sock_piece {
	struct sock_slab *slab;
	struct sock_stream *stream;
	uint32_t len;
} __attribute__((aligned(64)));

/** What epoll tells about: the first field of whatever is in the set. */
enum sock_kind { WATCH_LISTENER, WATCH_STREAM };

struct sock_listener {
	enum sock_kind kind; /**< first */
	int fd;
	struct sockaddr_storage addr;
	strake_stream_accept accept;
	void *arg;
	struct sock_lcore *lc;
	struct strake_timer retry;	     /**< armed while accept() is out of file descriptors */
	struct strake_msg add, del;	     /**< from main; both may be on their way at once */
	LIST_ENTRY(sock_listener) link;	     /**< the lcore's */
	LIST_ENTRY(sock_listener) main_link; /**< main's */
};
LIST_HEAD(sock_listeners, sock_listener);

struct sock_stream {
	enum sock_kind kind; /**< first */
	int fd;		     /**< -1 once closed */
	struct strake_stream s;
	struct sock_lcore *lc;
	uint32_t events;	 /**< what epoll watches */
	uint32_t held;		 /**< bytes of pieces not put yet; atomic */
	uint8_t misses;		 /**< turns without bytes since the last */
	uint8_t reads;		 /**< with bytes, since it was last put into the set; up to SOCK_HOT_READS */
	bool connecting, opened; /**< opened: the user knows it */
	bool closing;		 /**< close() was called */
	bool shut;		 /**< our FIN was sent */
	bool eof;		 /**< the peer's FIN was seen */
	bool blocked;		 /**< the kernel's send buffer is full */
	bool paused;		 /**< not read: out of credit or slabs */
	bool ending;		 /**< closed() is due */
	bool is_hot, is_dirty, is_roomy;
	bool apart; /**< hot, and not in the epoll set */
	int err;    /**< for closed() */
	struct strake_buf *tx_head, *tx_tail;
	uint32_t tx_off;	/**< bytes of tx_head the kernel has */
	struct strake_buf *exp; /**< window the user named in expect(), or NULL */
	uint32_t exp_off, exp_len;
	TAILQ_ENTRY(sock_stream) link; /**< free, active or zombie */
	TAILQ_ENTRY(sock_stream) hot_link;
	TAILQ_ENTRY(sock_stream) dirty_link;
	TAILQ_ENTRY(sock_stream) roomy_link; /**< or ending: never both */
	TAILQ_ENTRY(sock_stream) paused_link;
};
TAILQ_HEAD(sock_streams, sock_stream);

struct sock_counters {
#define COUNTER(name, help) uint64_t name;
#include "counters.def"
#undef COUNTER
};

/** What there is on all lcores together. */
struct sock_usage {
	uint64_t streams, hot, zombies; /**< zombies: ended, but bytes they received are held */
	struct sock_counters n;
	uint64_t accepts[STRAKE_LCORE_MAX]; /**< by lcore: how the kernel deals connections out */
};

struct sock_lcore {
	struct strake_poller poller;
	struct sock_stream *streams;
	struct sock_slab slabs[SLAB_COUNT];
	struct sock_slab *free_slabs; /**< last put, first taken: warm */
	struct sock_slab *slab;	      /**< the one being cut, or NULL */
	struct rte_ring *returned;    /**< slabs whose last piece was put on another lcore */
	uint8_t *slab_mem;
	uint16_t index;
	uint32_t n_hot, n_active;
	uint64_t last_epoll;
	struct sock_streams free, active, zombies, hot, dirty, roomy, ending, paused;
	struct sock_listeners listeners;
	struct sock_counters stats;
	struct iovec iov[SOCK_IOV];
};

struct sock_carrier {
	struct strake_carrier c; /**< first */
	struct sock_lcore *lc[STRAKE_LCORE_MAX];
	struct sock_listeners listeners; /**< main's view */
	char congestion[16];		 /**< the kernel's name for it; "": the system's */
};

/* telemetry.c */
/** The carrier whose figures are told; NULL: none. Main. @return 0 or -errno. */
int sock_telemetry(struct sock_carrier *sc);
/** Add what the calling lcore has. @p arg: a struct sock_usage. */
int sock_usage_add(void *arg);

/* slab.c */
int sock_slab_init(struct sock_lcore *lc);
void sock_slab_fini(struct sock_lcore *lc);
/** Where the next bytes may be received: room for @p *len. @return NULL: no slab is free. */
uint8_t *sock_slab_room(struct sock_lcore *lc, uint32_t *len);
/** Cut the first @p len bytes of that room off, as a buf that counts against @p st. @return NULL: out of descriptors */
struct strake_buf *sock_slab_cut(struct sock_lcore *lc, struct sock_stream *st, uint32_t len);

/* stream.c */
extern const struct strake_stream_ops sock_stream_ops;
/** A stream for a connected (or connecting) socket. @return NULL: none free. */
struct sock_stream *sock_stream_open(struct sock_lcore *lc, int fd, bool connecting);
/** The end: closed(err) will follow, once, from sock_stream_finish(). */
void sock_stream_end(struct sock_stream *st, int err);
/** Forget a stream nobody was told of. */
void sock_stream_forget(struct sock_stream *st);
void sock_stream_event(struct sock_stream *st, uint32_t events);
void sock_stream_finish(struct sock_lcore *lc);
void sock_stream_resume(struct sock_lcore *lc);

/* recv.c, send.c */
/** One recv(). @return bytes were there. */
bool sock_recv(struct sock_stream *st);
void sock_send_flush(struct sock_stream *st);

/* watch.c */
/** What epoll shall tell of it from now on. May end it. */
void sock_watch(struct sock_stream *st, uint32_t events);
/** A hot one leaves the set, unless epoll is needed for it. */
void sock_watch_less(struct sock_stream *st);
/** Back into the set, if it left. May end it. */
void sock_watch_again(struct sock_stream *st);

/* listen.c */
int sock_listen(struct strake_carrier *c, const struct sockaddr *addr, strake_stream_accept accept, void *arg);
void sock_unlisten(struct strake_carrier *c, const struct sockaddr *addr);
void sock_accept(struct sock_listener *l);
socklen_t sock_addr_len(const struct sockaddr *addr);
int sock_tune(int fd);
/** Its congestion control, for a listener or before connect(). @return 0 or -errno. */
int sock_congestion(const struct sock_carrier *sc, int fd);

#endif /* SOCK_STREAM_H */
