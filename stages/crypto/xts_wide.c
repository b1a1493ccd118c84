/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* A library of its own for its instruction set; nothing here runs where the processor lacks it. Round keys are read
 * from secret memory in every step, never kept in registers across, from where they could be spilled to the stack. */

#include <immintrin.h>
#include <stddef.h>

#include "xts_wide.h"

#define ROUNDS	 14
#define EACH(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)

static inline __m128i
load(const uint8_t *p)
{
	return _mm_loadu_si128((const __m128i *)p);
}

static inline __m512i
round_key(const uint8_t (*keys)[16], int i)
{
	return _mm512_broadcast_i32x4(load(keys[i]));
}

/* FIPS 197, 5.2: word i is word i - 8, and what @assist makes of word i - 1, with each sum running on to the next. */
static inline __m128i
expand(__m128i before, __m128i assist)
{
	before = _mm_xor_si128(before, _mm_slli_si128(before, 4));
	before = _mm_xor_si128(before, _mm_slli_si128(before, 8));
	return _mm_xor_si128(before, assist);
}

#define EXPAND(i, rcon)                                                                                                \
	store(out[i], expand(load(out[(i)-2]), _mm_shuffle_epi32(_mm_aeskeygenassist_si128(load(out[(i)-1]), rcon),    \
								 (i) % 2 == 0 ? 0xff : 0xaa)))

static inline void
store(uint8_t *p, __m128i v)
{
	_mm_storeu_si128((__m128i *)p, v);
}

static void
schedule(uint8_t (*out)[16], const uint8_t *key)
{
	store(out[0], load(key));
	store(out[1], load(key + 16));
	EXPAND(2, 0x01);
	EXPAND(3, 0);
	EXPAND(4, 0x02);
	EXPAND(5, 0);
	EXPAND(6, 0x04);
	EXPAND(7, 0);
	EXPAND(8, 0x08);
	EXPAND(9, 0);
	EXPAND(10, 0x10);
	EXPAND(11, 0);
	EXPAND(12, 0x20);
	EXPAND(13, 0);
	EXPAND(14, 0x40);
}

void
xts_wide_init(struct xts_wide *w, const uint8_t *key)
{
	schedule(w->enc, key);
	schedule(w->tweak, key + 32);
	/* The equivalent inverse cipher (FIPS 197, 5.3.5). */
	store(w->dec[0], load(w->enc[ROUNDS]));
	for (int i = 1; i < ROUNDS; i++)
		store(w->dec[i], _mm_aesimc_si128(load(w->enc[ROUNDS - i])));
	store(w->dec[ROUNDS], load(w->enc[0]));
}

static inline __m128i
first_tweak(const struct xts_wide *w, uint64_t lba)
{
	__m128i t = _mm_xor_si128(_mm_cvtsi64_si128((long long)lba), load(w->tweak[0]));

	for (int i = 1; i < ROUNDS; i++)
		t = _mm_aesenc_si128(t, load(w->tweak[i]));
	return _mm_aesenclast_si128(t, load(w->tweak[ROUNDS]));
}

/* What left a 128-bit number at its upper end comes in again at the lower one: times x^7 + x^2 + x + 1. */
static inline __m512i
reduce(__m512i shifted, __m512i out)
{
	__m512i low = _mm512_ternarylogic_epi64(out, _mm512_slli_epi64(out, 1), _mm512_slli_epi64(out, 2), 0x96);

	return _mm512_ternarylogic_epi64(shifted, low, _mm512_slli_epi64(out, 7), 0x96);
}

/* Each tweak times x^(8n), n up to 7. */
#define TIMES_BYTES(t, n) reduce(_mm512_bslli_epi128(t, n), _mm512_bsrli_epi128(t, 16 - (n)))

/* Each tweak times x to the power in its two lanes, 0 to 7. */
static inline __m512i
times_bits(__m512i t, __m512i power)
{
	__m512i out = _mm512_srlv_epi64(t, _mm512_sub_epi64(_mm512_set1_epi64(64), power));

	out = _mm512_shuffle_epi32(out, _MM_PERM_BADC);
	/* From the lower half into the upper, from the upper out. */
	t = _mm512_xor_si512(_mm512_sllv_epi64(t, power), _mm512_maskz_mov_epi64(0xaa, out));
	return reduce(t, _mm512_maskz_mov_epi64(0x55, out));
}

/* Tweaks of the first 32 blocks, four to a register. */
static inline void
tweaks(const struct xts_wide *w, uint64_t lba, __m512i t[8])
{
	__m512i first = _mm512_broadcast_i32x4(first_tweak(w, lba));

	t[0] = times_bits(first, _mm512_set_epi64(3, 3, 2, 2, 1, 1, 0, 0));
	t[1] = times_bits(t[0], _mm512_set1_epi64(4));
	t[2] = TIMES_BYTES(t[0], 1);
	t[3] = TIMES_BYTES(t[1], 1);
	t[4] = TIMES_BYTES(t[0], 2);
	t[5] = TIMES_BYTES(t[1], 2);
	t[6] = TIMES_BYTES(t[2], 2);
	t[7] = TIMES_BYTES(t[3], 2);
}

static inline void
fetch(const uint8_t *p)
{
	for (unsigned int i = 0; i < XTS_WIDE_STEP; i += 64)
		_mm_prefetch((const char *)p + i, _MM_HINT_T1);
}

/* One pass over a data unit, by the rounds of either direction. */
#define PASS(round, last, keys)                                                                                        \
	__m512i t[8];                                                                                                  \
                                                                                                                       \
	tweaks(w, lba, t);                                                                                             \
	for (uint32_t at = 0; at < len; at += XTS_WIDE_STEP) {                                                         \
		__m512i k = round_key(keys, 0), b[8];                                                                  \
                                                                                                                       \
		if (ahead != NULL)                                                                                     \
			fetch(ahead + at);                                                                             \
		EACH(LOAD)                                                                                             \
		for (int i = 1; i < ROUNDS; i++) {                                                                     \
			k = round_key(keys, i);                                                                        \
			EACH(round)                                                                                    \
		}                                                                                                      \
		k = round_key(keys, ROUNDS);                                                                           \
		EACH(last)                                                                                             \
		EACH(STORE)                                                                                            \
		__asm__ volatile("" ::: "memory"); /* the keys are read anew */                                        \
	}

#define LOAD(i)	    b[i] = _mm512_ternarylogic_epi64(_mm512_loadu_si512(src + at + 64 * (i)), t[i], k, 0x96);
#define ENC(i)	    b[i] = _mm512_aesenc_epi128(b[i], k);
#define DEC(i)	    b[i] = _mm512_aesdec_epi128(b[i], k);
#define ENC_LAST(i) b[i] = _mm512_aesenclast_epi128(b[i], _mm512_xor_si512(k, t[i]));
#define DEC_LAST(i) b[i] = _mm512_aesdeclast_epi128(b[i], _mm512_xor_si512(k, t[i]));
#define STORE(i)                                                                                                       \
	_mm512_storeu_si512(dst + at + 64 * (i), b[i]);                                                                \
	t[i] = TIMES_BYTES(t[i], 4);

void
xts_wide_encrypt(const struct xts_wide *w, uint8_t *dst, const uint8_t *src, uint32_t len, uint64_t lba,
		 const uint8_t *ahead)
{
	PASS(ENC, ENC_LAST, w->enc)
}

void
xts_wide_decrypt(const struct xts_wide *w, uint8_t *dst, const uint8_t *src, uint32_t len, uint64_t lba,
		 const uint8_t *ahead)
{
	PASS(DEC, DEC_LAST, w->dec)
}
