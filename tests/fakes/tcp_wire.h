/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef TCP_WIRE_H
#define TCP_WIRE_H

/* Two port_ifs joined by a wire of virtual time: rate, delay, loss, duplicates, reordering, all from one seed. */

#include <cstdint>
#include <deque>
#include <functional>
#include <queue>
#include <random>
#include <vector>

extern "C" {
#include "port.h"
#include "strake_kernel.h"
#include "strake_lcore.h"
}

struct WireConf {
	uint64_t seed = 1;
	uint16_t mtu = 1500;
	uint16_t tx_segs_max = 8;
	uint32_t caps = 0;
	uint64_t delay_ns = 20000;
	double gbps = 10.0;
	double drop = 0, dup = 0, reorder = 0;
	uint64_t jitter_ns = 500000;	/* how late a reordered packet is at most */
	uint32_t queue_bytes = 4 << 20; /* tail drop behind it */
	double mark = 0;		/* chance that an ECN-capable packet is marked CE */
	double enobufs = 0;		/* chance that send() finds the ring full */
	uint8_t pcp = 0;		/* 802.1Q priority of all packets */
	bool chains = false;		/* received packets are cut into chains at random */
	size_t ring = SIZE_MAX;		/* packets a side that does not look keeps; what comes then is lost */
};

struct WirePacket {
	uint64_t at;
	uint64_t order;
	int to;
	uint8_t tos;
	port_addr src, dst;
	std::vector<uint8_t> bytes;
	bool
	operator<(const WirePacket &o) const
	{
		return at != o.at ? at > o.at : order > o.order;
	}
};

class Wire
{
      public:
	Wire(const WireConf &conf, rte_mempool *pool, rte_mempool *ext_pool);
	~Wire();
	Wire(const Wire &) = delete;

	port_if *
	side(int i)
	{
		return &ends[i].ifp;
	}
	/* When the next packet arrives; UINT64_MAX: none under way. */
	uint64_t next() const;
	/* Side @p i does not look at what comes until @p until. */
	void
	pause(int i, uint64_t until)
	{
		ends[i].paused = until;
	}
	/* Put a packet on the wire towards side @p to, as if the other had sent it. */
	void inject(int to, const std::vector<uint8_t> &bytes, const port_addr &src, const port_addr &dst,
		    uint8_t tos = 0);

	static port_addr address(int i, int family = 4);

	/* Sees every packet sent; false: drop it. */
	std::function<bool(int from, std::vector<uint8_t> &bytes)> filter;
	WireConf conf;
	uint64_t sent = 0, dropped = 0, too_big = 0, linear_violations = 0;
	uint64_t torn = 0;			 /* mbufs that lie in two huge pages */
	uint64_t sums_known = 0, sums_wrong = 0; /* mbufs that came with the sum of their bytes */
	int routes = 0;
	bool send_icmp = false; /* a packet above the path MTU is answered by too_big() */
	uint16_t path_mtu = 65535;

      private:
	struct End {
		port_if ifp;
		Wire *wire;
		int index;
		uint64_t free_at, paused;
		std::deque<WirePacket> ring; /* arrived, not looked at */
	};
	static port_dst *route(port_if *ifp, const port_addr *local, const port_addr *remote);
	static void unroute(port_dst *dst);
	static int send(port_dst *dst, rte_mbuf *m, uint8_t tos);
	/* By a wire of its own that has no faults: the filter does not see it. */
	static int send_as(port_dst *dst, const port_addr *local, const port_addr *remote, rte_mbuf *m);
	static uint32_t poll(strake_poller *p, uint64_t now);
	void transmit(int from, port_dst *dst, std::vector<uint8_t> bytes, uint8_t tos);
	rte_mbuf *receive(const WirePacket &p);
	bool chance(double p);

	End ends[2];
	port_if_ops ops = {};
	struct Poll {
		strake_poller p; /* first */
		Wire *wire;
	} poller;
	std::mt19937_64 rng;
	std::priority_queue<WirePacket> queue;
	uint64_t order = 0;
	rte_mempool *pool;
};

#endif /* TCP_WIRE_H */
