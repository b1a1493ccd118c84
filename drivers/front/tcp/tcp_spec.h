/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef TCP_SPEC_H
#define TCP_SPEC_H

/**
 * @file
 * TCP on the wire: what rte_tcp.h leaves out. Numbers from RFC 9293 3.1, 7323, 2018 and 3168.
 */

#include <stdint.h>

#define TCP_FIN	    0x01
#define TCP_SYN	    0x02
#define TCP_RST	    0x04
#define TCP_PSH	    0x08
#define TCP_ACK	    0x10
#define TCP_URG	    0x20
#define TCP_ECE	    0x40
#define TCP_CWR	    0x80

#define TCP_HDR_MIN 20
#define TCP_HDR_MAX 60
#define TCP_OPT_MAX (TCP_HDR_MAX - TCP_HDR_MIN)

enum tcp_opt_kind {
	TCP_KIND_END = 0,
	TCP_KIND_NOP = 1,
	TCP_KIND_MSS = 2,	/* length 4 */
	TCP_KIND_WSCALE = 3,	/* length 3 */
	TCP_KIND_SACK_PERM = 4, /* length 2 */
	TCP_KIND_SACK = 5,	/* length 2 + 8 n */
	TCP_KIND_TS = 8,	/* length 10 */
};

/* Largest shift RFC 7323 2.3 allows. */
#define TCP_WSCALE_MAX 14
/* Segment size when the peer names none (RFC 9293, 3.7.1), by address family. */
#define TCP_MSS_DEFAULT4 536
#define TCP_MSS_DEFAULT6 1220
/* Least segment size we go along with, whatever a peer or an ICMP message says: below it the headers outweigh the
 * payload, which is an attack rather than a network. */
#define TCP_MSS_MIN 256

/* ECN field of the IP header (RFC 3168, 5). */
#define TCP_ECN_MASK 0x03
#define TCP_ECN_ECT0 0x02
#define TCP_ECN_CE   0x03

#endif /* TCP_SPEC_H */
