/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVME_TCP_SPEC_H
#define NVME_TCP_SPEC_H

/**
 * @file
 * What NVMe/TCP puts on the wire (NVM Express TCP Transport Specification 1.0, section 3.6). All fields little-endian.
 *
 * A PDU is: header (HLEN bytes), header digest (4, if agreed and HDGSTF), padding up to PDO, data, data digest (4, if
 * agreed and DDGSTF). PLEN counts all of it.
 */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define NVME_TCP_ASSERT static_assert
#else
#define NVME_TCP_ASSERT _Static_assert
#endif

/** Service numbers: NVMe/TCP as IANA knows it, and discovery. */
#define NVME_TCP_PORT		4420
#define NVME_TCP_DISCOVERY_PORT 8009

/** nvme_tcp_ch::type */
enum nvme_tcp_pdu_type {
	NVME_TCP_ICREQ = 0x00,
	NVME_TCP_ICRESP = 0x01,
	NVME_TCP_H2C_TERM = 0x02,
	NVME_TCP_C2H_TERM = 0x03,
	NVME_TCP_CAPSULE_CMD = 0x04,
	NVME_TCP_CAPSULE_RESP = 0x05,
	NVME_TCP_H2C_DATA = 0x06,
	NVME_TCP_C2H_DATA = 0x07,
	NVME_TCP_R2T = 0x09,
};

/* nvme_tcp_ch::flags */
#define NVME_TCP_F_HDGST    0x01 /**< a header digest follows the header */
#define NVME_TCP_F_DDGST    0x02 /**< a data digest follows the data */
#define NVME_TCP_F_LAST	    0x04 /**< H2CData, C2HData: last of its R2T, of its command */
#define NVME_TCP_F_SUCCESS  0x08 /**< C2HData with LAST: the command succeeded and no CapsuleResp follows */

#define NVME_TCP_PFV	    0x0000 /**< PDU format version of specification 1.0 */
#define NVME_TCP_PDA_MAX    31	   /**< HPDA, CPDA: dwords, 0's based */
#define NVME_TCP_DGST_HDR   0x01   /**< in ICReq and ICResp */
#define NVME_TCP_DGST_DATA  0x02
#define NVME_TCP_DIGEST_LEN 4	 /**< bytes of CRC32C, header or data */
#define NVME_TCP_MAXH2C_MIN 4096 /**< least MAXH2CDATA, bytes; a multiple of 4 */
#define NVME_TCP_TERM_DATA  128	 /**< most bytes of the offending PDU in a termination request */
#define NVME_TCP_ADMIN_ICD  8192 /**< in-capsule data every controller accepts on the admin queue */
#define NVME_TCP_HLEN_IC    128
#define NVME_TCP_HLEN_TERM  24
#define NVME_TCP_HLEN_CMD   72
#define NVME_TCP_HLEN_RESP  24
#define NVME_TCP_HLEN_DATA  24 /**< H2CData and C2HData */
#define NVME_TCP_HLEN_R2T   24
#define NVME_TCP_HLEN_MAX   128

/** Fatal error status of H2CTermReq and C2HTermReq. */
enum nvme_tcp_fes {
	NVME_TCP_FES_INVALID_HEADER = 0x01,	/**< FEI: byte offset of the field */
	NVME_TCP_FES_SEQUENCE = 0x02,		/**< a PDU that may not come here */
	NVME_TCP_FES_HEADER_DIGEST = 0x03,	/**< FEI: the digest that came */
	NVME_TCP_FES_OUT_OF_RANGE = 0x04,	/**< data offset or length outside the transfer */
	NVME_TCP_FES_LIMIT_EXCEEDED = 0x05,	/**< C2HTermReq: more than MAXH2CDATA or the in-capsule size */
	NVME_TCP_FES_R2T_LIMIT_EXCEEDED = 0x05, /**< H2CTermReq: more R2Ts than MAXR2T */
	NVME_TCP_FES_UNSUPPORTED = 0x06,	/**< FEI: byte offset of the parameter */
};

/** Common header: the first eight bytes of every PDU. */
struct nvme_tcp_ch {
	uint8_t type;
	uint8_t flags;
	uint8_t hlen; /**< bytes of header, digest not counted */
	uint8_t pdo;  /**< byte offset of data in the PDU; 0 where there is none */
	uint32_t plen;
} __attribute__((packed));
NVME_TCP_ASSERT(sizeof(struct nvme_tcp_ch) == 8, "common header");

/** Initialize connection request. */
struct nvme_tcp_icreq {
	struct nvme_tcp_ch ch;
	uint16_t pfv;
	uint8_t hpda;	 /**< alignment of data in PDUs to the host: (hpda + 1) dwords */
	uint8_t dgst;	 /**< NVME_TCP_DGST_* the host asks for */
	uint32_t maxr2t; /**< outstanding R2Ts to a command, 0's based */
	uint8_t rsvd[112];
} __attribute__((packed));
NVME_TCP_ASSERT(sizeof(struct nvme_tcp_icreq) == NVME_TCP_HLEN_IC, "ICReq");

/** Initialize connection response. */
struct nvme_tcp_icresp {
	struct nvme_tcp_ch ch;
	uint16_t pfv;
	uint8_t cpda;	 /**< alignment of data in PDUs to the controller: (cpda + 1) dwords */
	uint8_t dgst;	 /**< NVME_TCP_DGST_* agreed */
	uint32_t maxh2c; /**< most data bytes in one H2CData */
	uint8_t rsvd[112];
} __attribute__((packed));
NVME_TCP_ASSERT(sizeof(struct nvme_tcp_icresp) == NVME_TCP_HLEN_IC, "ICResp");

/** H2CTermReq, C2HTermReq. The offending PDU's header follows as data, up to NVME_TCP_TERM_DATA bytes. */
struct nvme_tcp_term {
	struct nvme_tcp_ch ch;
	uint16_t fes;
	uint32_t fei; /**< lies at an odd place: byte 10 */
	uint8_t rsvd[10];
} __attribute__((packed));
NVME_TCP_ASSERT(sizeof(struct nvme_tcp_term) == NVME_TCP_HLEN_TERM, "TermReq");

/** Command capsule; in-capsule data may follow. */
struct nvme_tcp_capsule_cmd {
	struct nvme_tcp_ch ch;
	uint8_t sqe[64]; /**< struct nvme_cmd */
} __attribute__((packed));
NVME_TCP_ASSERT(sizeof(struct nvme_tcp_capsule_cmd) == NVME_TCP_HLEN_CMD, "CapsuleCmd");

/** Response capsule. */
struct nvme_tcp_capsule_resp {
	struct nvme_tcp_ch ch;
	uint8_t cqe[16]; /**< struct nvme_cpl */
} __attribute__((packed));
NVME_TCP_ASSERT(sizeof(struct nvme_tcp_capsule_resp) == NVME_TCP_HLEN_RESP, "CapsuleResp");

/** H2CData and C2HData. */
struct nvme_tcp_data {
	struct nvme_tcp_ch ch;
	uint16_t cccid; /**< command identifier of the command */
	uint16_t ttag;	/**< H2CData: of the R2T it answers; C2HData: reserved */
	uint32_t datao; /**< byte offset in the command's data */
	uint32_t datal; /**< bytes in this PDU */
	uint8_t rsvd[4];
} __attribute__((packed));
NVME_TCP_ASSERT(sizeof(struct nvme_tcp_data) == NVME_TCP_HLEN_DATA, "data PDU");

/** Ready to transfer. */
struct nvme_tcp_r2t {
	struct nvme_tcp_ch ch;
	uint16_t cccid;
	uint16_t ttag;
	uint32_t r2to; /**< byte offset in the command's data */
	uint32_t r2tl; /**< bytes asked for */
	uint8_t rsvd[4];
} __attribute__((packed));
NVME_TCP_ASSERT(sizeof(struct nvme_tcp_r2t) == NVME_TCP_HLEN_R2T, "R2T");

#ifdef __cplusplus
}
#endif

#endif /* NVME_TCP_SPEC_H */
