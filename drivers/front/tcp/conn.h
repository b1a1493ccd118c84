/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef TCP_CONN_H
#define TCP_CONN_H

/**
 * @file
 * The connection and the instance it belongs to: what every file of this room works on.
 *
 * Everything runs on the instance's lcore. Input only changes state and notes *events* (bytes for the user, the end)
 * and *dirt* (something to send); events reach the user at the end of a burst, dirt leaves at the end of the turn. So
 * no function here is entered again from inside itself, and a connection nobody talks to costs nothing.
 *
 * Life of a connection's memory: it is free again when it is CLOSED, the user has had closed(), it stands on no list,
 * and nobody holds a buf that pins one of its mbufs.
 */

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/queue.h>

#include <rte_mbuf.h>

#include "cc.h"
#include "option.h"
#include "prf.h"
#include "reasm.h"
#include "rtt.h"
#include "sack.h"
#include "seq.h"
#include "sndq.h"
#include "strake_lcore.h"
#include "strake_stream.h"
#include "tcp.h"
#include "tcp_spec.h"

/** RFC 9293, 3.3.2. From TCP_ESTABLISHED on a connection is synchronised. */
enum tcp_state {
	TCP_CLOSED,
	TCP_SYN_SENT,
	TCP_SYN_RCVD,
	TCP_ESTABLISHED,
	TCP_FIN_WAIT_1,
	TCP_FIN_WAIT_2,
	TCP_CLOSE_WAIT,
	TCP_CLOSING,
	TCP_LAST_ACK,
	TCP_TIME_WAIT,
};

/* tcp_conn::flags */
#define TCP_F_DIRTY	0x00000001 /**< on the dirty list */
#define TCP_F_QUEUED	0x00000002 /**< on the event list */
#define TCP_F_ACK_NOW	0x00000004 /**< the peer is owed an ACK by the end of the turn */
#define TCP_F_ACK_LATER 0x00000008 /**< ... within the delayed-ACK time */
#define TCP_F_SYN_DUE	0x00000010 /**< SYN or SYN-ACK to be sent */
#define TCP_F_TS	0x00000020 /**< timestamps agreed */
#define TCP_F_SACK	0x00000040 /**< SACK agreed */
#define TCP_F_WSCALE	0x00000080 /**< window scaling agreed */
#define TCP_F_ECN	0x00000100 /**< ECN agreed */
#define TCP_F_ECE	0x00000200 /**< tell the peer of congestion until it answers CWR */
#define TCP_F_CWR	0x00000400 /**< next new data says CWR */
#define TCP_F_CLOSE	0x00000800 /**< the user closed: FIN after the queue */
#define TCP_F_FIN_SENT	0x00001000
#define TCP_F_FIN_SEEN	0x00002000 /**< the peer's FIN stands at fin_seq */
#define TCP_F_FIN_RCVD	0x00004000 /**< ... and everything before it has arrived */
#define TCP_F_RECOVERY	0x00008000 /**< fast recovery until `recover` is acknowledged */
#define TCP_F_LOSS	0x00010000 /**< after a timeout, until `recover` is acknowledged */
#define TCP_F_RXT_DUE	0x00020000 /**< the first unacknowledged segment is to be sent again */
#define TCP_F_LIMITED	0x00040000 /**< cwnd was what held us back: it may grow */
#define TCP_F_PASSIVE	0x00080000 /**< opened by the peer */
#define TCP_F_USER	0x00100000 /**< a user has the stream and has not had closed() */
#define TCP_F_TIMING	0x00200000 /**< a round trip to rtt_seq is being measured */
#define TCP_F_FORCE	0x00400000 /**< the persist timer says: send though the window is silly */
#define TCP_F_TLP	0x00800000 /**< the retransmission timer is set for a tail loss probe */
#define TCP_F_TLP_OUT	0x01000000 /**< one was sent in this flight */
#define TCP_F_IN_TABLE	0x02000000
#define TCP_F_HALF_OPEN 0x04000000 /**< counts in tcp::half_open */
#define TCP_F_FREE	0x08000000 /**< on the list of idle connections */
#define TCP_F_STARVED	0x10000000 /**< on the list of those whose window the instance's budget held back */

/* tcp_conn::events, in the order the user hears of them */
#define TCP_EV_CONNECTED 0x01
#define TCP_EV_RX	 0x02
#define TCP_EV_EOF	 0x04
#define TCP_EV_ROOM	 0x08
#define TCP_EV_CLOSED	 0x10

/** Deadlines that share a connection's one timer. */
enum tcp_due {
	TCP_DUE_RXT,  /**< retransmission, tail loss probe, or window probe */
	TCP_DUE_ACK,  /**< delayed acknowledgement */
	TCP_DUE_LIFE, /**< keepalive, FIN_WAIT_2, TIME_WAIT */
	TCP_DUE_COUNT,
};

/** Who talks to whom; ports in network order. Hashed and compared as words. */
struct tcp_key {
	uint8_t local[16], remote[16];
	uint16_t lport, rport;
	uint32_t family;
} __rte_aligned(8);

struct tcp_conn {
	struct tcp_key key;
	struct tcp *tcp;
	struct port_dst *dst;
	uint32_t hash;
	uint32_t flags;
	uint8_t state;
	uint8_t events;
	uint8_t snd_shift, rcv_shift; /**< window scales */
	uint8_t dupacks;
	uint8_t backoff; /**< timeouts in a row */
	uint8_t probes;	 /**< keepalive probes without an answer */
	uint16_t mss;	 /**< payload and options, RFC 6691 */

	/* Receiving. */
	uint32_t rcv_nxt;
	uint32_t rcv_adv;   /**< right edge of the window last told */
	uint32_t rcv_acked; /**< rcv_nxt in the last segment sent */
	uint32_t irs;
	uint32_t ts_recent;
	uint32_t ts_off;		      /**< our timestamp clock's offset */
	uint32_t pinned;		      /**< bytes of mbufs and descriptors that users and reassembly hold */
	uint32_t credit;		      /**< bytes other lcores gave back and the owner has not seen; atomic */
	struct strake_buf *rx_head, *rx_tail; /**< for the next rx() */
	uint32_t rx_len;
	uint32_t fin_seq;
	struct rte_mbuf *slab; /**< where small segments are copied together */

	/* Sending. */
	uint32_t snd_una, snd_nxt, snd_max; /**< max: highest ever sent, plus one */
	uint32_t snd_wnd, snd_wl1, snd_wl2, max_wnd;
	uint32_t recover, high_rxt;
	uint32_t rxt_mark; /**< snd_max when this recovery last sent again */
	uint32_t rtt_seq;
	uint32_t iss;
	struct tcp_sndq q;
	struct tcp_cc cc;
	struct tcp_rtt rtt;
	uint64_t rtt_at;

	uint64_t due[TCP_DUE_COUNT]; /**< ns; 0: none */
	struct strake_timer timer;   /**< armed for the earliest due, or earlier */
	uint64_t heard_at, una_at, challenge_at, ts_recent_at, sent_at;

	STAILQ_ENTRY(tcp_conn) dirty_link, event_link;
	TAILQ_ENTRY(tcp_conn) link; /**< free, or in TIME_WAIT */
	TAILQ_ENTRY(tcp_conn) starved_link;
	struct tcp_listener *listener;
	struct strake_msg credit_msg;
	int err; /**< for closed() */
	uint32_t n_retransmits, n_timeouts, n_dupacks, n_sacks, n_ooo, n_recoveries, n_probes;

	/* In the connection's tcp_trouble, or empty ones that all share. */
	struct tcp_board *board;
	struct tcp_reasm *reasm;
	struct tcp_trouble *trouble;
	struct strake_stream stream;
} __rte_cache_aligned;

/** What a connection needs only while segments are missing: large, hence lent from a pool. A connection that finds
 * none keeps nothing out of order and knows of no SACK: slower, never wrong. */
struct tcp_trouble {
	struct tcp_board board;
	struct tcp_reasm reasm;
	struct tcp_trouble *next; /**< in the pool */
};

/** One address listened at, on one instance. */
struct tcp_listener {
	LIST_ENTRY(tcp_listener) link;
	struct strake_msg add_msg, del_msg;
	struct tcp *tcp;
	struct port_addr addr; /**< all zero: any */
	uint16_t lport;	       /**< network order */
	strake_stream_accept accept;
	void *arg;
	bool gone; /**< unlistened; freed when no connection is half open for it */
	uint32_t refs;
};

/** A slot of the connection table: open addressing, linear probing. */
struct tcp_slot {
	uint32_t hash;
	uint32_t conn; /**< index + 1; 0: empty */
};

STAILQ_HEAD(tcp_stailq, tcp_conn);
TAILQ_HEAD(tcp_tailq, tcp_conn);

struct tcp {
	struct port_if *ifp;
	const struct tcp_cc_ops *cc;
	struct tcp_slot *table;
	uint32_t table_mask;
	uint16_t lcore;
	struct tcp_conn *conns;
	struct tcp_trouble *troubles, *trouble_pool;
	struct tcp_stailq dirty, events;
	struct tcp_tailq idle, time_wait; /**< idle: free connections */
	struct tcp_tailq starved;	  /**< in the order they were told of a closed window */
	LIST_HEAD(, tcp_listener) listeners;
	struct tcp_conf conf;
	uint64_t hash_key[4];
	struct tcp_secret secret;
	uint32_t n_conns, half_open, half_open_max, n_time_wait;
	uint8_t rcv_shift;
	bool running_events;
	uint64_t cookie_at;	     /**< when the last SYN cookie was sent; 0: never */
	uint64_t pinned, pin_budget; /**< of all connections; above the budget windows stop growing */
	uint64_t port_rng;
	struct strake_poller poller;
	struct tcp_counters n;
};

/** A received segment, parsed. The mbuf is freed by who parsed it unless taken (m set to NULL). */
struct tcp_seg {
	struct rte_mbuf *m; /**< data at the payload */
	struct port_pkt *pkt;
	uint16_t lport, rport; /**< ours and the peer's, network order */
	uint32_t seq, ack, len;
	uint16_t wnd;
	uint8_t flags;
	struct tcp_options opt;
};

/* Delayed acknowledgement (RFC 9293, 3.8.6.3, allows 500 ms). */
#define TCP_DELACK_NS (40 * STRAKE_NS_PER_MS)
#define TCP_2MSL_NS   (60 * STRAKE_NS_PER_SEC)
/* A peer that has our FIN and never sends its own. */
#define TCP_FIN_WAIT_2_NS (60 * STRAKE_NS_PER_SEC)
/* R2 of RFC 9293, 3.8.3, for data; and the number of SYNs. */
#define TCP_GIVE_UP_NS	    (100 * STRAKE_NS_PER_SEC)
#define TCP_SYN_RETRIES	    5
#define TCP_KEEPALIVE_TRIES 6
/* Least time between challenge ACKs of one connection: no budget is shared, so none can be probed from outside. */
#define TCP_CHALLENGE_NS (5 * STRAKE_NS_PER_MS)

static inline uint32_t
tcp_ts_now(const struct tcp_conn *c, uint64_t now)
{
	return (uint32_t)(now / STRAKE_NS_PER_MS) + c->ts_off;
}

static inline struct tcp_conn *
tcp_conn_of(struct strake_stream *s)
{
	return (struct tcp_conn *)((char *)s - offsetof(struct tcp_conn, stream));
}

/** Has something to send, or an ACK to owe: visited at the end of the turn. */
static inline void
tcp_dirty(struct tcp_conn *c)
{
	if (!(c->flags & TCP_F_DIRTY)) {
		c->flags |= TCP_F_DIRTY;
		STAILQ_INSERT_TAIL(&c->tcp->dirty, c, dirty_link);
	}
}

static inline void
tcp_ack_now(struct tcp_conn *c)
{
	c->flags |= TCP_F_ACK_NOW;
	tcp_dirty(c);
}

/** The user is to hear of something. */
static inline void
tcp_event(struct tcp_conn *c, uint8_t ev)
{
	c->events |= ev;
	if (!(c->flags & TCP_F_QUEUED)) {
		c->flags |= TCP_F_QUEUED;
		STAILQ_INSERT_TAIL(&c->tcp->events, c, event_link);
	}
}

/* conn.c */
void tcp_key_init(struct tcp_key *key, const struct port_addr *local, uint16_t lport, const struct port_addr *remote,
		  uint16_t rport);
struct tcp_conn *tcp_conn_find(struct tcp *tcp, const struct tcp_key *key);
/** A fresh connection in the table, with a way to the peer. @return NULL: no memory, no way. */
struct tcp_conn *tcp_conn_open(struct tcp *tcp, const struct tcp_key *key);
/** To CLOSED: out of the table, queues emptied; the user hears of it with @p err. */
void tcp_conn_close(struct tcp_conn *c, int err);
/** Let the memory go if nothing needs it any more. */
void tcp_conn_reap(struct tcp_conn *c);
/** To TIME_WAIT; the user has closed(0). */
void tcp_conn_time_wait(struct tcp_conn *c, uint64_t now);
/** Establish: windows, cc and keepalive from what the handshake agreed. */
void tcp_conn_established(struct tcp_conn *c, uint64_t now);
/** Initial sequence number (RFC 6528). */
uint32_t tcp_isn(const struct tcp *tcp, const struct tcp_key *key, uint64_t now);
uint32_t tcp_ts_offset(const struct tcp *tcp, const struct tcp_key *key);
/** Segment size for a path: what the peer said, and what the path takes. */
uint16_t tcp_mss(const struct port_dst *dst, uint16_t peer_mss, bool said);
/** What we announce: what we can receive (RFC 6691). */
uint16_t tcp_mss_local(const struct tcp *tcp, uint32_t family);
/** What the peer's SYN offers and we take. */
void tcp_conn_options(struct tcp_conn *c, const struct tcp_options *o, uint64_t now);

/* trouble.c */
/** The shared empty ones. */
void tcp_trouble_none(struct tcp_conn *c);
/** Have room to note what is missing. @return false: the pool is empty. */
bool tcp_trouble_get(struct tcp_conn *c);
/** Give it back if nothing is missing any more. */
void tcp_trouble_done(struct tcp_conn *c);

/* event.c */
/** Tell users what happened. @return how many connections. */
uint32_t tcp_events_run(struct tcp *tcp);

/* input.c, input_syn.c, input_ack.c */
void tcp_rx(void *user, struct rte_mbuf **m, uint16_t n);
void tcp_input_listen(struct tcp *tcp, struct tcp_seg *s, const struct tcp_key *key, uint64_t now);
void tcp_input_syn_sent(struct tcp_conn *c, struct tcp_seg *s, uint64_t now);
/** A SYN for a connection in TIME_WAIT (RFC 6191). @return true: it is gone, let the listener have the SYN. */
bool tcp_input_time_wait_syn(struct tcp_conn *c, const struct tcp_seg *s, uint64_t now);
/** The handshake is finished: give the stream to the listener's user. @return false: refused and closed. */
bool tcp_accept(struct tcp_conn *c, uint64_t now);
/** Everything an acceptable ACK field means. @return false: drop the segment. */
bool tcp_input_ack(struct tcp_conn *c, struct tcp_seg *s, uint64_t now);
/** The usual case of it: @p ack is new, nothing is being recovered. */
void tcp_ack_advance(struct tcp_conn *c, uint32_t ack, uint64_t now);
/** Take a segment's payload and FIN, which begin within the window. */
void tcp_input_data(struct tcp_conn *c, struct tcp_seg *s, uint64_t now);
/** The usual case: payload [off, off + len) is next, nothing is in reassembly. @return false: no buffers, nothing
 * changed. */
bool tcp_input_in_order(struct tcp_conn *c, struct tcp_seg *s, uint32_t off, uint32_t len);
void tcp_challenge(struct tcp_conn *c, uint64_t now);
/** Release half-open accounting and the listener's reference. */
void tcp_half_open_done(struct tcp_conn *c);

/** Drop a segment's mbufs, with the charge if a connection had taken part of them and let go. */
void tcp_seg_free(struct tcp_seg *s);
/** The ACK that brought a valid cookie, to the connection just made. */
void tcp_input_cookie(struct tcp_conn *c, struct tcp_seg *s, uint64_t now);
/** A new connection in SYN_RCVD for a SYN; nothing is sent. */
void tcp_conn_passive(struct tcp_conn *c, const struct tcp_seg *s, struct tcp_listener *l, uint32_t iss, uint64_t now);
/** A new connection in SYN_SENT with a user. */
void tcp_conn_active(struct tcp_conn *c, uint64_t now);

/* segment.c */
/** Payload that fits a segment beside its options. */
uint32_t tcp_payload_max(const struct tcp_conn *c);
/** Send @p len bytes from a cursor, moving it. @return bytes: fewer than asked if the chain was full; 0: could not. */
uint32_t tcp_send_data(struct tcp_conn *c, struct tcp_cursor *cur, uint32_t len, uint8_t flags, bool fresh,
		       uint64_t now);

/* output.c */
/** End of turn: send what may be sent. @return false: no room or no mbufs, try again next turn. */
bool tcp_output(struct tcp_conn *c, uint64_t now);
/** Send one segment without payload. */
bool tcp_send_bare(struct tcp_conn *c, uint32_t seq, uint8_t flags, uint64_t now);
/** Where such a segment stands: at the edge of what was sent, wherever it is being sent again from, but within the
 * peer's window even if that shrank, or the peer would ignore it. */
uint32_t tcp_bare_seq(const struct tcp_conn *c);
/** Send [seq, seq + len) again, len cut to a segment. @return bytes, 0: could not. */
uint32_t tcp_retransmit(struct tcp_conn *c, uint32_t seq, uint32_t len, uint64_t now);
/** Window field to send, moving rcv_adv. */
uint16_t tcp_window(struct tcp_conn *c);
/** Did what was given back open the window so far that the peer must hear of it? */
bool tcp_window_opened(const struct tcp_conn *c);
/** Bytes thought to be in the network. */
uint32_t tcp_pipe(const struct tcp_conn *c);

/* reply.c */
/** SYN or SYN-ACK. @return false: could not. */
bool tcp_send_syn(struct tcp_conn *c, uint64_t now);
/** Answer a segment that has no connection. @p opt may be NULL. */
void tcp_reply(struct tcp *tcp, const struct tcp_seg *s, uint32_t seq, uint32_t ack, uint8_t flags, uint16_t wnd,
	       const struct tcp_options *opt);
/** RST as RFC 9293 3.10.7.1 has it. */
void tcp_reply_reset(struct tcp *tcp, const struct tcp_seg *s);
/** strake_stream_ops: what an RST needs, and sending it by the way of another connection. */
void tcp_last_words(const struct strake_stream *s, struct strake_stream_words *out);
void tcp_tell(struct strake_stream *s, const struct strake_stream_words *words);

/* timer.c */
void tcp_timer_set(struct tcp_conn *c, enum tcp_due which, uint64_t due);
void tcp_timer_fire(struct strake_timer *t, uint64_t now);
/** (Re)start the retransmission timer for what is out, or stop it. */
void tcp_timer_rxt(struct tcp_conn *c, uint64_t now);
/** Something was sent; @p fresh: for the first time. */
void tcp_timer_sent(struct tcp_conn *c, bool fresh, uint64_t now);
/** Go back to snd_una and send again from there. */
void tcp_rewind(struct tcp_conn *c);

/* credit.c */
/** Wrap payload bytes [off, off + len) of a segment's mbufs, charging the connection. @return false: no descriptors,
 * or the connection pins too much. */
bool tcp_credit_take(struct tcp_conn *c, struct tcp_seg *s, uint32_t off, uint32_t len, struct strake_buf **head,
		     struct strake_buf **tail);
void tcp_credit_drop_slab(struct tcp_conn *c);
/** The instance pins too much, so this connection's window cannot open: to be looked at when that is over. */
void tcp_credit_starve(struct tcp_conn *c);
void tcp_credit_starve_end(struct tcp_conn *c);
void tcp_credit_msg(struct strake_msg *msg);

/* syncookie.c */
void tcp_cookie_send(struct tcp *tcp, const struct tcp_seg *s, const struct tcp_key *key, uint64_t now);
/** @return a connection in SYN_RCVD made from a cookie, or NULL. */
struct tcp_conn *tcp_cookie_open(struct tcp *tcp, const struct tcp_seg *s, const struct tcp_key *key, uint64_t now);

/* listen.c */
struct tcp_listener *tcp_listener_find(struct tcp *tcp, const struct port_addr *local, uint16_t lport);
void tcp_listener_put(struct tcp_listener *l);

/* stream.c */
extern const struct strake_stream_ops tcp_stream_ops;
void tcp_stream_init(struct tcp_conn *c);
/** Reset and close. */
void tcp_abort(struct tcp_conn *c, int err);

/* toobig.c */
bool tcp_too_big(void *user, const struct port_addr *local, const struct port_addr *remote, const uint8_t *l4,
		 uint16_t mtu);

#endif /* TCP_CONN_H */
