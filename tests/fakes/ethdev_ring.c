/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "ethdev_ring.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_bus_vdev.h>
#include <rte_eth_ring.h>
#include <rte_thash.h>

static struct ethdev *fake;

static bool
is_fake(uint16_t id)
{
	return fake != NULL && fake->id == id;
}

static struct rte_ring *
make_ring(const char *name, char kind, uint16_t q, uint16_t slots)
{
	char ring[RTE_RING_NAMESIZE];

	snprintf(ring, sizeof(ring), "%.16s_%c%u", name, kind, q);
	return rte_ring_create(ring, slots, SOCKET_ID_ANY, 0);
}

struct ethdev *
ethdev_create(const char *name, const struct ethdev_conf *conf)
{
	struct ethdev *dev = calloc(1, sizeof(*dev));
	int id;

	if (dev == NULL)
		return NULL;
	dev->conf = *conf;
	snprintf(dev->name, sizeof(dev->name), "net_ring_%s", name);
	for (uint16_t q = 0; q < conf->queues; q++) {
		dev->rx[q] = make_ring(name, 'r', q, 4096);
		dev->tx[q] = make_ring(name, 't', q, conf->tx_slots != 0 ? conf->tx_slots : 4096);
		dev->fd[q] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	}
	id = rte_eth_from_rings(name, dev->rx, conf->queues, dev->tx, conf->queues, 0);
	if (id < 0) {
		ethdev_destroy(dev);
		return NULL;
	}
	dev->id = (uint16_t)id;
	fake = dev;
	return dev;
}

static void
free_ring(struct rte_ring *ring)
{
	void *m;

	while (ring != NULL && rte_ring_dequeue(ring, &m) == 0)
		rte_pktmbuf_free(m);
	rte_ring_free(ring);
}

void
ethdev_destroy(struct ethdev *dev)
{
	if (fake == dev) {
		fake = NULL;
		rte_vdev_uninit(dev->name);
	}
	for (uint16_t q = 0; q < dev->conf.queues; q++) {
		free_ring(dev->rx[q]);
		free_ring(dev->tx[q]);
		close(dev->fd[q]);
	}
	free(dev);
}

void
ethdev_inject(struct ethdev *dev, uint16_t queue, struct rte_mbuf *m)
{
	if (rte_ring_enqueue(dev->rx[queue], m) != 0)
		rte_pktmbuf_free(m);
	else if (dev->intr_on[queue] && !dev->conf.mute)
		eventfd_write(dev->fd[queue], 1);
}

struct rte_mbuf *
ethdev_take(struct ethdev *dev, uint16_t queue)
{
	void *m;

	return rte_ring_dequeue(dev->tx[queue], &m) == 0 ? m : NULL;
}

struct rte_mbuf *
ethdev_frame(struct rte_mempool *pool, const void *bytes, uint32_t len, uint16_t piece)
{
	struct rte_mbuf *head = rte_pktmbuf_alloc(pool), *m;
	uint32_t done = 0;

	if (head == NULL)
		return NULL;
	for (m = head;; m = m->next) {
		uint32_t run = piece != 0 && len - done > piece ? piece : len - done;

		memcpy(rte_pktmbuf_mtod(m, void *), (const uint8_t *)bytes + done, run);
		m->data_len = (uint16_t)run;
		done += run;
		if (done == len)
			break;
		m->next = rte_pktmbuf_alloc(pool);
		if (m->next == NULL) {
			rte_pktmbuf_free(head);
			return NULL;
		}
		head->nb_segs++;
	}
	head->pkt_len = len;
	return head;
}

uint16_t
ethdev_steer(const struct ethdev *dev, uint8_t family, const uint8_t *src, const uint8_t *dst, const uint8_t *ports)
{
	size_t alen = family == 6 ? 16 : 4;
	uint8_t bytes[36];
	uint32_t tuple[9];

	memcpy(bytes, src, alen);
	memcpy(bytes + alen, dst, alen);
	memcpy(bytes + 2 * alen, ports, 4);
	for (size_t i = 0; i < (2 * alen + 4) / 4; i++)
		tuple[i] = (uint32_t)bytes[4 * i] << 24 | (uint32_t)bytes[4 * i + 1] << 16 |
			   (uint32_t)bytes[4 * i + 2] << 8 | bytes[4 * i + 3];
	return dev->reta[rte_softrss(tuple, (uint32_t)(2 * alen + 4) / 4, dev->rss_key) % dev->conf.reta_size];
}

/* --- said in the ring driver's place --- */

int __real_rte_eth_dev_info_get(uint16_t id, struct rte_eth_dev_info *info);
int __wrap_rte_eth_dev_info_get(uint16_t id, struct rte_eth_dev_info *info);
int
__wrap_rte_eth_dev_info_get(uint16_t id, struct rte_eth_dev_info *info)
{
	int ret = __real_rte_eth_dev_info_get(id, info);

	if (ret != 0 || !is_fake(id))
		return ret;
	info->rx_offload_capa = fake->conf.rx_offloads | (fake->conf.no_scatter ? 0 : RTE_ETH_RX_OFFLOAD_SCATTER);
	info->tx_offload_capa = fake->conf.tx_offloads;
	if (!fake->conf.single_segment)
		info->tx_offload_capa |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	info->flow_type_rss_offloads = fake->conf.rss;
	info->reta_size = fake->conf.reta_size;
	info->hash_key_size = fake->conf.rss != 0 ? 40 : 0;
	info->max_rx_queues = fake->conf.queues;
	info->max_tx_queues = fake->conf.queues;
	info->max_lro_pkt_size = 65535;
	info->min_rx_bufsize = fake->conf.min_rx_bufsize;
	if (fake->conf.max_mtu != 0) {
		info->max_mtu = fake->conf.max_mtu;
		info->max_rx_pktlen = fake->conf.max_mtu + 18u;
	}
	if (fake->conf.driver != NULL)
		info->driver_name = fake->conf.driver;
	return 0;
}

int __real_rte_eth_dev_configure(uint16_t id, uint16_t rxq, uint16_t txq, const struct rte_eth_conf *conf);
int __wrap_rte_eth_dev_configure(uint16_t id, uint16_t rxq, uint16_t txq, const struct rte_eth_conf *conf);
int
__wrap_rte_eth_dev_configure(uint16_t id, uint16_t rxq, uint16_t txq, const struct rte_eth_conf *conf)
{
	struct rte_eth_conf plain = {.rxmode.mtu = conf->rxmode.mtu};

	if (!is_fake(id))
		return __real_rte_eth_dev_configure(id, rxq, txq, conf);
	fake->rx_asked = conf->rxmode.offloads;
	fake->tx_asked = conf->txmode.offloads;
	fake->mtu = (uint16_t)conf->rxmode.mtu;
	fake->intr_asked = conf->intr_conf.rxq != 0;
	fake->rss_asked = conf->rx_adv_conf.rss_conf.rss_hf;
	if (conf->rx_adv_conf.rss_conf.rss_key != NULL)
		memcpy(fake->rss_key, conf->rx_adv_conf.rss_conf.rss_key, conf->rx_adv_conf.rss_conf.rss_key_len);
	return __real_rte_eth_dev_configure(id, rxq, txq, &plain);
}

int __real_rte_eth_rx_queue_setup(uint16_t id, uint16_t q, uint16_t n, unsigned int socket,
				  const struct rte_eth_rxconf *conf, struct rte_mempool *pool);
int __wrap_rte_eth_rx_queue_setup(uint16_t id, uint16_t q, uint16_t n, unsigned int socket,
				  const struct rte_eth_rxconf *conf, struct rte_mempool *pool);
int
__wrap_rte_eth_rx_queue_setup(uint16_t id, uint16_t q, uint16_t n, unsigned int socket,
			      const struct rte_eth_rxconf *conf, struct rte_mempool *pool)
{
	return __real_rte_eth_rx_queue_setup(id, q, n, socket, is_fake(id) ? NULL : conf, pool);
}

int __real_rte_eth_tx_queue_setup(uint16_t id, uint16_t q, uint16_t n, unsigned int socket,
				  const struct rte_eth_txconf *conf);
int __wrap_rte_eth_tx_queue_setup(uint16_t id, uint16_t q, uint16_t n, unsigned int socket,
				  const struct rte_eth_txconf *conf);
int
__wrap_rte_eth_tx_queue_setup(uint16_t id, uint16_t q, uint16_t n, unsigned int socket,
			      const struct rte_eth_txconf *conf)
{
	return __real_rte_eth_tx_queue_setup(id, q, n, socket, is_fake(id) ? NULL : conf);
}

int __real_rte_eth_dev_rss_reta_update(uint16_t id, struct rte_eth_rss_reta_entry64 *reta, uint16_t size);
int __wrap_rte_eth_dev_rss_reta_update(uint16_t id, struct rte_eth_rss_reta_entry64 *reta, uint16_t size);
int
__wrap_rte_eth_dev_rss_reta_update(uint16_t id, struct rte_eth_rss_reta_entry64 *reta, uint16_t size)
{
	if (!is_fake(id))
		return __real_rte_eth_dev_rss_reta_update(id, reta, size);
	for (uint16_t i = 0; i < size; i++) {
		if (reta[i / 64].mask & (1ULL << (i % 64)))
			fake->reta[i] = reta[i / 64].reta[i % 64];
	}
	return 0;
}

int __real_rte_eth_dev_rx_intr_ctl_q_get_fd(uint16_t id, uint16_t q);
int __wrap_rte_eth_dev_rx_intr_ctl_q_get_fd(uint16_t id, uint16_t q);
int
__wrap_rte_eth_dev_rx_intr_ctl_q_get_fd(uint16_t id, uint16_t q)
{
	if (!is_fake(id))
		return __real_rte_eth_dev_rx_intr_ctl_q_get_fd(id, q);
	return fake->conf.interrupts && fake->intr_asked ? fake->fd[q] : -1;
}

int __real_rte_eth_dev_rx_intr_ctl_q(uint16_t id, uint16_t q, int epfd, int op, void *data);
int __wrap_rte_eth_dev_rx_intr_ctl_q(uint16_t id, uint16_t q, int epfd, int op, void *data);
int
__wrap_rte_eth_dev_rx_intr_ctl_q(uint16_t id, uint16_t q, int epfd, int op, void *data)
{
	static struct rte_epoll_event event[ETHDEV_QUEUES_MAX];

	if (!is_fake(id))
		return __real_rte_eth_dev_rx_intr_ctl_q(id, q, epfd, op, data);
	memset(&event[q], 0, sizeof(event[q]));
	event[q].epdata.event = EPOLLIN | EPOLLET;
	event[q].epdata.data = data;
	return rte_epoll_ctl(epfd, op, fake->fd[q], &event[q]);
}

int __real_rte_eth_dev_rx_intr_enable(uint16_t id, uint16_t q);
int __wrap_rte_eth_dev_rx_intr_enable(uint16_t id, uint16_t q);
int
__wrap_rte_eth_dev_rx_intr_enable(uint16_t id, uint16_t q)
{
	if (!is_fake(id))
		return __real_rte_eth_dev_rx_intr_enable(id, q);
	fake->intr_on[q] = true;
	return 0;
}

int __real_rte_eth_dev_rx_intr_disable(uint16_t id, uint16_t q);
int __wrap_rte_eth_dev_rx_intr_disable(uint16_t id, uint16_t q);
int
__wrap_rte_eth_dev_rx_intr_disable(uint16_t id, uint16_t q)
{
	if (!is_fake(id))
		return __real_rte_eth_dev_rx_intr_disable(id, q);
	fake->intr_on[q] = false;
	return 0;
}
