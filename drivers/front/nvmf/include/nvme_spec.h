/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVME_SPEC_H
#define NVME_SPEC_H

/**
 * @file
 * What NVMe puts on the wire: NVMe base specification 2.0 (fabrics included) and NVM command set 1.0.
 *
 * Pure layout, little-endian as on x86-64; every structure has its size asserted. No DPDK: tools use it too. Fields
 * keep the specification's own abbreviations.
 */

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define NVME_SPEC_SIZE(type, bytes)	 static_assert(sizeof(type) == (bytes), "size of " #type)
#define NVME_SPEC_AT(type, field, bytes) static_assert(offsetof(type, field) == (bytes), "place of " #type "." #field)
extern "C" {
#else
#define NVME_SPEC_SIZE(type, bytes)	 _Static_assert(sizeof(type) == (bytes), "size of " #type)
#define NVME_SPEC_AT(type, field, bytes) _Static_assert(offsetof(type, field) == (bytes), "place of " #type "." #field)
#endif

/* --- limits and names -------------------------------------------------------------------------------------------- */

#define NVME_NQN_LEN		    256 /**< field of a qualified name, its end included */
#define NVME_NQN_MAX		    223 /**< longest name, bytes, without its end */
#define NVME_DISCOVERY_NQN	    "nqn.2014-08.org.nvmexpress.discovery"
#define NVME_NSID_ALL		    0xffffffffu
#define NVME_NSID_MAX		    0xfffffffeu
#define NVME_CNTLID_DYNAMIC	    0xffff
#define NVME_CNTLID_STATIC	    0xfffe /**< "any", of the static model */
#define NVME_CNTLID_MAX		    0xffef
#define NVME_IDENTIFY_LEN	    4096
#define NVME_ID_LIST_MAX	    1024 /**< namespace ids in one list */
#define NVME_VERSION(mjr, mnr, ter) ((uint32_t)(mjr) << 16 | (uint32_t)(mnr) << 8 | (uint32_t)(ter))

/* --- SGL --------------------------------------------------------------------------------------------------------- */

enum nvme_sgl_type {
	NVME_SGL_DATA_BLOCK = 0x0,
	NVME_SGL_BIT_BUCKET = 0x1,
	NVME_SGL_SEGMENT = 0x2,
	NVME_SGL_LAST_SEGMENT = 0x3,
	NVME_SGL_KEYED_DATA_BLOCK = 0x4,
	NVME_SGL_TRANSPORT_DATA_BLOCK = 0x5,
	NVME_SGL_VENDOR = 0xf,
};

enum nvme_sgl_subtype {
	NVME_SGL_ADDRESS = 0x0,
	NVME_SGL_OFFSET = 0x1, /**< data block: bytes from the start of the in-capsule data */
	NVME_SGL_TRANSPORT = 0xa,
};

/** The type byte: type in the high half, subtype in the low. */
#define NVME_SGL_ID(type, subtype) ((uint8_t)((type) << 4 | (subtype)))
/** In-capsule data. */
#define NVME_SGL_IN_CAPSULE NVME_SGL_ID(NVME_SGL_DATA_BLOCK, NVME_SGL_OFFSET) /* 0x01 */
/** Data moved by the transport (NVMe/TCP: R2T and data PDUs). */
#define NVME_SGL_TRANSPORT_DATA NVME_SGL_ID(NVME_SGL_TRANSPORT_DATA_BLOCK, NVME_SGL_TRANSPORT) /* 0x5a */

struct nvme_sgl {
	uint64_t addr; /**< address, or offset */
	uint32_t len;
	uint8_t rsvd[3];
	uint8_t type; /**< NVME_SGL_ID() */
};
NVME_SPEC_SIZE(struct nvme_sgl, 16);

/* --- commands ---------------------------------------------------------------------------------------------------- */

enum nvme_admin_opcode {
	NVME_ADMIN_DELETE_SQ = 0x00,
	NVME_ADMIN_CREATE_SQ = 0x01,
	NVME_ADMIN_GET_LOG_PAGE = 0x02,
	NVME_ADMIN_DELETE_CQ = 0x04,
	NVME_ADMIN_CREATE_CQ = 0x05,
	NVME_ADMIN_IDENTIFY = 0x06,
	NVME_ADMIN_ABORT = 0x08,
	NVME_ADMIN_SET_FEATURES = 0x09,
	NVME_ADMIN_GET_FEATURES = 0x0a,
	NVME_ADMIN_ASYNC_EVENT = 0x0c,
	NVME_ADMIN_NS_MANAGEMENT = 0x0d,
	NVME_ADMIN_FW_COMMIT = 0x10,
	NVME_ADMIN_FW_DOWNLOAD = 0x11,
	NVME_ADMIN_SELF_TEST = 0x14,
	NVME_ADMIN_NS_ATTACHMENT = 0x15,
	NVME_ADMIN_KEEP_ALIVE = 0x18,
	NVME_ADMIN_DIRECTIVE_SEND = 0x19,
	NVME_ADMIN_DIRECTIVE_RECEIVE = 0x1a,
	NVME_ADMIN_FORMAT = 0x80,
	NVME_ADMIN_SECURITY_SEND = 0x81,
	NVME_ADMIN_SECURITY_RECEIVE = 0x82,
	NVME_ADMIN_SANITIZE = 0x84,
};

enum nvme_io_opcode {
	NVME_IO_FLUSH = 0x00,
	NVME_IO_WRITE = 0x01,
	NVME_IO_READ = 0x02,
	NVME_IO_WRITE_UNCORRECTABLE = 0x04,
	NVME_IO_COMPARE = 0x05,
	NVME_IO_WRITE_ZEROES = 0x08,
	NVME_IO_DSM = 0x09,
	NVME_IO_VERIFY = 0x0c,
	NVME_IO_RESV_REGISTER = 0x0d,
	NVME_IO_RESV_REPORT = 0x0e,
	NVME_IO_RESV_ACQUIRE = 0x11,
	NVME_IO_RESV_RELEASE = 0x15,
	NVME_IO_COPY = 0x19,
};

/** Every fabrics command has this opcode, on any queue; fctype says which. */
#define NVME_OPC_FABRICS 0x7f

enum nvme_fctype {
	NVME_FCTYPE_PROPERTY_SET = 0x00,
	NVME_FCTYPE_CONNECT = 0x01,
	NVME_FCTYPE_PROPERTY_GET = 0x04,
	NVME_FCTYPE_AUTH_SEND = 0x05,
	NVME_FCTYPE_AUTH_RECV = 0x06,
	NVME_FCTYPE_DISCONNECT = 0x08,
};

/* nvme_cmd::flags */
#define NVME_CMD_FUSE_MASK   0x03
#define NVME_CMD_FUSE_FIRST  0x01
#define NVME_CMD_FUSE_SECOND 0x02
#define NVME_CMD_PSDT_MASK   0xc0
#define NVME_CMD_PSDT_SGL    0x40 /**< SGL, metadata pointer is an address: what fabrics demands */
#define NVME_CMD_PSDT_SGL_MD 0x80 /**< SGL, metadata pointer is an SGL segment */

/* nvme_cmd::control of reads, writes and their kin */
#define NVME_RW_LR	    0x8000
#define NVME_RW_FUA	    0x4000
#define NVME_RW_PRINFO	    0x3c00
#define NVME_RW_DEAC	    0x0200 /**< write zeroes: deallocate */
#define NVME_RW_STC	    0x0100
#define NVME_RW_NSZ	    0x0080 /**< write zeroes: the whole namespace */
#define NVME_DSM_IDR	    0x1
#define NVME_DSM_IDW	    0x2
#define NVME_DSM_AD	    0x4 /**< deallocate */
#define NVME_DSM_RANGES_MAX 256

/** Submission queue entry. */
struct nvme_cmd {
	uint8_t opc;
	uint8_t flags; /**< FUSE and PSDT: NVME_CMD_* */
	uint16_t cid;
	union {
		uint32_t nsid;
		uint8_t fctype; /**< fabrics commands */
	};
	uint32_t cdw2;
	uint32_t cdw3;
	uint64_t mptr;
	union {
		struct nvme_sgl sgl;
		struct {
			uint64_t prp1, prp2;
		};
	};
	union {
		struct {
			uint32_t cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
		};
		struct { /* read, write, compare, write zeroes, verify */
			uint64_t slba;
			uint16_t nlb; /**< 0-based */
			uint16_t control;
			uint32_t dsm;
			uint32_t ilbrt;
			uint16_t lbat, lbatm;
		};
		struct { /* fabrics: connect */
			uint16_t recfmt;
			uint16_t qid;
			uint16_t sqsize; /**< 0-based */
			uint8_t cattr;	 /**< NVME_CONNECT_* */
			uint8_t connect_rsvd;
			uint32_t kato; /**< ms */
		};
		struct {		/* fabrics: property get, property set */
			uint8_t attrib; /**< bits 2:0: 0 four bytes, 1 eight bytes */
			uint8_t prop_rsvd[3];
			uint32_t ofst;
			uint64_t value; /**< set */
		};
	};
};
NVME_SPEC_SIZE(struct nvme_cmd, 64);
NVME_SPEC_AT(struct nvme_cmd, nsid, 4);
NVME_SPEC_AT(struct nvme_cmd, sgl, 24);
NVME_SPEC_AT(struct nvme_cmd, cdw10, 40);
NVME_SPEC_AT(struct nvme_cmd, nlb, 48);
NVME_SPEC_AT(struct nvme_cmd, kato, 48);
NVME_SPEC_AT(struct nvme_cmd, value, 48);

#define NVME_CONNECT_DISABLE_SQ_FLOW 0x04 /**< nvme_cmd::cattr */

/** Completion queue entry. */
struct nvme_cpl {
	union {
		uint64_t result64; /**< property get */
		struct {
			uint32_t cdw0, cdw1;
		};
	};
	uint16_t sqhd;
	uint16_t sqid; /**< reserved on fabrics */
	uint16_t cid;
	uint16_t status; /**< NVME_CPL_STATUS(); bit 0 is the phase tag, 0 on fabrics */
};
NVME_SPEC_SIZE(struct nvme_cpl, 16);
NVME_SPEC_AT(struct nvme_cpl, status, 14);

/** Entry of a Dataset Management range list. */
struct nvme_dsm_range {
	uint32_t cattr;
	uint32_t nlb; /**< 1-based */
	uint64_t slba;
};
NVME_SPEC_SIZE(struct nvme_dsm_range, 16);

/* --- status ------------------------------------------------------------------------------------------------------ */

/** Status code type and status code in one number. */
#define NVME_SC(type, code) ((uint16_t)((type) << 8 | (code)))
/** The status field of a completion: code, type, and Do Not Retry. */
#define NVME_CPL_STATUS(sct_sc, dnr) ((uint16_t)((sct_sc) << 1 | ((dnr) ? 0x8000 : 0)))
/** NVME_SC() of a completion's status field. */
#define NVME_CPL_SC(status) ((uint16_t)(((status) >> 1) & 0x7ff))
#define NVME_CPL_DNR	    0x8000
#define NVME_CPL_MORE	    0x4000

enum nvme_sct { NVME_SCT_GENERIC, NVME_SCT_COMMAND, NVME_SCT_MEDIA, NVME_SCT_PATH, NVME_SCT_VENDOR = 7 };

enum nvme_status {
	NVME_SC_SUCCESS = 0x000,
	NVME_SC_INVALID_OPCODE = 0x001,
	NVME_SC_INVALID_FIELD = 0x002,
	NVME_SC_CID_CONFLICT = 0x003,
	NVME_SC_DATA_XFER_ERROR = 0x004,
	NVME_SC_POWER_LOSS = 0x005,
	NVME_SC_INTERNAL = 0x006,
	NVME_SC_ABORT_REQ = 0x007,
	NVME_SC_ABORT_SQ_DELETED = 0x008,
	NVME_SC_FUSED_FAIL = 0x009,
	NVME_SC_FUSED_MISSING = 0x00a,
	NVME_SC_INVALID_NS = 0x00b,
	NVME_SC_SEQUENCE = 0x00c,
	NVME_SC_SGL_SEGMENT = 0x00d,
	NVME_SC_SGL_COUNT = 0x00e,
	NVME_SC_SGL_LENGTH = 0x00f,
	NVME_SC_SGL_MD_LENGTH = 0x010,
	NVME_SC_SGL_TYPE = 0x011,
	NVME_SC_ATOMIC_WRITE_UNIT = 0x014,
	NVME_SC_OP_DENIED = 0x015,
	NVME_SC_SGL_OFFSET = 0x016,
	NVME_SC_HOSTID_FORMAT = 0x018,
	NVME_SC_KATO_EXPIRED = 0x019,
	NVME_SC_KATO_INVALID = 0x01a,
	NVME_SC_NS_WRITE_PROTECTED = 0x020,
	NVME_SC_INTERRUPTED = 0x021,
	NVME_SC_TRANSIENT_TRANSPORT = 0x022,
	NVME_SC_LBA_RANGE = 0x080,
	NVME_SC_CAPACITY = 0x081,
	NVME_SC_NS_NOT_READY = 0x082,
	NVME_SC_RESV_CONFLICT = 0x083,

	NVME_SC_CQ_INVALID = 0x100,
	NVME_SC_QID_INVALID = 0x101,
	NVME_SC_QUEUE_SIZE = 0x102,
	NVME_SC_ABORT_LIMIT = 0x103,
	NVME_SC_ASYNC_LIMIT = 0x105,
	NVME_SC_INVALID_LOG_PAGE = 0x109,
	NVME_SC_FEATURE_NOT_SAVEABLE = 0x10d,
	NVME_SC_FEATURE_NOT_CHANGEABLE = 0x10e,
	NVME_SC_FEATURE_NOT_NS = 0x10f,
	NVME_SC_NS_NOT_ATTACHED = 0x11a,
	NVME_SC_CTRLR_LIST = 0x11c,
	NVME_SC_IOCS_NOT_SUPPORTED = 0x129,
	NVME_SC_CONFLICTING = 0x180,	   /**< NVM command set */
	NVME_SC_INVALID_PI = 0x181,	   /**< NVM command set */
	NVME_SC_READ_ONLY = 0x182,	   /**< NVM command set: write to a read-only range */
	NVME_SC_SIZE_LIMIT = 0x183,	   /**< NVM command set: command size limit exceeded */
	NVME_SC_CONNECT_FORMAT = 0x180,	   /**< fabrics: incompatible format */
	NVME_SC_CONNECT_BUSY = 0x181,	   /**< fabrics: controller busy */
	NVME_SC_CONNECT_INVALID = 0x182,   /**< fabrics: connect invalid parameters */
	NVME_SC_CONNECT_RESTART = 0x183,   /**< fabrics: connect restart discovery */
	NVME_SC_CONNECT_HOST = 0x184,	   /**< fabrics: connect invalid host */
	NVME_SC_QUEUE_TYPE = 0x185,	   /**< fabrics: invalid queue type */
	NVME_SC_DISCOVERY_RESTART = 0x190, /**< fabrics */
	NVME_SC_AUTH_REQUIRED = 0x191,	   /**< fabrics */

	NVME_SC_WRITE_FAULT = 0x280,
	NVME_SC_READ_ERROR = 0x281,
	NVME_SC_GUARD = 0x282,
	NVME_SC_COMPARE = 0x285,
	NVME_SC_ACCESS_DENIED = 0x286,
	NVME_SC_DEALLOCATED = 0x287,

	NVME_SC_PATH_INTERNAL = 0x300,
	NVME_SC_ANA_LOSS = 0x301,
	NVME_SC_ANA_INACCESSIBLE = 0x302,
	NVME_SC_ANA_TRANSITION = 0x303,
	NVME_SC_PATH_CTRLR = 0x360,
	NVME_SC_PATH_HOST = 0x370,
	NVME_SC_PATH_ABORTED = 0x371,
};

/* --- fabrics ----------------------------------------------------------------------------------------------------- */

/** Data of Connect. */
struct nvme_connect_data {
	uint8_t hostid[16];
	uint16_t cntlid;
	uint8_t rsvd18[238];
	char subnqn[NVME_NQN_LEN];
	char hostnqn[NVME_NQN_LEN];
	uint8_t rsvd768[256];
};
NVME_SPEC_SIZE(struct nvme_connect_data, 1024);
NVME_SPEC_AT(struct nvme_connect_data, subnqn, 256);
NVME_SPEC_AT(struct nvme_connect_data, hostnqn, 512);

/** DW0 of a Connect that failed with NVME_SC_CONNECT_INVALID: where the wrong value stands. */
#define NVME_CONNECT_IN_DATA(offset)	((uint32_t)(offset) | 1u << 16)
#define NVME_CONNECT_IN_COMMAND(offset) ((uint32_t)(offset))

/* Properties */
#define NVME_PROP_CAP		 0x00 /**< eight bytes */
#define NVME_PROP_VS		 0x08
#define NVME_PROP_CC		 0x14
#define NVME_PROP_CSTS		 0x1c
#define NVME_PROP_NSSR		 0x20
#define NVME_PROP_CRTO		 0x68

#define NVME_CAP_MQES(n)	 ((uint64_t)(n)) /**< 0-based */
#define NVME_CAP_CQR		 (1ull << 16)
#define NVME_CAP_TO(half_s)	 ((uint64_t)(half_s) << 24)
#define NVME_CAP_CSS_NVM	 (1ull << 37)
#define NVME_CAP_CSS_IOCS	 (1ull << 43) /**< one or more I/O command sets, with CNS 1Ch */
#define NVME_CAP_CRWMS		 (1ull << 59) /**< ready with media: CRTO says how long that takes */

#define NVME_CC_EN(cc)		 ((cc)&1)
#define NVME_CC_CSS(cc)		 (((cc) >> 4) & 7)
#define NVME_CC_MPS(cc)		 (((cc) >> 7) & 0xf)
#define NVME_CC_AMS(cc)		 (((cc) >> 11) & 7)
#define NVME_CC_SHN(cc)		 (((cc) >> 14) & 3)
#define NVME_CC_IOSQES(cc)	 (((cc) >> 16) & 0xf)
#define NVME_CC_IOCQES(cc)	 (((cc) >> 20) & 0xf)
#define NVME_CC_CSS_NVM		 0
#define NVME_CC_CSS_IOCS	 6

#define NVME_CSTS_RDY		 0x01
#define NVME_CSTS_CFS		 0x02
#define NVME_CSTS_SHST_MASK	 0x0c
#define NVME_CSTS_SHST_OCCURRING 0x04
#define NVME_CSTS_SHST_COMPLETE	 0x08

/* --- identify ---------------------------------------------------------------------------------------------------- */

enum nvme_cns {
	NVME_CNS_NS = 0x00,
	NVME_CNS_CTRLR = 0x01,
	NVME_CNS_ACTIVE_NS = 0x02,
	NVME_CNS_NS_DESC = 0x03,
	NVME_CNS_NVM_SETS = 0x04,
	NVME_CNS_CS_NS = 0x05,
	NVME_CNS_CS_CTRLR = 0x06,
	NVME_CNS_CS_ACTIVE_NS = 0x07,
	NVME_CNS_INDEP_NS = 0x08,
	NVME_CNS_ALLOCATED_NS = 0x10,
	NVME_CNS_NS_ALLOCATED = 0x11,
	NVME_CNS_NS_CTRLRS = 0x12,
	NVME_CNS_CTRLRS = 0x13,
	NVME_CNS_NS_GRANULARITY = 0x16,
	NVME_CNS_CS_ALLOCATED_NS = 0x1a,
	NVME_CNS_CS_NS_ALLOCATED = 0x1b,
	NVME_CNS_IOCS = 0x1c,
};

#define NVME_CSI_NVM 0

struct nvme_power_state {
	uint16_t mp; /**< maximum power, in the unit of flags */
	uint8_t rsvd2;
	uint8_t flags;
	uint32_t enlat, exlat; /**< us */
	uint8_t rrt, rrl, rwt, rwl;
	uint16_t idlp;
	uint8_t ips, rsvd19;
	uint16_t actp;
	uint8_t apws;
	uint8_t rsvd23[9];
};
NVME_SPEC_SIZE(struct nvme_power_state, 32);

/** CNS 01h. */
struct nvme_id_ctrlr {
	uint16_t vid, ssvid;
	char sn[20];
	char mn[40];
	char fr[8];
	uint8_t rab;
	uint8_t ieee[3];
	uint8_t cmic; /**< NVME_CMIC_* */
	uint8_t mdts; /**< log2 of pages of CAP.MPSMIN; 0: no limit */
	uint16_t cntlid;
	uint32_t ver;
	uint32_t rtd3r, rtd3e;
	uint32_t oaes;	 /**< NVME_AEN_* */
	uint32_t ctratt; /**< NVME_CTRATT_* */
	uint16_t rrls;
	uint8_t rsvd102[9];
	uint8_t cntrltype; /**< 1 I/O, 2 discovery */
	uint8_t fguid[16];
	uint16_t crdt1, crdt2, crdt3;
	uint8_t rsvd134[119];
	uint8_t nvmsr, vwci, mec;
	uint16_t oacs;
	uint8_t acl;  /**< 0-based */
	uint8_t aerl; /**< 0-based */
	uint8_t frmw;
	uint8_t lpa;  /**< NVME_LPA_* */
	uint8_t elpe; /**< 0-based */
	uint8_t npss; /**< 0-based */
	uint8_t avscc, apsta;
	uint16_t wctemp, cctemp; /**< K */
	uint16_t mtfa;
	uint32_t hmpre, hmmin;
	uint64_t tnvmcap[2], unvmcap[2]; /**< bytes */
	uint32_t rpmbs;
	uint16_t edstt;
	uint8_t dsto, fwug;
	uint16_t kas; /**< keep-alive granularity, 100 ms */
	uint16_t hctma, mntmt, mxtmt;
	uint32_t sanicap;
	uint32_t hmminds;
	uint16_t hmmaxd;
	uint16_t nsetidmax, endgidmax;
	uint8_t anatt;	/**< s */
	uint8_t anacap; /**< NVME_ANACAP_* */
	uint32_t anagrpmax, nanagrpid;
	uint32_t pels;
	uint16_t domain_id;
	uint8_t rsvd358[10];
	uint64_t megcap[2];
	uint8_t rsvd384[128];
	uint8_t sqes, cqes; /**< low half the least, high half the most; log2 bytes */
	uint16_t maxcmd;
	uint32_t nn;
	uint16_t oncs;	/**< NVME_ONCS_* */
	uint16_t fuses; /**< NVME_FUSES_* */
	uint8_t fna;
	uint8_t vwc;	      /**< NVME_VWC_* */
	uint16_t awun, awupf; /**< blocks, 0-based */
	uint8_t icsvscc, nwpc;
	uint16_t acwu; /**< blocks, 0-based */
	uint16_t ocfs;
	uint32_t sgls; /**< NVME_SGLS_* */
	uint32_t mnan;
	uint64_t maxdna[2];
	uint32_t maxcna;
	uint8_t rsvd564[204];
	char subnqn[NVME_NQN_LEN];
	uint8_t rsvd1024[768];
	uint32_t ioccsz, iorcsz; /**< capsule sizes, 16 bytes */
	uint16_t icdoff;	 /**< 16 bytes */
	uint8_t fcatt;
	uint8_t msdbd;
	uint16_t ofcs; /**< bit 0: disconnect */
	uint8_t dctype;
	uint8_t rsvd1807[241];
	struct nvme_power_state psd[32];
	uint8_t vs[1024];
};
NVME_SPEC_SIZE(struct nvme_id_ctrlr, 4096);
NVME_SPEC_AT(struct nvme_id_ctrlr, cntlid, 78);
NVME_SPEC_AT(struct nvme_id_ctrlr, oaes, 92);
NVME_SPEC_AT(struct nvme_id_ctrlr, cntrltype, 111);
NVME_SPEC_AT(struct nvme_id_ctrlr, nvmsr, 253);
NVME_SPEC_AT(struct nvme_id_ctrlr, oacs, 256);
NVME_SPEC_AT(struct nvme_id_ctrlr, tnvmcap, 280);
NVME_SPEC_AT(struct nvme_id_ctrlr, kas, 320);
NVME_SPEC_AT(struct nvme_id_ctrlr, anatt, 342);
NVME_SPEC_AT(struct nvme_id_ctrlr, megcap, 368);
NVME_SPEC_AT(struct nvme_id_ctrlr, sqes, 512);
NVME_SPEC_AT(struct nvme_id_ctrlr, oncs, 520);
NVME_SPEC_AT(struct nvme_id_ctrlr, acwu, 532);
NVME_SPEC_AT(struct nvme_id_ctrlr, sgls, 536);
NVME_SPEC_AT(struct nvme_id_ctrlr, subnqn, 768);
NVME_SPEC_AT(struct nvme_id_ctrlr, ioccsz, 1792);
NVME_SPEC_AT(struct nvme_id_ctrlr, dctype, 1806);
NVME_SPEC_AT(struct nvme_id_ctrlr, psd, 2048);

#define NVME_CMIC_MULTI_PORT   0x01
#define NVME_CMIC_MULTI_CTRLR  0x02
#define NVME_CMIC_ANA	       0x08
#define NVME_CTRATT_HOSTID128  0x00000001
#define NVME_CTRATT_TBKAS      0x00000040 /**< traffic restarts the keep-alive timer */
#define NVME_LPA_EFFECTS       0x02
#define NVME_LPA_EXTENDED      0x04
#define NVME_LPA_SUPPORTED     0x20 /**< supported log pages log */
#define NVME_ANACAP_OPTIMIZED  0x01
#define NVME_ANACAP_NON_OPT    0x02
#define NVME_ANACAP_NO_ACCESS  0x04
#define NVME_ANACAP_CHANGE     0x10
#define NVME_ANACAP_FIXED      0x40 /**< ANAGRPID does not change while attached */
#define NVME_ANACAP_NONZERO    0x80 /**< ANAGRPID is never 0 */
#define NVME_ONCS_COMPARE      0x0001
#define NVME_ONCS_DSM	       0x0004
#define NVME_ONCS_WRITE_ZEROES 0x0008
#define NVME_ONCS_SAVE	       0x0010 /**< save and select fields of the feature commands */
#define NVME_ONCS_RESERVATIONS 0x0020
#define NVME_ONCS_VERIFY       0x0080
#define NVME_FUSES_CMP_WRITE   0x0001
#define NVME_VWC_PRESENT       0x01
#define NVME_VWC_FLUSH_NO_ALL  0x04 /**< Flush does not take NSID FFFFFFFFh */
#define NVME_VWC_FLUSH_ALL     0x06 /**< it does */
#define NVME_SGLS_SUPPORTED    0x00000001
#define NVME_SGLS_KEYED	       0x00000004
#define NVME_SGLS_OFFSET       0x00100000
#define NVME_SGLS_TRANSPORT    0x00200000

struct nvme_lbaf {
	uint16_t ms;
	uint8_t lbads; /**< log2 bytes */
	uint8_t rp;
};
NVME_SPEC_SIZE(struct nvme_lbaf, 4);

/** CNS 00h and 11h. */
struct nvme_id_ns {
	uint64_t nsze, ncap, nuse; /**< blocks */
	uint8_t nsfeat;		   /**< NVME_NSFEAT_* */
	uint8_t nlbaf;		   /**< 0-based */
	uint8_t flbas, mc, dpc, dps;
	uint8_t nmic; /**< bit 0: may be attached to several controllers */
	uint8_t rescap, fpi;
	uint8_t dlfeat; /**< NVME_DLFEAT_* */
	uint16_t nawun, nawupf, nacwu, nabsn, nabo, nabspf;
	uint16_t noiob; /**< blocks */
	uint64_t nvmcap[2];
	uint16_t npwg, npwa, npdg, npda, nows; /**< blocks, 0-based */
	uint16_t mssrl;
	uint32_t mcl;
	uint8_t msrc;
	uint8_t rsvd81[11];
	uint32_t anagrpid;
	uint8_t rsvd96[3];
	uint8_t nsattr; /**< bit 0: write protected */
	uint16_t nvmsetid, endgid;
	uint8_t nguid[16];
	uint8_t eui64[8];
	struct nvme_lbaf lbaf[64];
	uint8_t vs[3712];
};
NVME_SPEC_SIZE(struct nvme_id_ns, 4096);
NVME_SPEC_AT(struct nvme_id_ns, nmic, 30);
NVME_SPEC_AT(struct nvme_id_ns, noiob, 46);
NVME_SPEC_AT(struct nvme_id_ns, anagrpid, 92);
NVME_SPEC_AT(struct nvme_id_ns, nguid, 104);
NVME_SPEC_AT(struct nvme_id_ns, lbaf, 128);

#define NVME_RESCAP_PTPL     0x01 /**< persist through power loss */
#define NVME_RESCAP_TYPES    0x7e /**< all six types */
#define NVME_RESCAP_IEKEY13  0x80 /**< Ignore Existing Key as since revision 1.3 */
#define NVME_NSFEAT_THIN     0x01
#define NVME_NSFEAT_NABP     0x02 /**< NAWUN, NAWUPF, NACWU are this namespace's */
#define NVME_NSFEAT_DULBE    0x04
#define NVME_NSFEAT_UIDREUSE 0x08 /**< NGUID and EUI64 are never used again */
#define NVME_NSFEAT_OPTPERF  0x10 /**< NPWG, NPWA, NPDG, NPDA, NOWS are set */
#define NVME_DLFEAT_ZEROES   0x01 /**< deallocated blocks read as zeroes */
#define NVME_DLFEAT_WZ_DEAC  0x08 /**< write zeroes may deallocate */

/** CNS 05h, NVM command set. */
struct nvme_id_cs_ns {
	uint64_t lbstm;
	uint8_t pic;
	uint8_t rsvd9[3];
	uint32_t elbaf[64];
	uint8_t rsvd268[3828];
};
NVME_SPEC_SIZE(struct nvme_id_cs_ns, 4096);

/** CNS 06h, NVM command set. */
struct nvme_id_cs_ctrlr {
	uint8_t vsl, wzsl, wusl; /**< log2 of pages of CAP.MPSMIN; 0: no limit */
	uint8_t dmrl;		 /**< ranges */
	uint32_t dmrsl;		 /**< blocks in one range */
	uint64_t dmsl;		 /**< blocks in all */
	uint8_t rsvd16[4080];
};
NVME_SPEC_SIZE(struct nvme_id_cs_ctrlr, 4096);

/** CNS 08h. */
struct nvme_id_indep_ns {
	uint8_t nsfeat, nmic, rescap, fpi;
	uint32_t anagrpid;
	uint8_t nsattr, rsvd9;
	uint16_t nvmsetid, endgid;
	uint8_t nstat; /**< bit 0: ready */
	uint8_t rsvd15[4081];
};
NVME_SPEC_SIZE(struct nvme_id_indep_ns, 4096);
NVME_SPEC_AT(struct nvme_id_indep_ns, nstat, 14);

/** Header of each descriptor of CNS 03h. */
struct nvme_ns_desc {
	uint8_t nidt; /**< enum nvme_nidt */
	uint8_t nidl;
	uint8_t rsvd[2];
};
NVME_SPEC_SIZE(struct nvme_ns_desc, 4);

enum nvme_nidt { NVME_NIDT_EUI64 = 1, NVME_NIDT_NGUID = 2, NVME_NIDT_UUID = 3, NVME_NIDT_CSI = 4 };

/** CNS 02h, 07h, 10h, 1Ah. */
struct nvme_ns_list {
	uint32_t nsid[NVME_ID_LIST_MAX];
};
NVME_SPEC_SIZE(struct nvme_ns_list, 4096);

/** CNS 12h, 13h. */
struct nvme_ctrlr_list {
	uint16_t n;
	uint16_t cntlid[2047];
};
NVME_SPEC_SIZE(struct nvme_ctrlr_list, 4096);

/** CNS 1Ch: combinations of I/O command sets, a bit for each. */
struct nvme_iocs_list {
	uint64_t vector[512];
};
NVME_SPEC_SIZE(struct nvme_iocs_list, 4096);

/* --- log pages --------------------------------------------------------------------------------------------------- */

enum nvme_lid {
	NVME_LID_SUPPORTED = 0x00,
	NVME_LID_ERROR = 0x01,
	NVME_LID_SMART = 0x02,
	NVME_LID_FIRMWARE = 0x03,
	NVME_LID_CHANGED_NS = 0x04,
	NVME_LID_EFFECTS = 0x05,
	NVME_LID_ANA = 0x0c,
	NVME_LID_DISCOVERY = 0x70,
	NVME_LID_RESERVATION = 0x80,
};

#define NVME_LOG_RAE	  0x8000 /**< of cdw10: retain the asynchronous event */
#define NVME_LOG_ANA_RGO  0x1	 /**< ANA: groups only, in the log specific field (cdw10 bits 14:8) */
#define NVME_LOG_LID_SUPP 0x1	 /**< supported log pages: LSUPP */

struct nvme_log_supported {
	uint32_t lid[256];
};
NVME_SPEC_SIZE(struct nvme_log_supported, 1024);

struct nvme_error_entry {
	uint64_t error_count; /**< 0: the entry is empty */
	uint16_t sqid;
	uint16_t cid;
	uint16_t status;
	uint16_t pel; /**< parameter error location: byte 7:0, bit 10:8; FFFFh none */
	uint64_t lba;
	uint32_t nsid;
	uint8_t vsia;
	uint8_t trtype;
	uint8_t rsvd30[2];
	uint64_t csi;
	uint16_t ttsi;
	uint8_t rsvd42[22];
};
NVME_SPEC_SIZE(struct nvme_error_entry, 64);
NVME_SPEC_AT(struct nvme_error_entry, nsid, 24);

struct nvme_smart {
	uint8_t critical_warning;
	uint8_t temperature[2]; /**< K; not aligned */
	uint8_t avsp, avspt, pused;
	uint8_t egcws;
	uint8_t rsvd7[25];
	uint64_t dur[2], duw[2]; /**< 1,000 units of 512 bytes, rounded up */
	uint64_t hrc[2], hwc[2];
	uint64_t cbt[2]; /**< minutes */
	uint64_t pwrc[2], poh[2], upl[2];
	uint64_t mdie[2], nele[2];
	uint32_t wctt, cctt;
	uint16_t tsen[8];
	uint32_t tmttc[4];
	uint8_t rsvd232[280];
};
NVME_SPEC_SIZE(struct nvme_smart, 512);
NVME_SPEC_AT(struct nvme_smart, dur, 32);
NVME_SPEC_AT(struct nvme_smart, mdie, 160);

struct nvme_log_firmware {
	uint8_t afi;
	uint8_t rsvd1[7];
	char frs[7][8];
	uint8_t rsvd64[448];
};
NVME_SPEC_SIZE(struct nvme_log_firmware, 512);

struct nvme_log_effects {
	uint32_t acs[256];
	uint32_t iocs[256];
	uint8_t rsvd2048[2048];
};
NVME_SPEC_SIZE(struct nvme_log_effects, 4096);

#define NVME_EFFECT_CSUPP 0x1 /**< supported */
#define NVME_EFFECT_LBCC  0x2 /**< changes the content of blocks */
#define NVME_EFFECT_NCC	  0x4
#define NVME_EFFECT_NIC	  0x8
#define NVME_EFFECT_CCC	  0x10

struct nvme_log_ana {
	uint64_t chgcnt;
	uint16_t ngrps;
	uint8_t rsvd10[6];
};
NVME_SPEC_SIZE(struct nvme_log_ana, 16);

/** Follows the header, once a group; after it nnsids namespace ids. */
struct nvme_ana_group {
	uint32_t grpid;
	uint32_t nnsids;
	uint64_t chgcnt;
	uint8_t state; /**< enum nvme_ana_state */
	uint8_t rsvd17[15];
};
NVME_SPEC_SIZE(struct nvme_ana_group, 32);

enum nvme_ana_state {
	NVME_ANA_OPTIMIZED = 0x1,
	NVME_ANA_NON_OPTIMIZED = 0x2,
	NVME_ANA_INACCESSIBLE = 0x3,
	NVME_ANA_PERSISTENT_LOSS = 0x4,
	NVME_ANA_CHANGE = 0xf,
};

struct nvme_discovery_log {
	uint64_t genctr;
	uint64_t numrec;
	uint16_t recfmt;
	uint8_t rsvd18[1006];
};
NVME_SPEC_SIZE(struct nvme_discovery_log, 1024);

/** numrec of them follow the header. */
struct nvme_discovery_entry {
	uint8_t trtype;	 /**< enum nvme_trtype */
	uint8_t adrfam;	 /**< enum nvme_adrfam */
	uint8_t subtype; /**< enum nvme_discovery_subtype */
	uint8_t treq;
	uint16_t portid;
	uint16_t cntlid;
	uint16_t asqsz;
	uint16_t eflags;
	uint8_t rsvd12[20];
	char trsvcid[32]; /**< this and traddr: padded with spaces or zeroes */
	uint8_t rsvd64[192];
	char subnqn[NVME_NQN_LEN];
	char traddr[256];
	uint8_t tsas[256];
};
NVME_SPEC_SIZE(struct nvme_discovery_entry, 1024);
NVME_SPEC_AT(struct nvme_discovery_entry, trsvcid, 32);
NVME_SPEC_AT(struct nvme_discovery_entry, traddr, 512);

enum nvme_trtype { NVME_TRTYPE_RDMA = 1, NVME_TRTYPE_FC = 2, NVME_TRTYPE_TCP = 3, NVME_TRTYPE_LOOP = 254 };
enum nvme_adrfam { NVME_ADRFAM_IPV4 = 1, NVME_ADRFAM_IPV6 = 2 };
enum nvme_discovery_subtype {
	NVME_DISC_REFERRAL = 1,
	NVME_DISC_NVM = 2,
	NVME_DISC_CURRENT = 3, /**< the discovery subsystem that answers */
};
#define NVME_TREQ_NO_SQ_FLOW	    0x04   /**< the controller can do without SQ flow control */
#define NVME_DISC_EFLAGS_EPCSD	    0x0002 /**< explicit persistent connections to the discovery controller */
#define NVME_DISC_EFLAGS_DUPRETINFO 0x0001

/* --- reservations ------------------------------------------------------------------------------------------------ */

enum nvme_resv_type {
	NVME_RESV_NONE,
	NVME_RESV_WRITE_EXCL,
	NVME_RESV_EXCL_ACCESS,
	NVME_RESV_WRITE_EXCL_REG,  /**< registrants only */
	NVME_RESV_EXCL_ACCESS_REG, /**< registrants only */
	NVME_RESV_WRITE_EXCL_ALL,  /**< all registrants */
	NVME_RESV_EXCL_ACCESS_ALL, /**< all registrants */
};

/* Actions: bits 2:0 of cdw10 */
#define NVME_RESV_ACTION(cdw10) ((cdw10)&7)
#define NVME_RESV_IEKEY		0x8u /**< of cdw10: ignore the existing key */
#define NVME_RESV_RTYPE(cdw10)	(((cdw10) >> 8) & 0xff)
#define NVME_RESV_CPTPL(cdw10)	((cdw10) >> 30) /**< register: enum nvme_resv_cptpl */
#define NVME_RESV_EDS		0x1u		/**< of cdw11 of report: extended data structure */
enum nvme_resv_register { NVME_RREGA_REGISTER, NVME_RREGA_UNREGISTER, NVME_RREGA_REPLACE };
enum nvme_resv_acquire { NVME_RACQA_ACQUIRE, NVME_RACQA_PREEMPT, NVME_RACQA_PREEMPT_ABORT };
enum nvme_resv_release { NVME_RRELA_RELEASE, NVME_RRELA_CLEAR };
enum nvme_resv_cptpl { NVME_CPTPL_KEEP, NVME_CPTPL_RESERVED, NVME_CPTPL_CLEAR, NVME_CPTPL_SET };

/** Data of Reservation Register (current, new key) and Acquire (current, preempted key). Release has the first only. */
struct nvme_resv_keys {
	uint64_t crkey, nrkey;
};
NVME_SPEC_SIZE(struct nvme_resv_keys, 16);

/** Reservation Report, extended: header, then a registrant each. */
struct nvme_resv_status {
	uint32_t gen;
	uint8_t rtype;
	uint8_t regctl[2]; /**< registrants that follow; not aligned */
	uint8_t rsvd7[2];
	uint8_t ptpls;
	uint8_t rsvd10[54];
};
NVME_SPEC_SIZE(struct nvme_resv_status, 64);

struct nvme_resv_registrant {
	uint16_t cntlid;
	uint8_t rcsts; /**< bit 0: holds the reservation */
	uint8_t rsvd3[5];
	uint64_t rkey;
	uint8_t hostid[16];
	uint8_t rsvd32[32];
};
NVME_SPEC_SIZE(struct nvme_resv_registrant, 64);

/** Log page 80h: the oldest notification not read yet. */
struct nvme_log_resv {
	uint64_t count;
	uint8_t type; /**< enum nvme_resv_notice */
	uint8_t more; /**< further pages that wait */
	uint8_t rsvd10[2];
	uint32_t nsid;
	uint8_t rsvd16[48];
};
NVME_SPEC_SIZE(struct nvme_log_resv, 64);

enum nvme_resv_notice {
	NVME_RESV_NOTICE_NONE,
	NVME_RESV_NOTICE_REG_PREEMPTED,
	NVME_RESV_NOTICE_RELEASED,
	NVME_RESV_NOTICE_PREEMPTED,
};
/** Bits of the notification mask feature: 1 << enum nvme_resv_notice. */
#define NVME_RESV_NOTICE_MASK 0x0eu

/* --- features and events ----------------------------------------------------------------------------------------- */

enum nvme_fid {
	NVME_FID_ARBITRATION = 0x01,
	NVME_FID_POWER = 0x02,
	NVME_FID_TEMPERATURE = 0x04,
	NVME_FID_ERROR_RECOVERY = 0x05,
	NVME_FID_VWC = 0x06,
	NVME_FID_QUEUES = 0x07,
	NVME_FID_INTERRUPT = 0x08,
	NVME_FID_INTERRUPT_VECTOR = 0x09,
	NVME_FID_ATOMICITY = 0x0a,
	NVME_FID_ASYNC_EVENT = 0x0b,
	NVME_FID_TIMESTAMP = 0x0e,
	NVME_FID_KATO = 0x0f,
	NVME_FID_HOST_BEHAVIOR = 0x16,
	NVME_FID_IOCS_PROFILE = 0x19,
	NVME_FID_HOSTID = 0x81,
	NVME_FID_RESV_NOTICE = 0x82,
	NVME_FID_RESV_PERSIST = 0x83,
	NVME_FID_WRITE_PROTECT = 0x84,
};

enum nvme_feature_select { NVME_SEL_CURRENT, NVME_SEL_DEFAULT, NVME_SEL_SAVED, NVME_SEL_SUPPORTED };
/* DW0 of Get Features with NVME_SEL_SUPPORTED */
#define NVME_FEAT_SAVEABLE   0x1
#define NVME_FEAT_NS	     0x2
#define NVME_FEAT_CHANGEABLE 0x4
#define NVME_FEAT_SAVE	     0x80000000u /**< of cdw10 of Set Features: SV */

/* Asynchronous Event Configuration and OAES */
#define NVME_AEN_SMART	   0x000000ffu
#define NVME_AEN_SPARE	   0x00000001u /**< of NVME_AEN_SMART; also in the log page's critical_warning */
#define NVME_AEN_NS_ATTR   0x00000100u
#define NVME_AEN_FW	   0x00000200u
#define NVME_AEN_ANA	   0x00000800u
#define NVME_AEN_DISCOVERY 0x80000000u

/** DW0 of an Asynchronous Event Request's completion. */
#define NVME_AEN(type, info, lid) ((uint32_t)(type) | (uint32_t)(info) << 8 | (uint32_t)(lid) << 16)
enum nvme_aen_type {
	NVME_AEN_TYPE_ERROR = 0,
	NVME_AEN_TYPE_SMART = 1,
	NVME_AEN_TYPE_NOTICE = 2,
	NVME_AEN_TYPE_COMMAND_SET = 6, /**< info 0: a reservation notification waits */
};
enum nvme_aen_smart {
	NVME_AEN_SMART_SPARE = 0x02, /**< available spare below its threshold */
};
enum nvme_aen_notice {
	NVME_AEN_NOTICE_NS_ATTR = 0x00,
	NVME_AEN_NOTICE_FW = 0x01,
	NVME_AEN_NOTICE_ANA = 0x03,
	NVME_AEN_NOTICE_DISCOVERY = 0xf0,
};

#ifdef __cplusplus
}
#endif

#endif /* NVME_SPEC_H */
