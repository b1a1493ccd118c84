/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "tcp_wire.h"

#include <cstring>

#include <rte_byteorder.h>
#include <rte_tcp.h>

struct wire_dst {
	port_dst d;
};

Wire::Wire(const WireConf &c, rte_mempool *p, rte_mempool *ext_pool) : conf(c), rng(c.seed), pool(p)
{
	memset(&poller, 0, sizeof(poller));
	poller.wire = this;
	poller.p.name = "wire";
	poller.p.poll = poll;
	poller.p.fd = -2;
	ops.route = route;
	ops.unroute = unroute;
	ops.send = send;
	ops.send_as = send_as;
	for (int i = 0; i < 2; i++) {
		memset(&ends[i].ifp, 0, sizeof(ends[i].ifp));
		ends[i].wire = this;
		ends[i].index = i;
		ends[i].free_at = 0;
		ends[i].paused = 0;
		ends[i].ifp.ops = &ops;
		ends[i].ifp.name = "wire";
		ends[i].ifp.mtu = conf.mtu;
		ends[i].ifp.tx_segs_max = conf.tx_segs_max;
		ends[i].ifp.caps = conf.caps;
		ends[i].ifp.tso_max = 65000;
		ends[i].ifp.pool = pool;
		ends[i].ifp.ext_pool = ext_pool;
	}
	strake_poller_add(&poller.p);
}

Wire::~Wire()
{
	strake_poller_del(&poller.p);
}

port_addr
Wire::address(int i, int family)
{
	port_addr a;

	memset(&a, 0, sizeof(a));
	a.family = (uint8_t)family;
	a.b[0] = family == 4 ? 10 : 0xfd;
	a.b[family == 4 ? 3 : 15] = (uint8_t)(i + 1);
	return a;
}

port_dst *
Wire::route(port_if *ifp, const port_addr *local, const port_addr *remote)
{
	End *end = (End *)ifp;
	auto *d = new wire_dst;
	port_addr mine = address(end->index, remote->family);

	(void)local;
	d->d.ifp = ifp;
	d->d.local = mine;
	d->d.remote = *remote;
	d->d.mtu = ifp->mtu;
	end->wire->routes++;
	return &d->d;
}

void
Wire::unroute(port_dst *dst)
{
	((End *)dst->ifp)->wire->routes--;
	delete (wire_dst *)dst;
}

bool
Wire::chance(double p)
{
	return p > 0 && std::uniform_real_distribution<>(0, 1)(rng) < p;
}

int
Wire::send(port_dst *dst, rte_mbuf *m, uint8_t tos)
{
	End *end = (End *)dst->ifp;
	Wire *w = end->wire;
	std::vector<uint8_t> bytes(m->pkt_len);
	uint32_t hlen = m->l4_len, segsz = (w->conf.caps & PORT_CAP_TSO) ? m->tso_segsz : 0, at = 0;

	if (w->chance(w->conf.enobufs)) {
		rte_pktmbuf_free(m);
		return -ENOBUFS;
	}
	if (rte_pktmbuf_headroom(m) < 128 || m->nb_segs > w->conf.tx_segs_max || hlen < 20)
		w->linear_violations++;
	for (rte_mbuf *s = m; s != nullptr; s = s->next) {
		uintptr_t first = rte_pktmbuf_mtod(s, uintptr_t), last = first + s->data_len - 1;

		w->torn += s->data_len != 0 && first / RTE_PGSIZE_2M != last / RTE_PGSIZE_2M;
		memcpy(&bytes[at], rte_pktmbuf_mtod(s, void *), s->data_len);
		if (s != m && s->packet_type == PORT_SUM_KNOWN) {
			w->sums_known++;
			w->sums_wrong += s->hash.usr !=
					 (uint16_t)~strake_cksum_fold(strake_kernel->cksum(&bytes[at], s->data_len, 0));
		}
		at += s->data_len;
	}
	if (at != m->pkt_len)
		w->linear_violations++;
	rte_pktmbuf_free(m);
	if (segsz == 0 || bytes.size() - hlen <= segsz) {
		w->transmit(end->index, dst, std::move(bytes), tos);
		return 0;
	}
	for (size_t off = hlen; off < bytes.size(); off += segsz) {
		size_t n = std::min<size_t>(segsz, bytes.size() - off);
		std::vector<uint8_t> part(bytes.begin(), bytes.begin() + hlen);
		auto *th = (rte_tcp_hdr *)part.data();

		th->sent_seq = rte_cpu_to_be_32(rte_be_to_cpu_32(th->sent_seq) + (uint32_t)(off - hlen));
		if (off + n < bytes.size())
			th->tcp_flags &= (uint8_t) ~(RTE_TCP_FIN_FLAG | RTE_TCP_PSH_FLAG);
		part.insert(part.end(), bytes.begin() + off, bytes.begin() + off + n);
		w->transmit(end->index, dst, std::move(part), tos);
	}
	return 0;
}

int
Wire::send_as(port_dst *dst, const port_addr *local, const port_addr *remote, rte_mbuf *m)
{
	End *end = (End *)dst->ifp;
	auto *p = rte_pktmbuf_mtod(m, const uint8_t *);

	end->wire->inject(1 - end->index, std::vector<uint8_t>(p, p + m->data_len), *local, *remote);
	rte_pktmbuf_free(m);
	return 0;
}

void
Wire::transmit(int from, port_dst *dst, std::vector<uint8_t> bytes, uint8_t tos)
{
	End &end = ends[from];
	uint64_t now = strake_now();
	uint32_t ip = dst->remote.family == 4 ? 20 : 40;
	uint64_t size = bytes.size() + ip + 38;
	uint64_t begin = std::max(now, end.free_at);

	sent++;
	if (bytes.size() + ip > std::min<size_t>(conf.mtu, path_mtu)) {
		too_big++;
		if (send_icmp && end.ifp.too_big != nullptr)
			end.ifp.too_big(end.ifp.user, &dst->local, &dst->remote, bytes.data(), path_mtu);
		return;
	}
	if (filter && !filter(from, bytes)) {
		dropped++;
		return;
	}
	if ((double)(begin - now) * conf.gbps / 8 > conf.queue_bytes || chance(conf.drop)) {
		dropped++;
		return;
	}
	end.free_at = begin + (uint64_t)((double)size * 8 / conf.gbps);
	if ((tos & 3) == 2 && chance(conf.mark))
		tos |= 3;
	for (int copies = chance(conf.dup) ? 2 : 1; copies > 0; copies--) {
		uint64_t late = chance(conf.reorder) ? rng() % conf.jitter_ns : 0;

		queue.push(WirePacket{end.free_at + conf.delay_ns + late, order++, 1 - from, tos, dst->local,
				      dst->remote, bytes});
	}
}

void
Wire::inject(int to, const std::vector<uint8_t> &bytes, const port_addr &src, const port_addr &dst, uint8_t tos)
{
	queue.push(WirePacket{strake_now(), order++, to, tos, src, dst, bytes});
}

rte_mbuf *
Wire::receive(const WirePacket &p)
{
	rte_mbuf *head = rte_pktmbuf_alloc(pool);
	rte_mbuf *last = head;
	size_t at = 0;

	if (head == nullptr)
		return nullptr;
	while (at < p.bytes.size()) {
		size_t n = std::min<size_t>(p.bytes.size() - at, rte_pktmbuf_tailroom(last));

		if (conf.chains && p.bytes.size() - at > 60)
			n = std::min<size_t>(n, 60 + rng() % 600);
		memcpy(rte_pktmbuf_append(last, (uint16_t)n), &p.bytes[at], n);
		if (last != head) {
			head->pkt_len += (uint32_t)n;
			last->pkt_len = 0;
		}
		at += n;
		if (at < p.bytes.size()) {
			rte_mbuf *x = rte_pktmbuf_alloc(pool);

			if (x == nullptr) {
				rte_pktmbuf_free(head);
				return nullptr;
			}
			memset((void *)port_pkt(x), 0x5a, sizeof(struct port_pkt));
			last->next = x;
			last = x;
			head->nb_segs++;
		}
	}
	struct port_pkt *pkt = port_pkt(head);

	memset((void *)pkt, 0x5a, sizeof(*pkt));
	pkt->ifp = &ends[p.to].ifp;
	pkt->src = p.src;
	pkt->dst = p.dst;
	pkt->tos = p.tos;
	pkt->pcp = conf.pcp;
	pkt->l4_len = (uint16_t)p.bytes.size();
	return head;
}

uint64_t
Wire::next() const
{
	uint64_t at = queue.empty() ? UINT64_MAX : queue.top().at;

	for (const End &e : ends)
		if (!e.ring.empty())
			at = std::min(at, e.paused);
	return at;
}

uint32_t
Wire::poll(strake_poller *p, uint64_t now)
{
	Wire *w = ((Poll *)p)->wire;
	uint32_t work = 0;

	for (; !w->queue.empty() && w->queue.top().at <= now; w->queue.pop()) {
		End &e = w->ends[w->queue.top().to];

		if (e.ring.size() < w->conf.ring)
			e.ring.push_back(w->queue.top());
		else
			w->dropped++;
	}
	for (End &e : w->ends) {
		rte_mbuf *burst[32];
		uint16_t n = 0;

		for (; n < 32 && !e.ring.empty() && e.paused <= now; e.ring.pop_front()) {
			rte_mbuf *m = w->receive(e.ring.front());

			if (m != nullptr)
				burst[n++] = m;
		}
		if (n > 0 && e.ifp.rx != nullptr)
			e.ifp.rx(e.ifp.user, burst, n);
		else
			rte_pktmbuf_free_bulk(burst, n);
		work += n;
	}
	return work;
}
