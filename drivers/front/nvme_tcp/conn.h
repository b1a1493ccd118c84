/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVME_TCP_CONN_H
#define NVME_TCP_CONN_H

/**
 * @file
 * A connection, its commands and the lcore they live on.
 *
 * A connection is freed when three things have happened, in any order: the stream called closed(), the queue pair is
 * gone, and no command is left. conn_die() begins that from whatever side saw the end first, once.
 *
 * States, each entered with a timer, so that a peer which stops talking holds nothing for long:
 *
 *   ICREQ ──ICReq──► CONNECT ──Connect succeeded──► READY
 *     └───────────────┴──────────────┬──────────────┘
 *            bad PDU ──► TERM ──peer closed, or time──► CLOSING ──closed()──► free
 *            kill, FIN, H2CTermReq ─────────────────────┘
 *
 * A command's slot is on exactly one of the connection's lists, or lent to the nvmf room (SLOT_LENT).
 */

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "nvme_tcp.h"
#include "nvme_tcp_spec.h"
#include "strake_stage.h"

#define CONN_ICREQ_NS	 (5 * STRAKE_NS_PER_SEC)
#define CONN_CONNECT_NS	 (10 * STRAKE_NS_PER_SEC)
#define CONN_TERM_NS	 (2 * STRAKE_NS_PER_SEC)  /* for the host to read the C2HTermReq and close */
#define CONN_CLOSE_NS	 (5 * STRAKE_NS_PER_SEC)  /* for what is queued to leave after close() */
#define CONN_PROGRESS_NS (15 * STRAKE_NS_PER_SEC) /* between looks at a connection (progress.c) */
#define CONN_SHORT_NS	 STRAKE_NS_PER_SEC	  /* ... at all of them, while pages are short */

/* Bytes asked for by R2T and not yet received, for each connection: what the host may send must fit the carrier's
 * window beside everything else, or data of many commands fills it and none completes. Where the carrier reads into
 * our pages (expect) the window is not pinned. */
#define R2T_WINDOW	  (384u * 1024u)
#define R2T_WINDOW_EXPECT (4u * 1024u * 1024u)

/* Small bytes of ours on the way out (headers, digests, response capsules), several PDUs to one. */
#define TX_SMALL 192u
static_assert(TX_SMALL >= NVME_TCP_HLEN_TERM + NVME_TCP_TERM_DATA, "a termination request fits");
static_assert(TX_SMALL >= (NVME_TCP_PDA_MAX + 1) * 4, "a padded data header fits");

/* Entries of a submission queue, the most a host may ask for in Connect. */
#define QUEUE_MAX 1024

#define RESP_COST (NVME_TCP_HLEN_RESP + NVME_TCP_DIGEST_LEN)
#define R2T_COST  (NVME_TCP_HLEN_R2T + NVME_TCP_DIGEST_LEN)

enum conn_state { CONN_FREE, CONN_ICREQ, CONN_CONNECT, CONN_READY, CONN_TERM, CONN_CLOSING, CONN_STATES };

/** What the next received byte is. */
enum rx_phase {
	RX_HEADER,
	RX_PAD, /**< between header (digest) and PDO */
	RX_DATA,
	RX_DIGEST,
	RX_DISCARD, /**< the connection is ending: nobody wants to know */
};

enum slot_state {
	SLOT_FREE,
	SLOT_RECV,     /**< in-capsule data is coming (on xfers) */
	SLOT_WAIT_R2T, /**< on r2tq */
	SLOT_R2T,      /**< R2T sent, data is coming (on xfers) */
	SLOT_CREDIT,   /**< complete, waits for room to send its reply (on credit) */
	SLOT_LENT,     /**< with the nvmf room */
	SLOT_REPLY,    /**< answered, waits for header memory (on replies) */
};

/** What commands take pages for: a write that fetches cannot keep reads waiting. */
enum pages_kind { PAGES_READ, PAGES_FETCH, PAGES_KINDS };

struct nvme_tcp_conn;

/** One command. */
struct nvme_tcp_slot {
	struct nvmf_cmd cmd; /**< first: done() gets it */
	struct nvme_tcp_conn *conn;
	TAILQ_ENTRY(nvme_tcp_slot) link;
	struct strake_buf *tail; /**< last of cmd.data while it is received */
	struct strake_buf *page; /**< where the payload is gathered, instead of a list */
	uint32_t got;		 /**< bytes of payload received */
	uint32_t cost;		 /**< bytes of transmit room reserved */
	uint32_t pages;		 /**< bytes of pages it may take, of those the lcore's commands hold */
	uint16_t index;		 /**< in the lcore's table; the TTAG of its R2T */
	uint8_t state;		 /**< enum slot_state */
	uint8_t pages_kind;
	uint16_t cid_next; /**< in its bucket of the lcore's CIDs in use: index of a slot + 1, 0: none */
	bool cid_owned;	   /**< it is in a bucket */
	bool bad_digest;   /**< a data digest was wrong: answered with an error when all has come */
} __rte_cache_aligned;

/** How far a connection was when it was looked at. */
struct nvme_tcp_look {
	uint64_t read;		/**< bytes the host had taken */
	uint32_t queued;	/**< ... and had not */
	uint32_t fetched, pdus; /**< the connection's */
	bool fetching;		/**< data of R2Ts was due */
	bool inside;		/**< in the middle of a PDU */
	uint8_t idle;		/**< looks without progress up to this one */
};

TAILQ_HEAD(nvme_tcp_slots, nvme_tcp_slot);
TAILQ_HEAD(nvme_tcp_conns, nvme_tcp_conn);

/** One connection: a queue pair on a stream. */
struct nvme_tcp_conn {
	struct nvmf_qpair qp;	      /**< first: kill() gets it */
	struct strake_stream *stream; /**< NULL once closed() was called */
	struct nvme_tcp_lcore *lc;
	uint8_t state;	      /**< enum conn_state */
	uint8_t phase;	      /**< enum rx_phase */
	uint8_t hdgst, ddgst; /**< bytes of digest agreed: 0 or 4 */
	uint8_t c2h_pdo;      /**< where data begins in our C2HData */
	bool qp_gone;	      /**< the nvmf room has nothing of it any more */
	bool dying;
	bool no_sq_flow; /**< the host asked in Connect to disable SQ flow control */
	bool is_dirty, is_stalled, is_reaped;
	bool is_waiting;	       /**< on r2t_waits */
	bool wants_pages[PAGES_KINDS]; /**< on the lists of those who wait */
	bool expecting;		       /**< expect() covers the rest of this PDU's data */

	/* receive: bytes not parsed yet, and the PDU they are in */
	struct strake_buf *rx_head, *rx_tail;
	uint32_t rx_off;	     /**< parsed bytes of rx_head */
	uint32_t rx_len;	     /**< bytes not parsed */
	uint32_t left;		     /**< bytes until the end of the phase */
	uint32_t data_left;	     /**< while padding: bytes of data after it */
	uint32_t pos;		     /**< place in the PDU's data */
	uint32_t take_from, take_to; /**< the part of it that is payload of cur */
	bool digest_due;
	uint32_t crc;		   /**< of the data so far */
	struct nvme_tcp_slot *cur; /**< whose data it is, or NULL: skipped */
	uint32_t pdus;		   /**< headers taken */
	uint8_t hdr_have;	   /**< bytes in hdr: a header that came in pieces */
	uint8_t hdr[NVME_TCP_HLEN_MAX + NVME_TCP_DIGEST_LEN];

	/* transmit: what this turn gathered */
	struct strake_buf *tx_head, *tx_tail;
	struct strake_buf *tx_small; /**< the tail, while small bytes may be added to it */
	uint32_t tx_len;
	uint32_t reserved; /**< bytes of replies not built yet */
	uint64_t sent;	   /**< bytes given to the stream */

	/* commands */
	uint32_t outstanding; /**< slots in use */
	uint32_t r2t_bytes;   /**< asked for and not received */
	uint64_t r2t_budget;  /**< the stream's; 0: does not count in the lcore's r2t_bytes */
	uint16_t r2t_out;     /**< R2Ts under way */
	uint32_t fetched;     /**< those whose data has come */
	struct nvme_tcp_slots xfers, r2tq, credit, replies;

	struct strake_timer timer;
	struct nvme_tcp_look seen, seen_short;	 /**< the second while pages are short */
	TAILQ_ENTRY(nvme_tcp_conn) link;	 /**< free or active */
	TAILQ_ENTRY(nvme_tcp_conn) dirty_link;	 /**< has bytes to send */
	TAILQ_ENTRY(nvme_tcp_conn) stalled_link; /**< to be looked at again next turn */
	TAILQ_ENTRY(nvme_tcp_conn) reap_link;	 /**< to be freed at the end of the turn */
	TAILQ_ENTRY(nvme_tcp_conn) wait_link;	 /**< wants to send an R2T that the lcore's budget has no room for */
	TAILQ_ENTRY(nvme_tcp_conn) page_link[PAGES_KINDS];
	/** The stream's, from when the end began; from then on any lcore may read them. */
	struct strake_stream_words words;
};

/** Pages of commands of one kind, on one lcore. */
struct nvme_tcp_pages {
	struct nvme_tcp_conns waits; /**< in the order they came */
	uint64_t held;		     /**< bytes that commands under way may take */
	bool serving;		     /**< it is the turn of those who wait */
};

struct nvme_tcp_counters {
#define COUNTER(name, help) uint64_t name;
#include "counters.def"
#undef COUNTER
};

/** What a data lcore has. */
struct nvme_tcp_lcore {
	struct strake_poller poller;
	struct nvme_tcp_conn *conns;
	struct nvme_tcp_slot *slots;
	uint16_t *cids; /**< command identifiers in use: buckets of slots, by connection and identifier */
	uint32_t cid_mask;
	uint32_t n_active;
	struct nvme_tcp_conns free_conns, active;
	struct nvme_tcp_conns dirty, stalled, reap;
	struct nvme_tcp_conns r2t_waits; /**< in the order they came; each asks once when it is its turn */
	uint64_t r2t_bytes;		 /**< asked for by R2T and not received, of all connections with a budget */
	struct nvme_tcp_pages pages[PAGES_KINDS];
	uint64_t pages_most; /**< of each kind */
	struct nvme_tcp_slots free_slots;
	struct nvmf_cmd *burst[STRAKE_BURST]; /**< of one connection, until burst_end() */
	uint16_t n_burst;
	uint8_t n_spare;
	struct rte_mempool *smalls;  /**< TX_SMALL bytes each */
	struct strake_buf *spare[3]; /**< enough small buffers to build any one reply */
	struct nvmf_cmd shed;	     /**< stands in for a command that got no slot */
	struct strake_timer progress;
	bool pages_short; /**< at its last tick */
	struct nvme_tcp_counters stats;
};

extern struct nvme_tcp_lcore *nvme_tcp_lcores[STRAKE_LCORE_MAX];
extern struct nvme_tcp_conf nvme_tcp_limits;
extern struct nvmf_transport nvme_tcp_trans;

/* conn.c: life */
int nvme_tcp_accept(struct strake_stream *s, void *arg);
void nvme_tcp_conn_enter(struct nvme_tcp_conn *conn, enum conn_state state);
/** The end has begun: commands that are not lent die, the queue pair is told. Idempotent. */
void nvme_tcp_conn_die(struct nvme_tcp_conn *conn);
/** Die, then end the stream: after what is queued has left, or at once. Idempotent. */
void nvme_tcp_conn_close(struct nvme_tcp_conn *conn, bool abort);
void nvme_tcp_conn_reap(struct nvme_tcp_lcore *lc);
void nvme_tcp_conn_kill(struct nvmf_qpair *qp);
/** Look at this connection again next turn. */
void nvme_tcp_conn_stall(struct nvme_tcp_conn *conn);
/** Last words of another connection go to the host by this one's stream: nvmf_transport::tell. */
void nvme_tcp_conn_tell(struct nvmf_qpair *by, const struct nvmf_qpair *lost);
/** To be freed at the end of the turn, if nothing holds it any more. */
void nvme_tcp_conn_settle(struct nvme_tcp_conn *conn);
const char *nvme_tcp_conn_state_name(const struct nvme_tcp_conn *conn);

/* slot.c: commands */
struct nvme_tcp_slot *nvme_tcp_slot_get(struct nvme_tcp_conn *conn);
void nvme_tcp_slot_put(struct nvme_tcp_slot *slot);
/** Put it on the list of its new state. */
void nvme_tcp_slot_move(struct nvme_tcp_slot *slot, enum slot_state state);
/** Take the identifier. @return false: another command has it. */
bool nvme_tcp_slot_own_cid(struct nvme_tcp_slot *slot);
/** The payload is complete: to the nvmf room as soon as its reply has room. */
void nvme_tcp_slot_ready(struct nvme_tcp_slot *slot);
/** Commands and R2Ts that waited for room. Ends the burst. */
void nvme_tcp_pump(struct nvme_tcp_conn *conn);
/** Hand the gathered burst to the nvmf room. */
void nvme_tcp_burst_end(struct nvme_tcp_conn *conn);
/** Reserve room for a reply of @p need bytes; asks for room() if there is none. */
bool nvme_tcp_reserve(struct nvme_tcp_conn *conn, struct nvme_tcp_slot *slot, uint32_t need);

/* pages.c: pages of commands under way */
void nvme_tcp_pages_init(struct nvme_tcp_lcore *lc);
/** The command may take a page for its payload. @return false: it waits for others. */
bool nvme_tcp_pages_take(struct nvme_tcp_slot *slot, enum pages_kind kind);
/** Those who waited, as far as others ended; once a turn. */
void nvme_tcp_pages_serve(struct nvme_tcp_lcore *lc);
/** Does somebody wait who could go on? */
bool nvme_tcp_pages_due(const struct nvme_tcp_lcore *lc);
/** The connection waits no more. */
void nvme_tcp_pages_end(struct nvme_tcp_conn *conn);

/* r2t.c: payload that is fetched */
void nvme_tcp_r2t_queue(struct nvme_tcp_slot *slot);
void nvme_tcp_r2t_pump(struct nvme_tcp_conn *conn);
/** What the connection has asked for will not come any more. */
void nvme_tcp_r2t_end(struct nvme_tcp_conn *conn);
/** An H2CData header. @return false: the connection is being terminated. */
bool nvme_tcp_r2t_data(struct nvme_tcp_conn *conn, const struct nvme_tcp_data *h);
/** Its data has come. */
void nvme_tcp_r2t_data_end(struct nvme_tcp_slot *slot);

/* recv.c: bytes to PDUs */
void nvme_tcp_rx(struct strake_stream *s, struct strake_buf *bufs, uint32_t len);
/** Parse what is there; goes on after a stall too. */
void nvme_tcp_parse(struct nvme_tcp_conn *conn);
void nvme_tcp_rx_discard(struct nvme_tcp_conn *conn);

/* cmd.c: command capsules. @return false: no slot, the header stays unparsed. */
bool nvme_tcp_capsule(struct nvme_tcp_conn *conn, const struct nvme_tcp_capsule_cmd *h);
void nvme_tcp_capsule_end(struct nvme_tcp_slot *slot);
/** Answer with an error, without carrying it out. */
void nvme_tcp_cmd_fail(struct nvme_tcp_slot *slot, uint16_t sct_sc);

/* send.c: replies */
void nvme_tcp_done(struct nvmf_cmd *cmd);
/** Build the reply of an answered command, or keep it for later when memory is short. */
void nvme_tcp_reply(struct nvme_tcp_slot *slot);
void nvme_tcp_reply_pump(struct nvme_tcp_conn *conn);
/** Bring the spares up to what any one reply needs. @return false: no memory now. */
bool nvme_tcp_tx_ready(struct nvme_tcp_lcore *lc);
/** @p len small bytes at the end of what is sent; only after nvme_tcp_tx_ready(). */
void *nvme_tcp_tx_small(struct nvme_tcp_conn *conn, uint32_t len);
/** Fill in the digest behind a finished header, if digests were agreed. */
void nvme_tcp_tx_digest(const struct nvme_tcp_conn *conn, struct nvme_tcp_ch *h);
void nvme_tcp_tx_resp(struct nvme_tcp_conn *conn, const struct nvme_cpl *cqe);
void nvme_tcp_flush(struct nvme_tcp_conn *conn);
int nvme_tcp_send_init(struct nvme_tcp_lcore *lc, uint32_t smalls);
void nvme_tcp_send_fini(struct nvme_tcp_lcore *lc);

/* term.c: fatal errors */
void nvme_tcp_fatal(struct nvme_tcp_conn *conn, enum nvme_tcp_fes fes, uint32_t fei, const void *hdr, uint32_t len);

/* pdu.c: what a header may say */
/** Check the common header against the connection. @return 0, or enum nvme_tcp_fes with *fei set. */
int nvme_tcp_pdu_check(const struct nvme_tcp_conn *conn, const struct nvme_tcp_ch *ch, uint32_t *fei);
/** Bytes of data in the PDU of a checked header. */
uint32_t nvme_tcp_pdu_data_len(const struct nvme_tcp_conn *conn, const struct nvme_tcp_ch *ch);
/** ICReq of a checked header: agree and answer. @return 0 or enum nvme_tcp_fes with *fei set. */
int nvme_tcp_icreq(struct nvme_tcp_conn *conn, const struct nvme_tcp_icreq *h, uint32_t *fei);

/* progress.c: who does not go on with what he began */
void nvme_tcp_progress_init(struct nvme_tcp_lcore *lc);
void nvme_tcp_progress_fini(struct nvme_tcp_lcore *lc);
/** The connection's own timer: end it, or look again. */
void nvme_tcp_progress_look(struct nvme_tcp_conn *conn);

/* telemetry.c */
int nvme_tcp_telemetry_init(void);

#endif /* NVME_TCP_CONN_H */
