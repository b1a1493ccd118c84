/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The flow hash: the same for both directions and on every lcore, and not to be foreseen without the seed. */

#include <rte_thash.h>

#include "port_impl.h"

/** Multiply and fold: both halves of the product carry every input bit. */
static uint64_t
mum(uint64_t a, uint64_t b)
{
	__uint128_t p = (__uint128_t)a * b;

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

/** One end of a flow. */
static uint64_t
end_hash(const struct port *port, const struct port_addr *a, uint16_t l4port)
{
	uint64_t hi, lo;

	memcpy(&hi, a->b, sizeof(hi));
	memcpy(&lo, a->b + 8, sizeof(lo));
	/* IPv4 leaves `lo` and half of `hi` zero; the port then sits in bits of `lo` that the seed spreads. */
	return mum(hi ^ port->seed[0], (lo ^ port->seed[1]) + ((uint64_t)l4port << 17 | l4port));
}

uint32_t
port_hash_flow(const struct port *port, const struct port_addr *a, const struct port_addr *b, const uint8_t *ports)
{
	uint16_t pa, pb;
	uint64_t h;

	memcpy(&pa, ports, sizeof(pa));
	memcpy(&pb, ports + 2, sizeof(pb));
	h = mum((end_hash(port, a, pa) + end_hash(port, b, pb)) ^ port->seed[1], port->seed[2]);
	return (uint32_t)(h ^ (h >> 32));
}

uint32_t
port_hash_addr(const struct port *port, const struct port_addr *a)
{
	uint64_t h = end_hash(port, a, a->family);

	return (uint32_t)(h ^ (h >> 32));
}

/** The Toeplitz hash the device computes over addresses and TCP ports. */
static uint32_t
device_hash(const struct port *port, const struct port_addr *src, uint16_t sport, const struct port_addr *dst,
	    uint16_t dport)
{
	uint32_t words = port_addr_len(src) / 4;
	uint32_t tuple[9], w;

	for (uint32_t i = 0; i < words; i++) {
		memcpy(&w, &src->b[4 * i], sizeof(w));
		tuple[i] = rte_be_to_cpu_32(w);
		memcpy(&w, &dst->b[4 * i], sizeof(w));
		tuple[words + i] = rte_be_to_cpu_32(w);
	}
	tuple[2 * words] = (uint32_t)sport << 16 | dport;
	return rte_softrss(tuple, 2 * words + 1, port->rss_key);
}

uint16_t
port_flow_lcore(struct port *port, const struct port_addr *local, uint16_t lport, const struct port_addr *remote,
		uint16_t rport)
{
	uint8_t ports[4];

	if (port->n_lcores == 1)
		return 1;
	if (port->rss) {
		uint32_t h = device_hash(port, remote, rport, local, lport);

		return 1 + port->reta[h % port->reta_size] % port->n_lcores;
	}
	ports[0] = (uint8_t)(rport >> 8);
	ports[1] = (uint8_t)rport;
	ports[2] = (uint8_t)(lport >> 8);
	ports[3] = (uint8_t)lport;
	return port_hash_owner(port, port_hash_flow(port, remote, local, ports));
}
