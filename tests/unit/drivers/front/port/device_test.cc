/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Opening: what is asked of devices, what is refused, and real ones where the machine lets us. */

#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <random>

#include "rig.h"

/** libxdp keeps 80 bytes of each umem; under the leak sanitizer this is not our failure. */
extern "C" const char *__lsan_default_suppressions();
const char *
__lsan_default_suppressions()
{
	return "leak:xsk_umem__create\n";
}

class PortDevice : public PortTest
{
      protected:
	std::string
	OpenError(unsigned n = 1)
	{
		char err[256] = "";
		struct port *p = nullptr;

		if (dev == nullptr)
			dev = ethdev_create("fake", &dev_conf);
		if (conf.device == nullptr)
			conf.device = dev->name;
		EXPECT_GT(0, port_open(&p, &conf, n, err, sizeof(err)));
		EXPECT_EQ(nullptr, p);
		return err;
	}
};

TEST_F(PortDevice, NamesWhatIsWrong)
{
	const char *bad[] = {"10.0.0.2", "fd00::2/64"}, *worse[] = {"10.0.0.2/33"}, *group[] = {"224.0.0.1/24"};

	conf.addresses = bad;
	EXPECT_NE(std::string::npos, OpenError().find("\"10.0.0.2\""));
	conf.addresses = worse;
	conf.n_addresses = 1;
	EXPECT_NE(std::string::npos, OpenError().find("\"10.0.0.2/33\""));
	conf.addresses = group;
	EXPECT_NE(std::string::npos, OpenError().find("224"));
	conf.n_addresses = 0;
	conf.gateway4 = "fd00::1";
	EXPECT_NE(std::string::npos, OpenError().find("gateway4"));
	conf.gateway4 = nullptr;
	conf.gateway6 = "nonsense";
	EXPECT_NE(std::string::npos, OpenError().find("gateway6"));
	conf.gateway6 = nullptr;
	conf.mac = "02:00:00:00:00:01:";
	EXPECT_NE(std::string::npos, OpenError().find("MAC"));
	conf.mac = nullptr;
	conf.device = "0000:7f:1f.7";
	EXPECT_NE(std::string::npos, OpenError().find("0000:7f:1f.7"));
}

TEST_F(PortDevice, RefusesADeviceInUse)
{
	Open();
	conf.name = "p1";
	EXPECT_NE(std::string::npos, OpenError().find("in use by port p0"));
}

TEST_F(PortDevice, RefusesAnMtuThatAfXdpCannotTake)
{
	dev_conf.driver = "net_af_xdp";
	dev_conf.max_mtu = 3542;
	dev_conf.single_segment = true;
	conf.mtu = 9000;
	EXPECT_NE(std::string::npos, OpenError().find("at most 3374"));
	conf.mtu = 3374;
	Open();
	EXPECT_EQ(3374, ifp[1]->mtu);
	EXPECT_EQ(1, ifp[1]->tx_segs_max);
}

TEST_F(PortDevice, TakesTheLessOfWhatIsAskedAndOffered)
{
	dev_conf.max_mtu = 4000;
	conf.mtu = 9000;
	Open();
	EXPECT_EQ(4000, ifp[1]->mtu);
	EXPECT_EQ(4000, dev->mtu);
}

TEST_F(PortDevice, PassesMoreThanModestDriversAnnounce)
{
	dev_conf.driver = "net_memif";
	dev_conf.max_mtu = 1500;
	conf.mtu = 9000;
	Open();
	EXPECT_EQ(9000, ifp[1]->mtu);
	EXPECT_EQ(1500, dev->mtu);
	EXPECT_GE(rte_pktmbuf_data_room_size(port->pool), RTE_PKTMBUF_HEADROOM + 9018);
}

TEST_F(PortDevice, SizesMbufsForTheLargestMtu)
{
	conf.mtu = 65535;
	Open();
	EXPECT_EQ(65280, ifp[1]->mtu);
	EXPECT_GE(rte_pktmbuf_data_room_size(port->pool), RTE_PKTMBUF_HEADROOM + 65280 + 18);
	EXPECT_EQ((int)PORT_MBUF_PRIV, rte_pktmbuf_priv_size(port->pool));
	EXPECT_EQ((int)PORT_MBUF_PRIV, rte_pktmbuf_priv_size(port->ext_pool));
	EXPECT_EQ(0, rte_pktmbuf_data_room_size(port->ext_pool));
}

/* vmxnet3 fills whole buffers of a size of its own, whatever the MTU. */
TEST_F(PortDevice, SizesMbufsForADeviceThatWantsMore)
{
	dev_conf.min_rx_bufsize = 1646;
	Open();
	EXPECT_GE(rte_pktmbuf_data_room_size(port->pool), RTE_PKTMBUF_HEADROOM + 1646);
}

TEST_F(PortDevice, ComputesSumsItselfOnTap)
{
	dev_conf.driver = "net_tap";
	dev_conf.rx_offloads = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
	dev_conf.tx_offloads =
		RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO;
	Open();
	EXPECT_EQ(0u, ifp[1]->caps);
	EXPECT_EQ(0u, dev->rx_asked & dev_conf.rx_offloads);
	EXPECT_EQ(0u, dev->tx_asked & dev_conf.tx_offloads);
}

/* The kernel may forward what it gets, and then to links that take no more than theirs. */
TEST_F(PortDevice, HasNothingJoinedThatMayBeTheKernels)
{
	const uint64_t lro = RTE_ETH_RX_OFFLOAD_TCP_LRO;

	dev_conf.rx_offloads = lro | RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
	conf.exception = "no/interface"; /* the device is set up by the time this is found out */
	EXPECT_NE(std::string::npos, OpenError().find("no/interface"));
	EXPECT_EQ(RTE_ETH_RX_OFFLOAD_TCP_CKSUM, dev->rx_asked & dev_conf.rx_offloads);
	conf.exception = nullptr;
	Open();
	EXPECT_EQ(dev_conf.rx_offloads, dev->rx_asked & dev_conf.rx_offloads);
}

TEST_F(PortDevice, CountersHaveNamesAndMeanings)
{
	const char *text = nullptr;
	unsigned n = 0;

	for (; port_stats_name(n, &text) != nullptr; n++)
		EXPECT_GT(strlen(text), 5u);
	EXPECT_EQ(sizeof(port_stats) / sizeof(uint64_t), n);
	Open();
	EXPECT_EQ(port, port_nth(0));
	EXPECT_EQ(nullptr, port_nth(1));
}

/** Everything it sends comes back to it: a ring port of its own, plugged in by its devargs. */
TEST_F(PortDevice, LoopsThroughARingPort)
{
	char err[256] = "";

	conf.device = "net_ring7";
	ASSERT_EQ(0, port_open(&port, &conf, 1, err, sizeof(err))) << err;
	Lcores(1);
	EXPECT_TRUE(port->plugged);
	Turn(10 * STRAKE_NS_PER_MS);
	EXPECT_GE(Stats().rx_packets, 3u) << "the announcements";
	EXPECT_EQ(0u, Stats().addr_conflict) << "and they are no conflict";
	EXPECT_FALSE(ifp[1]->copies) << "mbufs are handed over";
}

/** Two ports of one process joined by memif: `port` is the server, `other` the client. */
class PortMemif : public PortDevice
{
      protected:
	void
	Join(const std::string &more = "")
	{
		static const char *const ours[] = {"10.0.0.2/24"}, *const theirs[] = {"10.0.0.1/24"};
		char err[256] = "";

		path = "/tmp/strake-port-test-" + std::to_string(getpid()) + ".sock";
		args = "net_memif8,role=server,socket=" + path + ",socket-abstract=no";
		peer = "net_memif9,role=client,socket=" + path + ",socket-abstract=no" + more;
		conf.device = args.c_str();
		conf.addresses = const_cast<const char **>(ours);
		conf.n_addresses = 1;
		ASSERT_EQ(0, port_open(&port, &conf, 1, err, sizeof(err))) << err;
		conf_port c = conf;
		c.name = "p1";
		c.device = peer.c_str();
		c.addresses = const_cast<const char **>(theirs);
		ASSERT_EQ(0, port_open(&other, &c, 1, err, sizeof(err))) << err;
		Lcores(1);
		far = port_lcore_init(other);
		ASSERT_NE(nullptr, far);
		port_addr us = addr("10.0.0.2"), them = addr("10.0.0.1");
		dst = far->ops->route(far, &them, &us);
		ASSERT_NE(nullptr, dst);
		for (unsigned i = 0; i < 3000 && segments.empty();
		     i++) { /* they shake hands on a thread of their own */
			if (i % 100 == 0)
				Send(0, Bytes(8, 0x77), {});
			Turn(STRAKE_NS_PER_MS);
			usleep(1000);
		}
		ASSERT_FALSE(segments.empty());
		segments.clear();
	}

	/** A segment from the client: @p text after a header with the sequence number @p seq. */
	void
	Send(uint32_t seq, const Bytes &text, const std::vector<uint16_t> &pieces)
	{
		Bytes head = Bytes(4, 0x50) + be32(seq) + Bytes(8, 0x50) + be16(0) + be16(0);

		far->ops->send(dst, Outgoing(head + text, pieces), 0);
	}

	/** Rounds of @p n frames at once, with @p len bytes of text each; all come, in order. */
	template <typename F>
	void
	Flood(unsigned n, size_t len, F pieces)
	{
		uint32_t sent = 0, came = 0;

		for (unsigned round = 0; round < 60; round++) {
			for (unsigned i = 0; i < n; i++, sent++)
				Send(sent, Bytes(len, (uint8_t)sent), pieces());
			for (unsigned i = 0; i < 40; i++)
				Turn(STRAKE_NS_PER_MS);
			for (const Segment &s : segments) {
				ASSERT_EQ(came, get32(s.bytes, 4)) << "round " << round;
				ASSERT_EQ(Bytes(len, (uint8_t)came), slice(s.bytes, 20)) << came;
				came++;
			}
			ASSERT_EQ(sent, came);
			segments.clear();
		}
		EXPECT_EQ(0u, Stats().rx_drop_l4_cksum);
	}

	void
	Leave()
	{
		if (dst != nullptr)
			far->ops->unroute(dst);
		dst = nullptr;
		if (far != nullptr)
			port_lcore_fini(other);
		far = nullptr;
		port_close(other);
		other = nullptr;
		PortTest::TearDown();
		port = nullptr;
		lcores = 0;
	}

	void
	TearDown() override
	{
		Leave();
		unlink(path.c_str());
	}

	std::string path, args, peer;
	struct port *other = nullptr;
	port_if *far = nullptr;
	port_dst *dst = nullptr;
};

/** Frames of the MTU asked for pass, though the driver announces less. */
TEST_F(PortMemif, PassesJumboFrames)
{
	conf.mtu = 9000;
	ASSERT_NO_FATAL_FAILURE(Join());
	Send(7, Bytes(8940, 0x77), {});
	Turn(STRAKE_NS_PER_MS);
	ASSERT_EQ(1u, segments.size());
	EXPECT_EQ(8960u, segments[0].bytes.size());
	EXPECT_EQ(Bytes(8940, 0x77), slice(segments[0].bytes, 20));
	EXPECT_EQ(-1, port->lcores[1]->poller.fd) << "memif has nothing to sleep on";
	EXPECT_TRUE(ifp[1]->copies && far->copies) << "into the peer's memory, and out of it";
}

/** Without copies every piece of a frame takes a slot of the ring, which is full at any of them. */
TEST_F(PortMemif, LosesNothingWhenTheRingIsFullOfPieces)
{
	std::mt19937 rng(3);

	ASSERT_NO_FATAL_FAILURE(Join(",zero-copy=yes,rsize=8"));
	EXPECT_FALSE(far->copies) << "the peer fetches";
	Flood(200, 120, [&] {
		std::vector<uint16_t> pieces = {20};

		for (unsigned k = rng() % 4; k > 0; k--)
			pieces.push_back(30);
		return pieces;
	});
}

/** What is lost with the peer is freed on another thread than ours, which closes the port meanwhile. */
TEST_F(PortMemif, IsClosedWhileItsPeerGoes)
{
	for (unsigned i = 0; i < 30; i++) {
		ASSERT_NO_FATAL_FAILURE(Join());
		Leave();
	}
}

/** A buffer of the ring holds a whole frame, for the driver miscounts what is left of a ring when it must chain. */
TEST_F(PortMemif, LosesNothingWhenTheRingIsFullOfJumboFrames)
{
	conf.mtu = 9000;
	ASSERT_NO_FATAL_FAILURE(Join(",rsize=5"));
	Flood(70, 8900, [] { return std::vector<uint16_t>(); });
}

/** A port in a network namespace of its own, with the kernel at the other end. */
class PortKernel : public PortDevice
{
      protected:
	void
	SetUp() override
	{
		PortTest::SetUp();
		if (geteuid() != 0)
			GTEST_SKIP() << "needs root";
		home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		if (home < 0 || unshare(CLONE_NEWNET) != 0)
			GTEST_SKIP() << "needs a network namespace";
		if (system("ip link set lo up") != 0)
			GTEST_SKIP() << "needs iproute2";
	}

	void
	TearDown() override
	{
		PortTest::TearDown();
		for (int fd : {ping4, ping6}) {
			if (fd >= 0)
				close(fd);
		}
		if (home >= 0) {
			EXPECT_EQ(0, setns(home, CLONE_NEWNET));
			close(home);
		}
	}

	static bool
	Run(const std::string &cmd)
	{
		return system((cmd + " >/dev/null 2>&1").c_str()) == 0;
	}

	void
	OpenReal(const std::string &device)
	{
		char err[256] = "";

		args = device;
		conf.device = args.c_str();
		ASSERT_EQ(0, port_open(&port, &conf, 1, err, sizeof(err))) << err;
		Lcores(1);
	}

	/** Give the kernel's end its addresses. */
	void
	Address(const std::string &iface)
	{
		ASSERT_TRUE(Run("ip addr add 10.0.0.1/24 dev " + iface));
		ASSERT_TRUE(Run("ip -6 addr add fd00::1/64 dev " + iface + " nodad"));
		ASSERT_TRUE(Run("ip link set " + iface + " up"));
		ping4 = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_ICMP);
		ping6 = socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_ICMPV6);
		ASSERT_GE(ping4, 0);
		ASSERT_GE(ping6, 0);
	}

	/** Echo of @p size data bytes to our address; turns run until the answer is there. */
	bool
	Ping(bool v6, size_t size, unsigned ms = 3000)
	{
		struct sockaddr_in to4 = {};
		struct sockaddr_in6 to6 = {};
		Bytes msg = icmp4(v6 ? 128 : 8, 0, 0x77770000u | (uint32_t)size, Bytes(size, 0x3c));
		int fd = v6 ? ping6 : ping4;

		to4.sin_family = AF_INET;
		inet_pton(AF_INET, "10.0.0.2", &to4.sin_addr);
		to6.sin6_family = AF_INET6;
		inet_pton(AF_INET6, "fd00::2", &to6.sin6_addr);
		for (unsigned i = 0; i < ms; i++) {
			uint8_t buf[16384];

			if (i % 300 == 0)
				(void)!sendto(fd, msg.data(), msg.size(), 0, v6 ? (sockaddr *)&to6 : (sockaddr *)&to4,
					      v6 ? sizeof(to6) : sizeof(to4));
			Turn(STRAKE_NS_PER_MS);
			ssize_t got;
			while ((got = recv(fd, buf, sizeof(buf), 0)) > 0) {
				size_t off = v6 ? 0 : 20;

				if ((size_t)got == off + 8 + size && buf[off] == (v6 ? 129 : 0) && buf[off + 4] == 0x77)
					return true;
			}
			usleep(1000);
		}
		return false;
	}

	int home = -1, ping4 = -1, ping6 = -1;
	std::string args;
};

TEST_F(PortKernel, IsPingedThroughTap)
{
	if (access("/dev/net/tun", R_OK | W_OK) != 0)
		GTEST_SKIP() << "needs /dev/net/tun";
	conf.mtu = 9000;
	OpenReal("net_tap5,iface=strake5");
	EXPECT_EQ(1504, ifp[1]->mtu) << "this driver sends no more";
	EXPECT_GE(port->lcores[1]->poller.fd, 0) << "tap can be slept on";
	Address("strake5");
	for (bool v6 : {false, true}) {
		EXPECT_TRUE(Ping(v6, 56)) << "v6 " << v6;
		EXPECT_TRUE(Ping(v6, 1500 - (v6 ? 48 : 28))) << "v6 " << v6;
	}
	EXPECT_EQ(0u, Stats().rx_drop_fragment);
	ASSERT_TRUE(Run("ip link set strake5 mtu 9000"));
	Ping(false, 8000, 300); /* unanswerable, and must not be in the way of others */
	EXPECT_TRUE(Ping(false, 56));
	EXPECT_GE(Stats().tx_drop_size, 1u);
}

TEST_F(PortKernel, SleepsOnTapUntilAFrameComes)
{
	if (access("/dev/net/tun", R_OK | W_OK) != 0)
		GTEST_SKIP() << "needs /dev/net/tun";
	OpenReal("net_tap6,iface=strake6");
	Address("strake6");
	ASSERT_TRUE(Ping(false, 56));
	strake_poller *p = &port->lcores[1]->poller;
	struct pollfd pfd = {p->fd, POLLIN, 0};

	for (unsigned i = 0; i < 500 && !p->arm(p, true); i++) { /* until the kernel has said all it wants to say */
		p->arm(p, false);
		Turn(STRAKE_NS_PER_MS);
	}
	uint64_t before = Stats().rx_echo;
	Bytes msg = icmp4(8, 0, 0x66660000, Bytes(56));
	struct sockaddr_in to = {};
	to.sin_family = AF_INET;
	inet_pton(AF_INET, "10.0.0.2", &to.sin_addr);
	ASSERT_EQ((ssize_t)msg.size(), sendto(ping4, msg.data(), msg.size(), 0, (sockaddr *)&to, sizeof(to)));
	EXPECT_EQ(1, poll(&pfd, 1, 1000));
	p->arm(p, false);
	Turn(STRAKE_NS_PER_MS);
	EXPECT_EQ(before + 1, Stats().rx_echo);
}

TEST_F(PortKernel, IsPingedThroughAfPacketOverVeth)
{
	if (!Run("ip link add va type veth peer name vb"))
		GTEST_SKIP() << "needs veth";
	for (unsigned mtu : {1500u, 9000u}) {
		conf.mtu = mtu;
		ASSERT_TRUE(Run("ip link set va mtu " + std::to_string(mtu) + " up"));
		ASSERT_TRUE(Run("ip link set vb mtu " + std::to_string(mtu) + " up"));
		OpenReal("net_af_packet5,iface=vb");
		EXPECT_EQ(mtu, ifp[1]->mtu);
		EXPECT_TRUE(ifp[1]->copies) << "the kernel does, called by us";
		if (mtu == 1500)
			Address("va");
		for (bool v6 : {false, true}) {
			EXPECT_TRUE(Ping(v6, 56)) << "mtu " << mtu << " v6 " << v6;
			EXPECT_TRUE(Ping(v6, mtu - (v6 ? 48 : 28))) << "mtu " << mtu << " v6 " << v6;
		}
		EXPECT_EQ(0u, Stats().rx_drop_fragment);
		if (mtu == 1500) {
			PortTest::TearDown();
			port = nullptr;
			lcores = 0;
		}
	}
}

/** A socket that sees what comes in on @p iface. */
static int
Listen(const char *iface)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(0x88b5));
	struct sockaddr_ll at = {};
	int size = 4 << 20;

	at.sll_family = AF_PACKET;
	at.sll_protocol = htons(0x88b5); /* for experiments: IEEE 802 section 9.2.4 */
	at.sll_ifindex = (int)if_nametoindex(iface);
	EXPECT_EQ(0, bind(fd, (struct sockaddr *)&at, sizeof(at)));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return fd;
}

/** A frame of @p segs pieces of @p len bytes each, the first of them Ethernet's header and a number. */
static struct rte_mbuf *
Numbered(struct rte_mempool *pool, uint8_t number, unsigned segs, uint16_t len)
{
	struct rte_mbuf *head = rte_pktmbuf_alloc(pool);
	uint8_t *p = (uint8_t *)rte_pktmbuf_append(head, 15);

	memset(p, 0xff, 12);
	p[12] = 0x88;
	p[13] = 0xb5;
	p[14] = number;
	for (unsigned i = 0; i < segs; i++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

		memset(rte_pktmbuf_append(m, len), number + 1 + (int)i, len);
		rte_pktmbuf_chain(head, m);
	}
	return head;
}

TEST_F(PortKernel, SendsThePiecesOfFramesInOrderByAfPacket)
{
	if (!Run("ip link add va mtu 9000 type veth peer name vb mtu 9000 && ip link set va up && ip link set vb up"))
		GTEST_SKIP() << "needs veth";
	conf.mtu = 9000;
	OpenReal("net_af_packet5,iface=vb");
	ASSERT_GE(port->packet[0], 0) << "not by the driver";
	int fd = Listen("va");
	unsigned before = rte_mempool_in_use_count(port->pool);

	for (uint8_t n = 0; n < 70; n++) /* more than go into one call, of up to 40 pieces */
		ASSERT_EQ(0, port_tx(port->lcores[1], Numbered(port->pool, n, 1 + n % 40, 200)));
	Turn();
	EXPECT_EQ(before, rte_mempool_in_use_count(port->pool));
	for (unsigned n = 0; n < 70; n++) {
		uint8_t got[9100];
		struct pollfd in = {fd, POLLIN, 0};

		ASSERT_EQ(1, poll(&in, 1, 30000)) << n;
		ASSERT_EQ((ssize_t)(15 + 200 * (1 + n % 40)), recv(fd, got, sizeof(got), 0)) << n;
		ASSERT_EQ(n, got[14]);
		for (unsigned i = 0; i <= n % 40; i++) {
			ASSERT_EQ((uint8_t)(n + 1 + i), got[15 + 200 * i]) << n << " piece " << i;
			ASSERT_EQ((uint8_t)(n + 1 + i), got[15 + 200 * i + 199]) << n << " piece " << i;
		}
	}
	close(fd);
	EXPECT_EQ(0u, Stats().tx_drop_refused);
}

TEST_F(PortKernel, IsInNoGroupAndDeafToItselfWhereAfPacketHasOneQueue)
{
	if (!Run("ip link add va type veth peer name vb && ip link set va up && ip link set vb up"))
		GTEST_SKIP() << "needs veth";
	for (const char *queues : {"", ",qpairs=1", ",qpairs=2"}) {
		bool alone = strchr(queues, '2') == nullptr;
		int ignores = 0, group = -1;
		socklen_t len = sizeof(int);

		OpenReal(std::string("net_af_packet5,iface=vb") + queues);
		EXPECT_TRUE(port->packet_cuts) << queues;
		EXPECT_EQ(alone, port->packet_rx >= 0) << queues;
		if (alone) {
			ASSERT_EQ(0, getsockopt(port->packet_rx, SOL_PACKET, PACKET_IGNORE_OUTGOING, &ignores, &len));
			EXPECT_NE(0, ignores) << queues;
			ASSERT_EQ(0, getsockopt(port->packet_rx, SOL_PACKET, PACKET_FANOUT, &group, &len));
			EXPECT_EQ(0, group) << queues;
		}
		PortTest::TearDown();
		port = nullptr;
		lcores = 0;
	}
}

TEST_F(PortKernel, DropsAndCountsWhatTheInterfaceRefuses)
{
	if (!Run("ip link add va type veth peer name vb && ip link set va up && ip link set vb up"))
		GTEST_SKIP() << "needs veth";
	OpenReal("net_af_packet5,iface=vb");
	unsigned before = rte_mempool_in_use_count(port->pool);
	int fd = Listen("va");

	/* Larger than the MTU of the interface; those behind it go. */
	for (uint8_t n = 0; n < 3; n++)
		ASSERT_EQ(0, port_tx(port->lcores[1], Numbered(port->pool, n, n == 1 ? 10 : 1, 200)));
	Turn();
	EXPECT_EQ(1u, Stats().tx_drop_refused);
	for (uint8_t n = 0; n < 3; n += 2) {
		uint8_t got[2000];
		struct pollfd in = {fd, POLLIN, 0};

		ASSERT_EQ(1, poll(&in, 1, 30000));
		ASSERT_EQ(215, recv(fd, got, sizeof(got), 0));
		EXPECT_EQ(n, got[14]);
	}
	close(fd);
	ASSERT_TRUE(Run("ip link set vb down"));
	ASSERT_EQ(0, port_tx(port->lcores[1], Numbered(port->pool, 0, 1, 200)));
	Turn();
	EXPECT_EQ(2u, Stats().tx_drop_refused);
	EXPECT_EQ(before, rte_mempool_in_use_count(port->pool));
}

TEST_F(PortKernel, LeavesSendingToTheDriverWhereTheQueueingDisciplineIsWanted)
{
	if (!Run("ip link add va type veth peer name vb && ip link set va up && ip link set vb up"))
		GTEST_SKIP() << "needs veth";
	OpenReal("net_af_packet5,iface=vb,qdisc_bypass=0");
	EXPECT_EQ(-1, port->packet[0]);
	Address("va");
	EXPECT_TRUE(Ping(false, 56));
}

TEST_F(PortKernel, IsPingedThroughAVlan)
{
	if (!Run("ip link add va type veth peer name vb && ip link set va up && ip link set vb up"))
		GTEST_SKIP() << "needs veth";
	if (!Run("ip link add link va name va.42 type vlan id 42"))
		GTEST_SKIP() << "needs 802.1Q";
	conf.vlan = 42;
	OpenReal("net_af_packet5,iface=vb");
	Address("va.42");
	for (bool v6 : {false, true}) {
		EXPECT_TRUE(Ping(v6, 56)) << "v6 " << v6;
		EXPECT_TRUE(Ping(v6, 1500 - (v6 ? 48 : 28))) << "v6 " << v6;
	}
}

TEST_F(PortKernel, IsPingedThroughAfXdpOverVeth)
{
	char err[256] = "";

	if (!Run("ip link add va type veth peer name vb && ip link set va mtu 3374 up && ip link set vb up"))
		GTEST_SKIP() << "needs veth";
	conf.device = "net_af_xdp5,iface=vb";
	conf.mtu = 3374;
	if (port_open(&port, &conf, 1, err, sizeof(err)) != 0)
		GTEST_SKIP() << "needs AF_XDP: " << err;
	Lcores(1);
	EXPECT_EQ(1, ifp[1]->tx_segs_max);
	Address("va");
	for (bool v6 : {false, true}) {
		EXPECT_TRUE(Ping(v6, 56)) << "v6 " << v6;
		EXPECT_TRUE(Ping(v6, 3374 - (v6 ? 48 : 28))) << "v6 " << v6;
	}
}

/* A ring takes no other MAC address, so it cannot stand in for another member. */
TEST_F(PortTest, ABondIsRefusedWithTheReasonAndLeavesNoMemberBehind)
{
	const char *members[] = {"net_ring6", "net_ring7"};
	unsigned before = rte_eth_dev_count_avail();
	char err[256] = "";

	conf.device = "net_bonding6,mode=1";
	conf.members = members;
	conf.n_members = 2;
	EXPECT_GT(0, port_open(&port, &conf, 1, err, sizeof(err)));
	EXPECT_NE(nullptr, strstr(err, "net_ring6 cannot be in a bond: it takes no other MAC address")) << err;
	EXPECT_EQ(before, rte_eth_dev_count_avail());
	port = nullptr;
}
