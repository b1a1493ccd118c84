/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "index.h"

#include <emmintrin.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <rte_malloc.h>

/* Two bits of an entry: */
#define EMPTY	   0u
#define COLD	   1u
#define HOTTEST	   3u
#define HEAT_MASK  3u
#define EVERY_WAY  0x1555555u /* the lower bit of each */
#define HAND_SHIFT 28u
#define TAG_OFF	   4u /* where in a fingerprint the tag lies; the bytes before it choose the bucket */
#define TAG_BYTES  2u
#define HUGE_PAGE  (2u << 20)

int
dedup_index_create(struct dedup_index **out, uint64_t bytes, enum dedup_kind kind, const uint8_t *uuid,
		   const char *domain, struct dedup_stats *stats)
{
	struct dedup_index *ix = rte_zmalloc("dedup_index", sizeof(*ix), RTE_CACHE_LINE_SIZE);
	uint64_t buckets = RTE_MAX(bytes / sizeof(struct index_bucket), 1u);

	if (ix == NULL)
		return -ENOMEM;
	ix->buckets = (uint32_t)RTE_MIN(buckets, UINT32_MAX);
	ix->bytes = ix->buckets * sizeof(struct index_bucket);
	/* Not the EAL's memory: no device looks here, and what a domain may use is not known when the EAL starts. */
	ix->bucket = mmap(NULL, ix->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ix->bucket == MAP_FAILED) {
		rte_free(ix);
		return -ENOMEM;
	}
	/* Fingerprints of a tenant's data do not belong in a core dump. What the kernel refuses of this is no loss. */
	madvise(ix->bucket, ix->bytes, MADV_DONTDUMP);
	if (ix->bytes >= HUGE_PAGE)
		madvise(ix->bucket, ix->bytes, MADV_HUGEPAGE);
	/* Touched here, so that the pages are this lcore's node's and no fault comes later. */
	memset(ix->bucket, 0, ix->bytes);
	ix->kind = (uint8_t)kind;
	memcpy(ix->uuid, uuid, sizeof(ix->uuid));
	strncpy(ix->domain, domain, sizeof(ix->domain) - 1);
	ix->stats = stats;
	stats->entries = 0;
	stats->capacity = (uint64_t)ix->buckets * INDEX_WAYS;
	stats->bytes = ix->bytes;
	*out = ix;
	return 0;
}

void
dedup_index_destroy(struct dedup_index *ix)
{
	if (ix == NULL)
		return;
	ix->stats->entries = ix->stats->capacity = ix->stats->bytes = 0;
	munmap(ix->bucket, ix->bytes);
	rte_free(ix);
}

static uint16_t
tag_of(const uint8_t *fp)
{
	uint16_t tag;

	memcpy(&tag, fp + TAG_OFF, TAG_BYTES);
	return tag;
}

static bool
same_rest(const struct index_slot *s, const uint8_t *fp)
{
	return memcmp(s->rest, fp, TAG_OFF) == 0 &&
	       memcmp(s->rest + TAG_OFF, fp + TAG_OFF + TAG_BYTES, sizeof(s->rest) - TAG_OFF) == 0;
}

static void
set_fp(struct index_bucket *b, unsigned int way, const uint8_t *fp)
{
	struct index_slot *s = &b->slot[way];

	b->tag[way] = tag_of(fp);
	memcpy(s->rest, fp, TAG_OFF);
	memcpy(s->rest + TAG_OFF, fp + TAG_OFF + TAG_BYTES, sizeof(s->rest) - TAG_OFF);
}

static void
get_fp(const struct index_bucket *b, unsigned int way, uint8_t *fp)
{
	const struct index_slot *s = &b->slot[way];
	uint16_t tag = b->tag[way];

	memcpy(fp, s->rest, TAG_OFF);
	memcpy(fp + TAG_OFF, &tag, TAG_BYTES);
	memcpy(fp + TAG_OFF + TAG_BYTES, s->rest + TAG_OFF, sizeof(s->rest) - TAG_OFF);
}

static bool
fits(const struct index_entry *e)
{
	return e->owner_lba >> INDEX_LBA_BITS == 0 && e->owner_vol >> INDEX_VOL_BITS == 0;
}

static void
set_place(struct index_slot *s, const struct index_entry *e)
{
	uint64_t owner = e->owner_lba | (uint64_t)e->owner_vol << INDEX_LBA_BITS;

	s->where = e->where;
	memcpy(s->owner, &owner, sizeof(s->owner));
}

/* The owner is read with the byte before it, in one piece: seven bytes put together would wait for each other. */
static void
get_place(const struct index_slot *s, struct index_entry *e)
{
	uint64_t owner;

	memcpy(&owner, (const uint8_t *)s + offsetof(struct index_slot, owner) - 1, sizeof(owner));
	owner >>= 8;
	e->where = s->where;
	e->owner_lba = owner & ((1ULL << INDEX_LBA_BITS) - 1);
	e->owner_vol = (uint32_t)(owner >> INDEX_LBA_BITS);
}

static unsigned int
heat_of(const struct index_bucket *b, unsigned int way)
{
	return b->heat >> (2 * way) & HEAT_MASK;
}

static void
set_heat(struct index_bucket *b, unsigned int way, unsigned int heat)
{
	b->heat = (b->heat & ~(HEAT_MASK << (2 * way))) | heat << (2 * way);
}

/* The bucket of a fingerprint, wiped if it is of an epoch that was cleared. */
static struct index_bucket *
live_bucket(struct dedup_index *ix, const uint8_t *fp)
{
	struct index_bucket *b = dedup_index_bucket(ix, fp);

	if (unlikely(b->epoch != ix->epoch)) {
		memset(b, 0, sizeof(*b));
		b->epoch = ix->epoch;
	}
	return b;
}

/* The ways, a bit each, whose tag is that of @p fp; empty ones may be among them. All at once: a loop with a branch a
 * way costs more than the rest of a lookup. */
static unsigned int
matches(const struct index_bucket *b, const uint8_t *fp)
{
	const unsigned int high = INDEX_WAYS - 8; /* the second load has the ways from here on */
	__m128i tag = _mm_set1_epi16((short)tag_of(fp));
	__m128i first = _mm_loadu_si128((const __m128i *)&b->tag[0]);
	__m128i second = _mm_loadu_si128((const __m128i *)&b->tag[high]);
	__m128i equal = _mm_packs_epi16(_mm_cmpeq_epi16(first, tag), _mm_cmpeq_epi16(second, tag));
	unsigned int bits = (unsigned int)_mm_movemask_epi8(equal);

	return (bits & 0xff) | (bits >> 8) << high;
}

/* @return the way, or -1. */
static int
find(const struct index_bucket *b, const uint8_t *fp)
{
	for (unsigned int left = matches(b, fp); left != 0; left &= left - 1) {
		unsigned int way = (unsigned int)__builtin_ctz(left);

		if (heat_of(b, way) != EMPTY && same_rest(&b->slot[way], fp))
			return (int)way;
	}
	return -1;
}

void
dedup_index_prefetch_slot(const struct dedup_index *ix, const uint8_t *fp)
{
	const struct index_bucket *b = dedup_index_bucket(ix, fp);

	for (unsigned int left = matches(b, fp); left != 0; left &= left - 1) {
		unsigned int way = (unsigned int)__builtin_ctz(left);

		rte_prefetch0(&b->slot[way]);
		rte_prefetch0((const uint8_t *)(&b->slot[way] + 1) - 1);
	}
}

bool
dedup_index_get(struct dedup_index *ix, const uint8_t *fp, struct index_entry *out)
{
	const struct index_bucket *b = live_bucket(ix, fp);
	int way = find(b, fp);

	if (way < 0)
		return false;
	get_place(&b->slot[way], out);
	return true;
}

static int
empty_way(const struct index_bucket *b)
{
	uint32_t occupied = (b->heat | b->heat >> 1) & EVERY_WAY;

	return occupied == EVERY_WAY ? -1 : __builtin_ctz(~occupied & EVERY_WAY) / 2;
}

/* Of a full bucket: the hand goes on to the first cold entry, and stays behind it. */
static unsigned int
coldest_way(struct index_bucket *b)
{
	unsigned int hand = b->heat >> HAND_SHIFT, way;

	while (heat_of(b, hand) > COLD) {
		set_heat(b, hand, heat_of(b, hand) - 1);
		hand = (hand + 1) % INDEX_WAYS;
	}
	way = hand;
	hand = (hand + 1) % INDEX_WAYS;
	b->heat = (b->heat & ((1u << HAND_SHIFT) - 1)) | hand << HAND_SHIFT;
	return way;
}

static void
erase(struct dedup_index *ix, struct index_bucket *b, unsigned int way)
{
	set_heat(b, way, EMPTY);
	ix->stats->entries--;
}

static void
fill(struct dedup_index *ix, struct index_bucket *b, unsigned int way, const uint8_t *fp, const struct index_entry *e,
     unsigned int heat)
{
	set_fp(b, way, fp);
	set_place(&b->slot[way], e);
	set_heat(b, way, heat);
	ix->stats->entries++;
	ix->stats->inserted++;
}

static void
renew(struct dedup_index *ix, struct index_bucket *b, unsigned int way, const struct index_entry *e, bool hot)
{
	if (!fits(e)) {
		erase(ix, b, way);
		return;
	}
	set_place(&b->slot[way], e);
	if (hot)
		set_heat(b, way, HOTTEST);
}

void
dedup_index_put(struct dedup_index *ix, const uint8_t *fp, const struct index_entry *e, bool hot)
{
	struct index_bucket *b = live_bucket(ix, fp);
	int way = find(b, fp);

	if (!fits(e))
		ix->stats->unfit++;
	if (way >= 0) {
		renew(ix, b, (unsigned int)way, e, hot);
		return;
	}
	if (!fits(e))
		return;
	way = empty_way(b);
	if (way < 0) {
		way = (int)coldest_way(b);
		erase(ix, b, (unsigned int)way);
		ix->stats->evictions++;
	}
	fill(ix, b, (unsigned int)way, fp, e, hot ? COLD + 1 : COLD);
}

bool
dedup_index_add(struct dedup_index *ix, const uint8_t *fp, const struct index_entry *e, unsigned int heat)
{
	struct index_bucket *b = live_bucket(ix, fp);
	int way = empty_way(b);

	if (way < 0 || !fits(e) || find(b, fp) >= 0)
		return false;
	heat = RTE_MAX(heat, COLD);
	fill(ix, b, (unsigned int)way, fp, e, RTE_MIN(heat, HOTTEST));
	return true;
}

void
dedup_index_drop(struct dedup_index *ix, const uint8_t *fp, uint64_t where)
{
	struct index_bucket *b = live_bucket(ix, fp);
	int way = find(b, fp);

	if (way >= 0 && b->slot[way].where == where)
		erase(ix, b, (unsigned int)way);
}

void
dedup_index_clear(struct dedup_index *ix)
{
	ix->stats->entries = 0;
	/* After 255 times an old bucket would look like a new one. */
	if (++ix->epoch == 0)
		memset(ix->bucket, 0, ix->bytes);
}

unsigned int
dedup_index_bucket_read(const struct dedup_index *ix, uint32_t b, uint8_t (*fp)[STRAKE_ADVICE_FP],
			struct index_entry *e, uint8_t *heat)
{
	const struct index_bucket *bucket = &ix->bucket[b];
	unsigned int n = 0;

	if (bucket->epoch != ix->epoch)
		return 0;
	for (unsigned int way = 0; way < INDEX_WAYS; way++) {
		if (heat_of(bucket, way) == EMPTY)
			continue;
		get_fp(bucket, way, fp[n]);
		get_place(&bucket->slot[way], &e[n]);
		heat[n++] = (uint8_t)heat_of(bucket, way);
	}
	return n;
}
