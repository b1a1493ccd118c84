/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STRAKE_LCORE_H
#define STRAKE_LCORE_H

/**
 * @file
 * The loop every lcore runs: pollers, messages, timers, and sleeping when idle.
 *
 * Lcores are numbered by *index*: 0 is the main lcore (control work: configuration, admin commands, superblocks), 1 to
 * n are data lcores. Main runs the same loop; it only never touches a data lcore's objects. An object belongs to one
 * lcore and work for it arrives by strake_msg_send().
 *
 * A *turn* reads the clock once, runs messages, then timers that are due, then every poller in the order
 * of adding, then their end-of-turn hooks in reverse (replies, then segments, then frames; io_uring_enter). All code in
 * a turn sees one time, strake_now(). Tests make the calling thread an lcore and run turns by hand with the time they
 * like.
 *
 * Idling: after some time without work, the shorter the more often it was in vain, the loop arms every poller that has
 * a file descriptor and sleeps until one is readable, a message arrives or the next timer is due. Pollers without one
 * bound the sleep to 150 µs.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <rte_per_lcore.h>

#ifdef __cplusplus
extern "C" {
#endif

#define STRAKE_LCORE_MAX  32
#define STRAKE_LCORE_MAIN 0

#define STRAKE_NS_PER_US  1000ULL
#define STRAKE_NS_PER_MS  1000000ULL
#define STRAKE_NS_PER_SEC 1000000000ULL

struct strake_account;
struct pollfd;

/** What everyone may read of the lcore he runs on. The rest is private to lcore.c. */
struct strake_lcore {
	uint16_t index;			   /**< 0 main, 1.. data */
	int socket;			   /**< NUMA node */
	uint64_t now;			   /**< ns since an arbitrary start, the same for the whole turn */
	uint64_t turns;			   /**< turns run */
	uint64_t worked;		   /**< turns in which a poller did something */
	uint64_t slept;			   /**< times the loop went to sleep */
	uint64_t busy_cycles, idle_cycles; /**< TSC, of turns that did work and of others */
	uint64_t ending;		   /**< ns, when the units whose done() runs now came up: `now` or later */
	struct strake_account *account;	   /**< while accounts are kept (strake_account.h), else NULL */
	bool sleeps;			   /**< the loop is one that idles adaptively */
	/** Set by a poller, for this turn, where threads of the kernel have to run on this CPU before there is work
	 * again: if nobody did anything the loop sleeps at once. */
	bool rest;
};

RTE_DECLARE_PER_LCORE(struct strake_lcore *, strake_self);

/** The lcore this thread is. NULL on a thread that is none. */
static inline struct strake_lcore *
strake_self(void)
{
	return RTE_PER_LCORE(strake_self);
}

/** Index of this lcore; only on an lcore. */
static inline uint16_t
strake_self_index(void)
{
	return RTE_PER_LCORE(strake_self)->index;
}

/** Time of this turn, ns. */
static inline uint64_t
strake_now(void)
{
	return RTE_PER_LCORE(strake_self)->now;
}

/** In a done(): when its burst came up, ns. Within a turn that is later than strake_now(), so that what ends in the
 * turn it began in has a latency too. Where turns are run by hand it is strake_now(). */
static inline uint64_t
strake_ending(void)
{
	return RTE_PER_LCORE(strake_self)->ending;
}

/** How an lcore idles. */
enum strake_idle {
	STRAKE_IDLE_ADAPTIVE, /**< spin a little, then sleep until something happens */
	STRAKE_IDLE_SPIN,     /**< never sleep */
};

struct strake_lcore_conf {
	enum strake_idle idle;
	/** Work-free time before a sleep, at most; 0: 50 µs. Less, down to a sixteenth, where that long never sufficed.
	 */
	uint32_t spin_us;
	int socket;
};

/** Make lcore @p index. Main thread, before anyone uses it. @return 0, -ENOMEM, -EEXIST, -EINVAL. */
int strake_lcore_create(uint16_t index, const struct strake_lcore_conf *conf);
/** Free it; its thread must have left. */
void strake_lcore_destroy(uint16_t index);
/** Lcores made so far, main included. */
uint16_t strake_lcore_count(void);
/** The lcore of an index, or NULL. Counters may be read from any thread (telemetry). */
struct strake_lcore *strake_lcore_at(uint16_t index);

/** This thread is now lcore @p index (or none: UINT16_MAX). */
void strake_lcore_enter(uint16_t index);
/** Run turns until strake_lcore_stop(). The thread must have entered. */
void strake_lcore_run(void);
/** Make the lcore's run() return after its current turn, or the next run() at once. Any thread, or a signal. */
void strake_lcore_stop(uint16_t index);
/** One turn at time @p now (ns; never goes back). For tests, and for boot on main. @return work done. */
uint32_t strake_lcore_turn(uint64_t now);
/** The real clock, ns, as run() uses it. */
uint64_t strake_clock_ns(void);

/* --- pollers ---------------------------------------------------------------------------------------------------- */

/** What a sleep ends by. */
struct strake_sleep {
	const struct pollfd *fds; /**< the first is written by who wakes the lcore; a poller's own is among them */
	unsigned int n;
	uint32_t epoch; /**< another one: a number among fds may stand for another file than before */
	uint64_t ns;	/**< at most */
};

/** Something looked at in every turn. Embedded in its owner; added and removed on its lcore. */
struct strake_poller {
	const char *name;
	/** Do what there is to do, bounded (a burst). @return work done; 0 lets the lcore become idle. Required. */
	uint32_t (*poll)(struct strake_poller *p, uint64_t now);
	/** End of turn: push out what the turn gathered (TX burst, io_uring_enter). Optional. @return work done. */
	uint32_t (*flush)(struct strake_poller *p, uint64_t now);
	/** Before sleeping (on = true): make `fd` readable when work arrives; return false if there is work already.
	 * After waking (on = false): stop that, drain the fd. Optional. */
	bool (*arm)(struct strake_poller *p, bool on);
	/** Sleep in place of the loop, where that saves a system call: until one of them is readable or the time is
	 * over. Only where no other poller of the lcore could: what an io_uring completes does not wake who sleeps in
	 * another. @return 1: the first of them is readable, 0: or not, -errno: did not sleep, and the loop does.
	 * Optional. */
	int (*sleep)(struct strake_poller *p, const struct strake_sleep *s);
	/** Waited on while asleep; -1: this poller has none, so the sleep is at most 150 µs; -2: needs no wake-up (its
	 * work is begun by others on this lcore). May change to one of those and back; read when arming. */
	int fd;
	TAILQ_ENTRY(strake_poller) link;
	uint64_t calls, work, cycles; /**< kept by the loop; cycles only of calls that did work */
};

/** Add to / remove from the lcore this thread is. A poller may remove itself from inside poll(). */
void strake_poller_add(struct strake_poller *p);
void strake_poller_del(struct strake_poller *p);
/** Call @p fn for every poller of this lcore (telemetry, by message). */
void strake_poller_walk(void (*fn)(const struct strake_poller *p, void *arg), void *arg);

/* --- messages --------------------------------------------------------------------------------------------------- */

/** Work for another lcore. Embedded in what it is about; not to be touched between send and fn. */
struct strake_msg {
	/** Runs on the receiving lcore, once. The message's memory is the receiver's from here on. */
	void (*fn)(struct strake_msg *msg);
	uint16_t from; /**< index of the sender, UINT16_MAX if the sender was no lcore; set by send */
};

/**
 * Send to lcore @p index, in order per sender; wakes it. Any thread, itself included.
 * The ring has a slot for every message that can exist (65,536): a full ring is a bug and aborts.
 */
void strake_msg_send(uint16_t index, struct strake_msg *msg);

/**
 * Run @p fn(arg) on lcore @p index and wait for it. Only from threads that are no lcore (the telemetry thread, the
 * control socket's), or at boot before the loops run. @return what fn returns; -ETIMEDOUT: the lcore did not come to it
 * within 5 s, and never will: fn has not run and does not run later. One that was begun is waited for, however long.
 */
int strake_msg_call(uint16_t index, int (*fn)(void *arg), void *arg);
/**
 * Wait until each data lcore whose loop runs has left the pollers it was in: what the caller took away before, none of
 * them uses any more. Any thread that is no lcore.
 */
void strake_lcores_settle(void);

/* --- timers ----------------------------------------------------------------------------------------------------- */

/** A timer of this lcore: a hashed wheel of 1 ms ticks. Embedded; zero-initialised means not armed. */
struct strake_timer {
	LIST_ENTRY(strake_timer) link;
	uint64_t due; /**< ns; 0: not armed */
	void (*fn)(struct strake_timer *t, uint64_t now);
};

/** (Re)arm for @p due (ns). Fires in the first turn at or after due, at most 1 ms late while awake. */
void strake_timer_arm(struct strake_timer *t, uint64_t due);
/** Disarm; harmless if not armed. */
void strake_timer_cancel(struct strake_timer *t);
static inline bool
strake_timer_armed(const struct strake_timer *t)
{
	return t->due != 0;
}

#ifdef __cplusplus
}
#endif

#endif /* STRAKE_LCORE_H */
