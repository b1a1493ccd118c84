/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* The ethdev below: plugging it in, settling what it can do, starting and leaving it. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_log.h>

#include "bond.h"
#include "intr.h"

#define MTU_MAX	   65280       /* with its headers and headroom, what an mbuf of 16-bit length holds */
#define POOL_BYTES (64u << 20) /* most memory for the mbufs of one lcore */
#define POOL_MBUFS 8192u       /* mbufs of one lcore, if the memory allows */
/* AF_XDP keeps each mbuf, with its pool's header, in one page, and 256 bytes of it are the kernel's
 * (XDP_PACKET_HEADROOM). The second cache line is what a mempool adds to spread over memory channels. */
#define XDP_ROOM    (4096 - 2 * RTE_CACHE_LINE_SIZE - sizeof(struct rte_mbuf) - PORT_MBUF_PRIV)
#define XDP_MTU	    (XDP_ROOM - 256 - RTE_PKTMBUF_HEADROOM - PORT_ETH_MAX)
#define EXT_MBUFS   16384
#define SEGS_MAX    64u /* of a frame, at most: rings of 128 exist, and one that is longer than its ring never goes */
#define PREPARE_MAX 64u /* frames prepared at once: what a full device does not take is prepared again */

#define RSS_TCP	    (RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV6_TCP)
#define RSS_ALL	    (RSS_TCP | RTE_ETH_RSS_IP)
#define RX_CKSUM    (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM)
#define TX_CKSUM    (RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM)

static bool
is_driver(const struct port *port, const char *name)
{
	return strcmp(port->below, name) == 0;
}

/**
 * Drivers that announce an Ethernet frame's usual size and pass whatever fits their buffers. Not so tap: it announces
 * the same and never sends a larger frame, nor what is queued behind it.
 */
static bool
passes_more(const struct port *port)
{
	return is_driver(port, "net_memif") || is_driver(port, "net_af_packet");
}

/** A memif that shows its peer our memory. */
static bool
lends(const struct port *port, const struct conf_port *conf)
{
	return is_driver(port, "net_memif") && strstr(conf->device, "zero-copy=yes") != NULL;
}

/** Drivers that copy what is sent themselves, or have the kernel copy it on this CPU. A card fetches it. */
static bool
copies(const struct port *port, const struct conf_port *conf)
{
	return (is_driver(port, "net_memif") && !lends(port, conf)) || is_driver(port, "net_af_packet") ||
	       is_driver(port, "net_af_xdp") || is_driver(port, "net_tap");
}

/**
 * A memif without copies takes four frames at a time without looking whether the ring has room for them, unless it is
 * given no more than four: DPDK's memif_tx_zc() counts on one slot a frame, and frames of several pieces may use up the
 * ring within the four. It would then overwrite what the peer has not read, and lose track of whose mbufs are whose.
 */
static uint16_t
burst_max(const struct port *port, const struct conf_port *conf)
{
	return lends(port, conf) ? 4 : UINT16_MAX;
}

/** Name of the device in devargs: what stands before the first comma. */
static void
device_name(const char *devargs, char *name, size_t len)
{
	snprintf(name, len, "%.*s", (int)strcspn(devargs, ","), devargs);
}

/** Frame size of an af_packet ring for an MTU, bytes. */
static unsigned int
packet_frame(unsigned int mtu)
{
	unsigned int size = 2048; /* the driver's default */

	while (size < mtu + 256) /* packet and socket headers of TPACKET_V2 */
		size *= 2;
	return size;
}

/**
 * af_packet cuts frames to its ring's frame size, 2048 bytes unless told otherwise: give it one that holds the MTU. So
 * does memif's client with its buffers: a frame over several of them passes, but the driver then takes one slot more
 * than a nearly full ring has, and overwrites what the peer has not read.
 */
void
port_complete_devargs(const char *device, unsigned int mtu, char *args, size_t len)
{
	unsigned int size = packet_frame(mtu), block = RTE_MAX(size, 65536u);

	snprintf(args, len, "%s", device);
	if (strncmp(args, "net_memif", 9) == 0 && strstr(args, "bsize=") == NULL && mtu + PORT_ETH_MAX > 2048)
		snprintf(args, len, "%s,bsize=%u", device, RTE_ALIGN_CEIL(mtu + PORT_ETH_MAX, RTE_CACHE_LINE_SIZE));
	if (strncmp(args, "net_af_packet", 13) != 0 || strstr(args, "framesz=") != NULL || strstr(args, "blocksz="))
		return;
	if (size > 2048)
		snprintf(args, len, "%s,framesz=%u,blocksz=%u,framecnt=%u", device, size, block,
			 RTE_MAX(512u, 4u * block / size));
}

int
port_plug(struct port *port, const struct conf_port *conf, char *err, size_t errlen)
{
	char name[RTE_ETH_NAME_MAX_LEN], args[512];
	int ret = 0;

	device_name(conf->device, name, sizeof(name));
	if (rte_eth_dev_get_port_by_name(name, &port->id) != 0) {
		port_complete_devargs(conf->device, conf->mtu, args, sizeof(args));
		if (conf->n_members != 0)
			ret = port_bond_plug(port, conf, args, sizeof(args), err, errlen);
		if (ret != 0)
			return ret;
		if (strncmp(args, "net_memif", 9) == 0)
			port_memif_clear(args);
		ret = port_probe(args);
		if (ret == 0)
			ret = rte_eth_dev_get_port_by_name(name, &port->id);
		if (ret != 0) {
			snprintf(err, errlen, "port %s: cannot open device \"%s\": %s", conf->name, conf->device,
				 strerror(-ret));
			return ret;
		}
		port->plugged = true;
	}
	for (unsigned int i = 0; port_nth(i) != NULL; i++) {
		if (port_nth(i)->id == port->id) {
			snprintf(err, errlen, "port %s: device \"%s\" is in use by port %s", conf->name, conf->device,
				 port_nth(i)->name);
			return -EBUSY;
		}
	}
	return 0;
}

static void
leave(void *arg)
{
	struct port *port = arg;

	if (port->started)
		rte_eth_dev_stop(port->id);
	if (port->plugged)
		rte_eth_dev_close(port->id);
}

void
port_unplug(struct port *port)
{
	struct rte_eth_dev_info info = {.device = NULL};

	port_packet_close(port);
	if (port->plugged)
		rte_eth_dev_info_get(port->id, &info);
	if (port->below != NULL && is_driver(port, "net_memif"))
		port_intr_call(leave, port);
	else
		leave(port);
	if (info.device != NULL)
		rte_dev_remove(info.device);
	port_bond_unplug(port);
	rte_mempool_free(port->pool);
	rte_mempool_free(port->ext_pool);
}

/** What the port shall do, and what of it the device does. */
static void
choose_offloads(struct port *port, const struct conf_port *conf, const struct rte_eth_dev_info *info,
		struct rte_eth_conf *ec)
{
	uint64_t rx = info->rx_offload_capa, tx = info->tx_offload_capa;

	/* tap computes "offloads" in software, more slowly than we do; af_packet moves headers to insert a tag. */
	if (is_driver(port, "net_tap")) {
		rx &= ~(RX_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_LRO);
		tx &= ~(TX_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO);
	}
	if (is_driver(port, "net_af_packet"))
		tx &= ~RTE_ETH_TX_OFFLOAD_VLAN_INSERT;
	port->tx_ip_cksum = (tx & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) != 0;
	port->tx_tcp_cksum = (tx & RTE_ETH_TX_OFFLOAD_TCP_CKSUM) != 0;
	/* The IPv4 header's own sum is no matter: virtio and vmxnet3 leave it to software, in both directions. */
	port->tso = (tx & RTE_ETH_TX_OFFLOAD_TCP_TSO) != 0 && port->tx_tcp_cksum &&
		    (tx & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0;
	port->lro = (rx & RTE_ETH_RX_OFFLOAD_TCP_LRO) != 0 && (rx & RTE_ETH_RX_OFFLOAD_TCP_CKSUM) != 0 &&
		    (rx & RTE_ETH_RX_OFFLOAD_SCATTER) != 0;
	if (conf->exception != NULL) /* the kernel gets frames as they were on the wire, for it may forward them */
		port->lro = false;
	port->vlan_insert = port->vlan != 0 && (tx & RTE_ETH_TX_OFFLOAD_VLAN_INSERT) != 0;
	port->tx_segs_max = (tx & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) == 0
				    ? 1
				    : RTE_MIN(info->tx_desc_lim.nb_seg_max, info->tx_desc_lim.nb_mtu_seg_max);
	if (port->tx_segs_max == 0 || port->tx_segs_max > SEGS_MAX)
		port->tx_segs_max = SEGS_MAX; /* the driver states no limit, or one too high */
	port->tx_prepare = port->tx_tcp_cksum || port->vlan_insert;
	if (port->tx_prepare)
		port->tx_burst_max = RTE_MIN(port->tx_burst_max, PREPARE_MAX);
	port->tso_max = port->tso ? PORT_TSO_MAX : 0;
	ec->rxmode.offloads =
		rx & (RX_CKSUM | (port->vlan != 0 ? RTE_ETH_RX_OFFLOAD_VLAN_STRIP : 0) | RTE_ETH_RX_OFFLOAD_SCATTER);
	if (port->lro) {
		ec->rxmode.offloads |= RTE_ETH_RX_OFFLOAD_TCP_LRO;
		ec->rxmode.max_lro_pkt_size = info->max_lro_pkt_size;
	}
	ec->txmode.offloads = tx & (RTE_ETH_TX_OFFLOAD_MULTI_SEGS | (port->tx_tcp_cksum ? TX_CKSUM : 0) |
				    (port->tso ? RTE_ETH_TX_OFFLOAD_TCP_TSO : 0) |
				    (port->vlan_insert ? RTE_ETH_TX_OFFLOAD_VLAN_INSERT : 0));
}

/** Queues, and whether the device can steer flows to them. */
static void
choose_queues(struct port *port, const struct conf_port *conf, const struct rte_eth_dev_info *info,
	      struct rte_eth_conf *ec)
{
	uint16_t most = RTE_MIN(info->max_rx_queues, info->max_tx_queues);
	uint16_t want = conf->queues != 0 ? (uint16_t)conf->queues : port->n_lcores;

	port->rss = most > 1 && want > 1 && port->n_lcores > 1 && (info->flow_type_rss_offloads & RSS_TCP) == RSS_TCP &&
		    info->reta_size != 0 && info->reta_size <= PORT_RETA_MAX && info->hash_key_size <= PORT_RSS_KEY_MAX;
	if (port->rss) {
		want = RTE_MIN(want, port->n_lcores);
		for (unsigned int i = 0; i < PORT_RSS_KEY_MAX; i += 2) {
			/* A key of period 16 bits hashes both directions of a flow alike. */
			port->rss_key[i] = 0x6d;
			port->rss_key[i + 1] = 0x5a;
		}
		ec->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		ec->rx_adv_conf.rss_conf.rss_key = port->rss_key;
		ec->rx_adv_conf.rss_conf.rss_key_len = info->hash_key_size != 0 ? info->hash_key_size : 40;
		ec->rx_adv_conf.rss_conf.rss_hf = RSS_ALL & info->flow_type_rss_offloads;
	} else if (conf->queues == 0) {
		want = 1;
	}
	port->n_queues = RTE_MIN(want, most);
}

/** The MTU asked for, less what the device or an mbuf cannot hold. @return -EINVAL: the operator must lower it. */
static int
choose_mtu(struct port *port, const struct conf_port *conf, const struct rte_eth_dev_info *info,
	   struct rte_eth_conf *ec, char *err, size_t errlen)
{
	uint32_t overhead = info->max_rx_pktlen > info->max_mtu && info->max_mtu != UINT16_MAX
				    ? info->max_rx_pktlen - info->max_mtu
				    : RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;

	if (is_driver(port, "net_af_xdp") && conf->mtu > RTE_MIN(info->max_mtu, XDP_MTU)) {
		snprintf(err, errlen,
			 "port %s: MTU %u: AF_XDP takes frames of one memory page only, so an MTU of at most %u",
			 conf->name, conf->mtu, (unsigned int)RTE_MIN(info->max_mtu, XDP_MTU));
		return -EINVAL;
	}
	port->mtu = (uint16_t)RTE_MIN(conf->mtu, (unsigned int)MTU_MAX);
	ec->rxmode.mtu = RTE_MIN(port->mtu, info->max_mtu);
	if (ec->rxmode.mtu + overhead > info->max_rx_pktlen)
		ec->rxmode.mtu = info->max_rx_pktlen - overhead;
	if (ec->rxmode.mtu < port->mtu && !passes_more(port))
		port->mtu = (uint16_t)ec->rxmode.mtu;
	return 0;
}

/** Frame size of one af_packet device's ring. */
static uint32_t
ring_frame(const char *device, unsigned int mtu)
{
	const char *framesz = strstr(device, "framesz=");

	return framesz != NULL ? (uint32_t)strtoul(framesz + 8, NULL, 10) : packet_frame(mtu);
}

/** Bytes of an mbuf's room: a whole frame at the MTU behind the headroom, or what the device or af_packet's ring
 * insists on. */
static uint16_t
data_room(const struct port *port, const struct conf_port *conf, const struct rte_eth_dev_info *info)
{
	uint32_t need = port->mtu + PORT_ETH_MAX + RTE_ETHER_CRC_LEN;

	if (is_driver(port, "net_af_xdp"))
		return XDP_ROOM;
	need = RTE_MAX(need, info->min_rx_bufsize);
	if (is_driver(port, "net_af_packet")) {
		need = RTE_MAX(need, ring_frame(conf->device, conf->mtu));
		for (unsigned int i = 0; i < conf->n_members; i++)
			need = RTE_MAX(need, ring_frame(conf->members[i], conf->mtu));
	}
	return (uint16_t)RTE_MIN(RTE_ALIGN_CEIL(need + RTE_PKTMBUF_HEADROOM, RTE_CACHE_LINE_SIZE), 65472u);
}

static int
make_pools(struct port *port, const struct conf_port *conf, const struct rte_eth_dev_info *info)
{
	uint16_t room = data_room(port, conf, info);
	uint32_t each = RTE_MIN(POOL_MBUFS, POOL_BYTES / room);
	int socket = rte_eth_dev_socket_id(port->id);
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "port%u_pool", port->id);
	port->pool = rte_pktmbuf_pool_create(name, each * port->n_lcores + port->n_queues * PORT_DESCS - 1, 256,
					     PORT_MBUF_PRIV, room, socket);
	snprintf(name, sizeof(name), "port%u_ext", port->id);
	port->ext_pool = rte_pktmbuf_pool_create(name, EXT_MBUFS * port->n_lcores - 1, 256, PORT_MBUF_PRIV, 0, socket);
	return port->pool != NULL && port->ext_pool != NULL ? 0 : -ENOMEM;
}

/** RX and TX queues. @p what names the step that failed. */
static int
setup_queues(struct port *port, const struct rte_eth_dev_info *info, const struct rte_eth_conf *ec, const char **what)
{
	struct rte_eth_rxconf rxc = info->default_rxconf;
	struct rte_eth_txconf txc = info->default_txconf;
	uint16_t rxd = PORT_DESCS, txd = PORT_DESCS;
	int socket = rte_eth_dev_socket_id(port->id);
	int ret;

	*what = "sizing queues";
	ret = rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &rxd, &txd);
	rxc.offloads = ec->rxmode.offloads;
	txc.offloads = ec->txmode.offloads;
	for (uint16_t q = 0; ret == 0 && q < port->n_queues; q++) {
		*what = "receive queue";
		ret = rte_eth_rx_queue_setup(port->id, q, rxd, (unsigned int)socket, &rxc, port->pool);
		if (ret != 0)
			break;
		*what = "transmit queue";
		ret = rte_eth_tx_queue_setup(port->id, q, txd, (unsigned int)socket, &txc);
	}
	return ret;
}

/** Deal the device's flow table to the queues in turn. @return false: it does not let us, so it cannot steer. */
static bool
set_reta(struct port *port, uint16_t size)
{
	struct rte_eth_rss_reta_entry64 reta[PORT_RETA_MAX / RTE_ETH_RETA_GROUP_SIZE];

	memset(reta, 0, sizeof(reta));
	for (uint16_t i = 0; i < size; i++) {
		port->reta[i] = i % port->n_queues;
		reta[i / RTE_ETH_RETA_GROUP_SIZE].mask |= 1ULL << (i % RTE_ETH_RETA_GROUP_SIZE);
		reta[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] = port->reta[i];
	}
	port->reta_size = size;
	return rte_eth_dev_rss_reta_update(port->id, reta, size) == 0;
}

/* A tap is a cable with the kernel's interface at its other end, and the driver gives both ends one address. Ours must
 * differ, or each side takes the other for itself; what arrives is not filtered. */
static int
set_tap_mac(struct port *port, const struct rte_ether_addr *wanted)
{
	int ret = rte_eth_macaddr_get(port->id, &port->mac);

	if (wanted != NULL)
		port->mac = *wanted;
	else
		port->mac.addr_bytes[RTE_ETHER_ADDR_LEN - 1] ^= 1;
	return ret;
}

static int
set_mac(struct port *port, const struct conf_port *conf, char *err, size_t errlen)
{
	bool tap = strcmp(port->driver, "net_tap") == 0;
	struct rte_ether_addr mac;
	int ret;

	if (conf->mac != NULL) {
		if (rte_ether_unformat_addr(conf->mac, &mac) != 0 || !rte_is_valid_assigned_ether_addr(&mac)) {
			snprintf(err, errlen, "port %s: \"%s\" is no MAC address", conf->name, conf->mac);
			return -EINVAL;
		}
		if (tap)
			return set_tap_mac(port, &mac);
		ret = rte_eth_dev_default_mac_addr_set(port->id, &mac);
		if (ret != 0) {
			snprintf(err, errlen, "port %s: %s does not take the MAC address %s: %s", conf->name,
				 port->driver, conf->mac, strerror(-ret));
			return ret;
		}
	}
	if (tap)
		return set_tap_mac(port, NULL);
	ret = rte_eth_macaddr_get(port->id, &port->mac);
	if (ret == 0 && rte_is_zero_ether_addr(&port->mac))
		rte_eth_random_addr(port->mac.addr_bytes); /* a ring port has none, and filters none */
	return ret;
}

void
port_device_groups(struct port *port)
{
	struct rte_ether_addr macs[PORT_ADDRS_MAX + 1] = {{{0x33, 0x33, 0, 0, 0, 1}}};
	struct port_addr group;
	unsigned int n = 1;

	for (unsigned int i = 0; i < port->n_addrs; i++)
		if (port->addrs[i].addr.family == 6)
			port_solicited_node(&port->addrs[i].addr, &group, &macs[n++]);
	if (n == 1 || rte_eth_dev_set_mc_addr_list(port->id, macs, n) == 0 ||
	    rte_eth_allmulticast_enable(port->id) == 0 || rte_eth_promiscuous_enable(port->id) == 0)
		return;
	/* memif and the like have no filter at all, so there is nothing to open. */
	rte_log(RTE_LOG_DEBUG, port_logtype, "port %s: no multicast filter to set\n", port->name);
}

/**
 * Ask for interrupts of receive queues, unless they are of no use: DPDK's driver of e1000 has the card wait 16.8 ms
 * between two, and where it has MSI-X (82574) does not assign the queue a vector, so that none comes at all.
 */
static bool
wants_interrupts(const struct port *port)
{
	return !is_driver(port, "net_e1000_em");
}

int
port_device_start(struct port *port, const struct conf_port *conf, char *err, size_t errlen)
{
	struct rte_eth_conf ec = {0};
	struct rte_eth_dev_info info, below;
	const char *what;
	int ret;

	ret = rte_eth_dev_info_get(port->id, &info);
	if (ret != 0) {
		snprintf(err, errlen, "port %s: device gives no information: %s", conf->name, strerror(-ret));
		return ret;
	}
	port->driver = info.driver_name;
	port->below = info.driver_name;
	if (port->bond != NULL && rte_eth_dev_info_get(port->bond->member[0].id, &below) == 0)
		port->below = below.driver_name;
	port->tx_burst_max = burst_max(port, conf);
	port->copies = copies(port, conf);
	ec.intr_conf.rxq = wants_interrupts(port);
	choose_offloads(port, conf, &info, &ec);
	choose_queues(port, conf, &info, &ec);
	ret = choose_mtu(port, conf, &info, &ec, err, errlen);
	if (ret < 0)
		return ret;
	what = "configuring";
	ret = rte_eth_dev_configure(port->id, port->n_queues, port->n_queues, &ec);
	if (ret != 0)
		goto err;
	what = "memory for mbufs";
	ret = make_pools(port, conf, &info);
	if (ret != 0)
		goto err;
	ret = setup_queues(port, &info, &ec, &what);
	if (ret != 0)
		goto err;
	ret = set_mac(port, conf, err, errlen);
	if (ret != 0)
		return ret;
	what = "a socket to send by";
	ret = strcmp(port->driver, "net_af_packet") == 0 ? port_packet_open(port, conf->device) : 0;
	if (ret != 0)
		goto err;
	what = "starting";
	ret = rte_eth_dev_start(port->id);
	if (ret != 0)
		goto err;
	port->started = true;
	/* Some drivers take it from the configuration, some only so, some not at all. An interface whose frames are
	 * larger than its driver can say must keep the MTU it has. */
	if (ec.rxmode.mtu == port->mtu)
		rte_eth_dev_set_mtu(port->id, port->mtu);
	if (port->rss && !set_reta(port, info.reta_size)) {
		what = "setting the flow table";
		ret = -ENOTSUP;
		goto err;
	}
	port->rx_intr = ec.intr_conf.rxq && rte_eth_dev_rx_intr_ctl_q_get_fd(port->id, 0) >= 0;
	return 0;

err:
	snprintf(err, errlen, "port %s: %s (%s): %s", conf->name, what, port->driver, strerror(-ret));
	return ret;
}
