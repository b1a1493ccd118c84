/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "conn.h"

/* ICMP packet too big (RFC 1191, RFC 8201), believed only if it quotes what is really out (RFC 5927). */
bool
tcp_too_big(void *user, const struct port_addr *local, const struct port_addr *remote, const uint8_t *l4, uint16_t mtu)
{
	struct tcp *tcp = user;
	struct tcp_conn *c;
	struct tcp_key key;
	uint16_t ports[2];
	uint32_t seq;
	uint32_t least = local->family == 4 ? 20 : 40;

	memcpy(ports, l4, sizeof(ports));
	memcpy(&seq, l4 + 4, sizeof(seq));
	seq = rte_be_to_cpu_32(seq);
	tcp_key_init(&key, local, ports[0], remote, ports[1]);
	c = tcp_conn_find(tcp, &key);
	if (c == NULL || c->state < TCP_ESTABLISHED || c->state == TCP_TIME_WAIT || seq_lt(seq, c->snd_una) ||
	    seq_ge(seq, c->snd_max))
		return false;
	least += TCP_HDR_MIN + TCP_MSS_MIN;
	if (mtu < least)
		mtu = (uint16_t)least;
	mtu = (uint16_t)(mtu - (least - TCP_MSS_MIN));
	if (mtu >= c->mss)
		return false;
	tcp->n.rx_too_big++;
	c->mss = mtu;
	c->cc.mss = mtu;
	/* What was too big is lost, though not to congestion. */
	tcp_rewind(c);
	c->flags |= TCP_F_LOSS;
	c->recover = c->snd_max;
	return true;
}
