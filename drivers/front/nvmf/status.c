/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Errno to NVMe status, and what the host should think of it. */

#include <errno.h>

#include "io.h"

uint16_t
nvmf_status_of(int err, uint8_t op)
{
	switch (err) {
	case 0:
		return NVME_SC_SUCCESS;
	case -EIO:
		if (op == STRAKE_OP_READ || op == STRAKE_OP_COMPARE || op == STRAKE_OP_VERIFY)
			return NVME_SC_READ_ERROR;
		return NVME_SC_WRITE_FAULT;
	case -EBADMSG:
		return NVME_SC_READ_ERROR;
	case -EILSEQ:
		return NVME_SC_COMPARE;
	case -ERANGE:
		return NVME_SC_LBA_RANGE;
	case -ECANCELED:
		return NVME_SC_ABORT_REQ;
	case -ENOSPC:
		return NVME_SC_CAPACITY;
	case -EPERM:
		return NVME_SC_RESV_CONFLICT;
	case -EROFS:
		return NVME_SC_NS_WRITE_PROTECTED;
	case -ENODEV:
		return NVME_SC_PATH_INTERNAL; /* another path may still have one */
	case -ENOMEM:
	case -EAGAIN:
		return NVME_SC_INTERRUPTED; /* "retry": the shortage passes */
	case -EOPNOTSUPP:
		return NVME_SC_INVALID_OPCODE;
	case -EINVAL:
		return NVME_SC_INVALID_FIELD;
	default:
		return NVME_SC_INTERNAL;
	}
}

bool
nvmf_status_final(uint16_t sct_sc)
{
	switch (sct_sc) {
	case NVME_SC_SUCCESS:
	case NVME_SC_INTERNAL:
	case NVME_SC_INTERRUPTED:
	case NVME_SC_ABORT_REQ:
	case NVME_SC_ABORT_SQ_DELETED:
	case NVME_SC_FUSED_FAIL:
	case NVME_SC_FUSED_MISSING:
	case NVME_SC_NS_NOT_READY:
	case NVME_SC_WRITE_FAULT:
	case NVME_SC_READ_ERROR:
	case NVME_SC_DATA_XFER_ERROR:
	case NVME_SC_TRANSIENT_TRANSPORT:
	case NVME_SC_CONNECT_BUSY:
		return false;
	default:
		return sct_sc < NVME_SC(NVME_SCT_PATH, 0);
	}
}
