/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* What the kernel is given in the place of af_packet's driver: frames and what it shall do with them. */

#include <sys/socket.h>

#include "rig.h"

/* linux/virtio_net.h is not for C++: virtio 1.2, 5.1.6. */
struct virtio_head {
	uint8_t flags, gso_type;
	uint16_t hdr_len, gso_size, csum_start, csum_offset;
};
enum { NEEDS_CSUM = 1, GSO_NONE = 0, GSO_TCPV4 = 1, GSO_TCPV6 = 4 };

class PortPacket : public PortWays
{
      protected:
	struct Given {
		virtio_head head;
		Bytes frame;
	};

	/** A port that sends by one end of a pair instead of a packet socket. */
	void
	Ready()
	{
		PortWays::Ready();
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair));
		port->packet[0] = pair[0]; /* closed with the port */
		port->packet_cuts = true;
		port->tso = true;
		ifp[1]->caps |= PORT_CAP_TSO;
	}

	void
	TearDown() override
	{
		if (pair[1] >= 0)
			close(pair[1]);
		PortWays::TearDown();
	}

	void
	Send(port_dst *dst, size_t payload, uint16_t mss)
	{
		std::vector<uint16_t> pieces = {20};

		for (size_t left = payload; left > 0; left -= pieces.back())
			pieces.push_back((uint16_t)std::min(left, (size_t)1000));
		rte_mbuf *m = Outgoing(Unsummed(payload), pieces);

		m->tso_segsz = mss;
		EXPECT_EQ(0, ifp[1]->ops->send(dst, m, 0));
		Turn();
	}

	bool
	Take(Given *g)
	{
		uint8_t room[66000];
		ssize_t n = recv(pair[1], room, sizeof(room), 0);

		if (n < (ssize_t)sizeof(g->head))
			return false;
		memcpy(&g->head, room, sizeof(g->head));
		g->frame = Bytes(room + sizeof(g->head), room + n);
		return true;
	}

	int pair[2] = {-1, -1};
};

TEST_F(PortPacket, LetsTheKernelCut)
{
	Given g;

	Ready();
	Send(dst4, 9000, 1400);
	ASSERT_TRUE(Take(&g));
	EXPECT_EQ(NEEDS_CSUM, g.head.flags);
	EXPECT_EQ(GSO_TCPV4, g.head.gso_type);
	EXPECT_EQ(1400, g.head.gso_size);
	EXPECT_EQ(54, g.head.hdr_len);
	EXPECT_EQ(34, g.head.csum_start);
	EXPECT_EQ(16, g.head.csum_offset);
	EXPECT_EQ(54u + 9000, g.frame.size());
	EXPECT_EQ(9040u, get16(g.frame, 16)) << "one IP packet until it is cut";
	EXPECT_EQ(plain_sum(pseudo(us4, peer4, 6, 9020)), get16(g.frame, 34 + 16)) << "with the length, unlike devices";
	Send(dst6, 9000, 1380);
	ASSERT_TRUE(Take(&g));
	EXPECT_EQ(GSO_TCPV6, g.head.gso_type);
	EXPECT_EQ(1380, g.head.gso_size);
	EXPECT_EQ(54, g.head.csum_start);
	EXPECT_EQ(plain_sum(pseudo(us6, peer6, 6, 9020)), get16(g.frame, 54 + 16));
	EXPECT_EQ(2u, Stats().tx_cut);
}

TEST_F(PortPacket, SumsUpWhatNeedsNoCutting)
{
	Given g;

	Ready();
	Send(dst4, 100, 1400);
	ASSERT_TRUE(Take(&g));
	EXPECT_EQ(0, g.head.flags);
	EXPECT_EQ(GSO_NONE, g.head.gso_type);
	EXPECT_EQ(0xffff, plain_sum(pseudo(us4, peer4, 6, 120) + slice(g.frame, 34, 120)));
	EXPECT_EQ(0u, Stats().tx_cut);
}

TEST_F(PortPacket, CutsItselfOnceTheKernelRefuses)
{
	int size = 4096;
	Given g;

	Ready();
	ASSERT_EQ(0, setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
	Send(dst4, 60000, 1400);
	EXPECT_FALSE(Take(&g));
	EXPECT_EQ(1u, Stats().tx_drop_refused);
	EXPECT_EQ(0u, ifp[1]->caps & PORT_CAP_TSO);
	Send(dst4, 1400, 1400);
	EXPECT_TRUE(Take(&g)) << "others still go";
}
