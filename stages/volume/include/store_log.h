/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STORE_LOG_H
#define STORE_LOG_H

/**
 * @file
 * Log volumes and the store they share: one store for each log group, on the group's owner lcore.
 */

#include "strake_space.h"
#include "strake_stage.h"
#include "strake_volume.h"

#ifdef __cplusplus
extern "C" {
#endif

struct store;

#define LOG_VOLUME_MAX (64ULL << 40) /**< largest volume, bytes */

struct store_conf {
	const char *name;
	struct strake_space *space;
	/** Cache of the map: 4,136 bytes hold a page, which maps 2 MiB; 0: 64 MiB. If the log was written with more, as
	 * much is taken while it is played. Less than 16 MiB is for tests: a trim may need a thousand pages at once. */
	uint64_t map_bytes;
	uint64_t checkpoint_bytes; /**< of the log between checkpoints; 0: a sixteenth of the space, at most 1 GiB */
	uint64_t row_age;	   /**< ns: a row that is not full is written after this time; 0: 5 s */
	uint32_t jobs;		   /**< requests under way at once; 0: 512 */
	/** The clock main's turns run by while it waits; NULL: strake_clock_ns(). */
	uint64_t (*clock)(void);
};

/**
 * Open the store of a group, or make one if the space has none: reads the superblock, plays the log after its
 * checkpoint, writes a new one. Main; the owner lcore runs (or is main). Runs turns of main.
 * @return 0; -errno with one line in @p err.
 */
int store_open(struct store **out, const struct store_conf *conf, char *err, size_t errlen);
/** A checkpoint, and everything is freed. Main, after drain. With @p abandon nothing is written, as in a crash. */
int store_close(struct store *st, bool abandon);
/** The stage that ends the chunk chains of the store's volumes. */
struct strake_stage *store_stage(struct store *st);

struct log_conf {
	const char *name;
	struct store *store;
	uint64_t bytes; /**< size; of a volume that is there already, its new size */
	uint32_t lba_shift;
	uint32_t slab_shift;
	bool read_only;
	bool write_through;  /**< `write_cache: off`: each write is durable before it is done */
	uint32_t domain;     /**< of dedup and keys */
	const uint8_t *uuid; /**< of a volume that is made now, or NULL: from a random source */
	struct strake_stage **req_stages;
	unsigned int n_req_stages;
	struct strake_stage **chunk_stages; /**< without the store's own, which comes last */
	unsigned int n_chunk_stages;
};

/** Open a volume of the store by name, or make it, durably; add it to the list of volumes. Main. */
int log_create(struct strake_volume **out, const struct log_conf *conf, char *err, size_t errlen);
/** Close it; what it holds stays. Main, after drain. */
void log_destroy(struct strake_volume *vol);
int log_lcore_init(struct strake_volume *vol);
void log_lcore_fini(struct strake_volume *vol);
/** On each data lcore, when no request is under way: has the store's own work let go of the volume? It begins none
 * anew. */
bool log_lcore_drain(struct strake_volume *vol);
/** Another size, up to LOG_VOLUME_MAX, durable on return. What lies beyond a smaller end is forgotten. Main. */
int log_resize(struct strake_volume *vol, uint64_t bytes);
/** Forget all that a volume holds, durably: it reads as zeroes. No host has it. Main. */
int log_clear(struct strake_volume *vol);
/** Delete a volume that is not open, by name. On return that is durable and the name is free; what it held is forgotten
 * by the store beside its other work, also after a restart (store_usage.deleted_blocks tells how much is left). Main;
 * runs turns. @return 0; -ENOENT; -EBUSY: it is open; or why the store cannot write, and then it may be there again,
 * without some of its blocks. */
int store_volume_delete(struct store *st, const char *name);

/** A volume that a store holds, open or not. */
struct store_volume {
	char name[STRAKE_NAME_MAX];
	uint8_t uuid[16];
	uint64_t bytes, mapped; /**< size; of it, what holds data */
	uint32_t lba_shift, domain;
};
/** The i-th, in no order that lasts, or by name; deleted ones are none. Main. @return 0, -ENOENT. */
int store_volume_nth(const struct store *st, unsigned int i, struct store_volume *out);
int store_volume_get(const struct store *st, const char *name, struct store_volume *out);

/** Where the space went. Blocks are of 4 KiB; bytes as they lie, without parity. Any thread. */
struct store_usage {
	uint64_t bytes, free_bytes;	    /**< of segments: all, and those that hold nothing */
	uint64_t logical_blocks;	    /**< mapped by volumes of hosts */
	uint64_t shared_blocks;		    /**< of those, that share with others */
	uint64_t unique_blocks;		    /**< kept */
	uint64_t own_blocks;		    /**< of volumes that hosts do not see, whose names begin with a dot */
	uint64_t deleted_blocks;	    /**< of volumes that were deleted, and not forgotten yet */
	uint64_t dead_blocks;		    /**< kept, and not needed any more */
	uint64_t plain_bytes, stored_bytes; /**< of what hosts wrote since opening: before and after compression */
	uint64_t zero_blocks, hit_blocks;   /**< written since opening and not stored, because zero, because known */
	uint64_t host_bytes;		    /**< written by hosts since opening */
	uint64_t hot_bytes, gc_bytes, meta_bytes, padded_bytes, intent_bytes; /**< written to the space since opening */
	uint64_t moved_blocks, collected, checkpoints, replayed, lost, repaired;
	uint32_t segments, free_segments;
	uint32_t aside_segments; /**< free, but not used until the next opening: this one could not read them */
	bool full;		 /**< writes are refused with -ENOSPC */
	int failed;		 /**< 0, or why nothing can be written */
};
void store_usage(const struct store *st, struct store_usage *out);
/** Scrub found a row that disagrees with its parity (log_group_scrub_watch): read the chunks in it, and write the row
 * and its parity again where a drive has something else, if none is beyond help. Owner lcore; @p store is the store. */
void store_mend(void *store, uint32_t seg, uint32_t row);
/** With which keys the store's chunks were sealed: those that may still be needed, and perhaps some more. */
struct store_seals {
	uint64_t opening[(UINT16_MAX + 1) / 64]; /**< bitmap of seal.salt */
	uint32_t n_domains;
	struct {
		uint32_t domain;
		uint16_t oldest; /**< epoch */
	} * domain;
};
/** Begin to look, by reading all that the store holds, beside its other work. Main. @return 0, -EBUSY: it has begun
 * already, -ENOMEM. */
int store_seals_begin(struct store *st);
/** How that went; *out is good until store_seals_end(). Main. @return 0; -EINPROGRESS; -ENOENT: nobody began; or why it
 * cannot be told, and then keys must be kept. */
int store_seals_result(struct store *st, const struct store_seals **out);
/** Forget the answer, or stop looking. Main; runs turns. */
void store_seals_end(struct store *st);
/** Chunks of a domain that were sealed before @p epoch, its newest key's, shall be sealed anew. */
struct store_reseal_target {
	uint32_t domain;
	uint16_t epoch;
};

enum store_reseal_state {
	STORE_RESEAL_NONE,    /**< nobody asked */
	STORE_RESEAL_GOES_ON, /**< unless there is no room just now */
	STORE_RESEAL_ENDED,   /**< what could be done is; goes on when a volume comes that can open what is left */
};

/** How far that has come. */
struct store_reseal_status {
	enum store_reseal_state state;
	bool no_room;		 /**< it waits for some */
	uint32_t segments, left; /**< to look at, when it began; that may still hold such chunks */
	uint64_t chunks, bytes;	 /**< sealed anew, as they lay */
	uint32_t damaged;	 /**< chunks left that their key does not open */
	uint32_t unopened;	 /**< that no open volume can open, of those that are there */
	uint32_t unread;	 /**< segments that cannot be read whole */
};

/** Begin, beside all else, also if it has begun already, with other targets, of which each domain has one. It is over
 * with the store. Main; runs turns. */
void store_reseal_begin(struct store *st, const struct store_reseal_target *t, unsigned int n);
/** At most so many bytes a second, and so for store_seals_begin(); 0, as when it was opened: no limit. Main; runs
 * turns. */
void store_reseal_rate(struct store *st, uint64_t bytes);
/** Main; runs turns. */
void store_reseal_end(struct store *st);
/** Any thread. */
void store_reseal_get(const struct store *st, struct store_reseal_status *out);
/** The i-th open store, or NULL. Main. */
struct store *store_nth(unsigned int i);
const char *store_name(const struct store *st);

#ifdef __cplusplus
}
#endif

#endif /* STORE_LOG_H */
