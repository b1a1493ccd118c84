/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <string.h>

#include <rte_byteorder.h>

#include "option.h"

static uint16_t
get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t
get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return rte_be_to_cpu_32(v);
}

static void
put32(uint8_t *p, uint32_t v)
{
	v = rte_cpu_to_be_32(v);
	memcpy(p, &v, sizeof(v));
}

static void
parse_sack(struct tcp_options *o, const uint8_t *p, unsigned int len)
{
	unsigned int n = (len - 2) / 8;

	if (len < 10 || (len - 2) % 8 != 0)
		return;
	for (unsigned int i = 0; i < n && o->n_sack < TCP_SACK_BLOCKS; i++) {
		o->sack[o->n_sack].start = get32(p + 2 + 8 * i);
		o->sack[o->n_sack].end = get32(p + 6 + 8 * i);
		o->n_sack++;
	}
}

/* An option whose length does not fit its kind is skipped like an unknown one (RFC 9293, MUST-6). */
static void
parse_one(struct tcp_options *o, const uint8_t *p, unsigned int len)
{
	switch (p[0]) {
	case TCP_KIND_MSS:
		if (len == 4) {
			o->mss = get16(p + 2);
			o->has |= TCP_HAS_MSS;
		}
		break;
	case TCP_KIND_WSCALE:
		if (len == 3) {
			o->wscale = p[2] > TCP_WSCALE_MAX ? TCP_WSCALE_MAX : p[2];
			o->has |= TCP_HAS_WSCALE;
		}
		break;
	case TCP_KIND_SACK_PERM:
		if (len == 2)
			o->has |= TCP_HAS_SACK_PERM;
		break;
	case TCP_KIND_SACK:
		parse_sack(o, p, len);
		break;
	case TCP_KIND_TS:
		if (len == 10) {
			o->tsval = get32(p + 2);
			o->tsecr = get32(p + 6);
			o->has |= TCP_HAS_TS;
		}
		break;
	default:
		break;
	}
}

bool
tcp_option_parse(struct tcp_options *o, const uint8_t *p, unsigned int len)
{
	o->has = 0;
	o->n_sack = 0;
	/* What nearly every segment carries, laid out as RFC 7323 A recommends. */
	if (len == 12 && p[0] == TCP_KIND_NOP && p[1] == TCP_KIND_NOP && p[2] == TCP_KIND_TS && p[3] == 10) {
		o->tsval = get32(p + 4);
		o->tsecr = get32(p + 8);
		o->has = TCP_HAS_TS;
		return true;
	}
	while (len > 0 && p[0] != TCP_KIND_END) {
		unsigned int n = 1;

		if (p[0] != TCP_KIND_NOP) {
			if (len < 2 || p[1] < 2 || p[1] > len)
				return false;
			n = p[1];
			parse_one(o, p, n);
		}
		p += n;
		len -= n;
	}
	return true;
}

static unsigned int
build_sack(uint8_t *p, const struct tcp_options *o, unsigned int room)
{
	unsigned int n = o->n_sack;

	if (room < 12 || n == 0)
		return 0;
	n = n < (room - 4) / 8 ? n : (room - 4) / 8;
	p[0] = TCP_KIND_NOP;
	p[1] = TCP_KIND_NOP;
	p[2] = TCP_KIND_SACK;
	p[3] = (uint8_t)(2 + 8 * n);
	for (unsigned int i = 0; i < n; i++) {
		put32(p + 4 + 8 * i, o->sack[i].start);
		put32(p + 8 + 8 * i, o->sack[i].end);
	}
	return 4 + 8 * n;
}

unsigned int
tcp_option_build(uint8_t *p, const struct tcp_options *o)
{
	unsigned int len = 0;

	if (o->has & TCP_HAS_MSS) {
		p[len] = TCP_KIND_MSS;
		p[len + 1] = 4;
		p[len + 2] = (uint8_t)(o->mss >> 8);
		p[len + 3] = (uint8_t)o->mss;
		len += 4;
	}
	if (o->has & TCP_HAS_SACK_PERM) {
		p[len] = TCP_KIND_NOP;
		p[len + 1] = TCP_KIND_NOP;
		p[len + 2] = TCP_KIND_SACK_PERM;
		p[len + 3] = 2;
		len += 4;
	}
	if (o->has & TCP_HAS_TS) {
		p[len] = TCP_KIND_NOP;
		p[len + 1] = TCP_KIND_NOP;
		p[len + 2] = TCP_KIND_TS;
		p[len + 3] = 10;
		put32(p + len + 4, o->tsval);
		put32(p + len + 8, o->tsecr);
		len += 12;
	}
	if (o->has & TCP_HAS_WSCALE) {
		p[len] = TCP_KIND_NOP;
		p[len + 1] = TCP_KIND_WSCALE;
		p[len + 2] = 3;
		p[len + 3] = o->wscale;
		len += 4;
	}
	return len + build_sack(p + len, o, TCP_OPT_MAX - len);
}
