/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The Internet checksum over chains (RFC 1071): sums are in memory order throughout. */

#include <netinet/in.h>

#include <rte_byteorder.h>

#include "strake_kernel.h"
#include "port_impl.h"

/** Fold to 16 bits without inverting. */
static uint16_t
fold(uint64_t sum)
{
	return (uint16_t)~strake_cksum_fold(sum);
}

static inline uint64_t
sum_chain(const struct rte_mbuf *m, uint32_t off, uint32_t len, uint64_t sum, const bool ours)
{
	const struct rte_mbuf *first = m;
	bool odd = false;

	for (; len != 0; m = m->next) {
		uint32_t run;
		uint64_t s;

		if (off >= m->data_len) {
			off -= m->data_len;
			continue;
		}
		run = RTE_MIN(len, m->data_len - off);
		if (ours && m != first && m->packet_type == PORT_SUM_KNOWN)
			s = m->hash.usr;
		else
			s = strake_kernel->cksum(rte_pktmbuf_mtod_offset(m, const void *, off), run, 0);
		/* A run that begins at an odd place has its bytes in the other halves of the 16-bit words: section 2(B)
		 * of the RFC lets us swap its sum instead of its bytes. */
		sum += odd ? rte_bswap16(fold(s)) : (s & UINT32_MAX) + (s >> 32);
		odd ^= run & 1;
		len -= run;
		off = 0;
	}
	return sum;
}

uint64_t
port_csum_chain(const struct rte_mbuf *m, uint32_t off, uint32_t len, uint64_t sum)
{
	return sum_chain(m, off, len, sum, false);
}

uint64_t
port_csum_ours(const struct rte_mbuf *m, uint32_t len, uint64_t sum)
{
	return sum_chain(m, 0, len, sum, true);
}

uint64_t
port_csum_pseudo(const struct port_addr *src, const struct port_addr *dst, uint8_t proto)
{
	uint64_t sum = rte_cpu_to_be_16(proto);
	uint32_t w;

	for (unsigned int i = 0; i < port_addr_len(src); i += sizeof(w)) {
		memcpy(&w, &src->b[i], sizeof(w));
		sum += w;
		memcpy(&w, &dst->b[i], sizeof(w));
		sum += w;
	}
	return sum;
}

bool
port_csum_ok(const struct rte_mbuf *m, uint16_t l4, const struct port_pkt *pkt, uint8_t proto)
{
	uint64_t sum = proto == IPPROTO_ICMP
			       ? 0
			       : port_csum_pseudo(&pkt->src, &pkt->dst, proto) + rte_cpu_to_be_16(pkt->l4_len);

	return strake_cksum_fold(port_csum_chain(m, l4, pkt->l4_len, sum)) == 0;
}
