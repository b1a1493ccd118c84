/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <stddef.h>

#include "nvme_spec.h"
#include "nvme_text.h"

struct text {
	uint16_t code;
	const char *text;
};

static const struct text fabrics_status[] = {
	{NVME_SC_CONNECT_FORMAT, "incompatible format"},
	{NVME_SC_CONNECT_BUSY, "controller busy"},
	{NVME_SC_CONNECT_INVALID, "invalid parameters: is the subsystem's name right?"},
	{NVME_SC_CONNECT_RESTART, "restart discovery"},
	{NVME_SC_CONNECT_HOST, "this host is not allowed: is it in the subsystem's list?"},
	{NVME_SC_QUEUE_TYPE, "invalid queue type"},
	{NVME_SC_DISCOVERY_RESTART, "restart discovery"},
	{NVME_SC_AUTH_REQUIRED, "authentication required"},
	{0, NULL},
};

static const struct text status[] = {
	{NVME_SC_SUCCESS, "success"},
	{NVME_SC_INVALID_OPCODE, "invalid opcode"},
	{NVME_SC_INVALID_FIELD, "invalid field in command"},
	{NVME_SC_CID_CONFLICT, "command identifier conflict"},
	{NVME_SC_DATA_XFER_ERROR, "data transfer error"},
	{NVME_SC_POWER_LOSS, "aborted: power loss"},
	{NVME_SC_INTERNAL, "internal error"},
	{NVME_SC_ABORT_REQ, "aborted on request"},
	{NVME_SC_ABORT_SQ_DELETED, "aborted: queue deleted"},
	{NVME_SC_FUSED_FAIL, "aborted: fused command failed"},
	{NVME_SC_FUSED_MISSING, "aborted: fused command missing"},
	{NVME_SC_INVALID_NS, "invalid namespace or format"},
	{NVME_SC_SEQUENCE, "command sequence error"},
	{NVME_SC_SGL_LENGTH, "SGL length invalid"},
	{NVME_SC_SGL_TYPE, "SGL type invalid"},
	{NVME_SC_SGL_OFFSET, "SGL offset invalid"},
	{NVME_SC_KATO_EXPIRED, "keep-alive expired"},
	{NVME_SC_KATO_INVALID, "keep-alive time invalid"},
	{NVME_SC_NS_WRITE_PROTECTED, "namespace is write protected"},
	{NVME_SC_INTERRUPTED, "command interrupted"},
	{NVME_SC_TRANSIENT_TRANSPORT, "transient transport error"},
	{NVME_SC_LBA_RANGE, "LBA out of range"},
	{NVME_SC_CAPACITY, "capacity exceeded"},
	{NVME_SC_NS_NOT_READY, "namespace not ready"},
	{NVME_SC_QID_INVALID, "invalid queue identifier"},
	{NVME_SC_QUEUE_SIZE, "invalid queue size"},
	{NVME_SC_INVALID_LOG_PAGE, "invalid log page"},
	{NVME_SC_NS_NOT_ATTACHED, "namespace not attached"},
	{NVME_SC_READ_ONLY, "attempted write to read-only range"},
	{NVME_SC_SIZE_LIMIT, "command size limit exceeded"},
	{NVME_SC_WRITE_FAULT, "write fault"},
	{NVME_SC_READ_ERROR, "unrecovered read error"},
	{NVME_SC_GUARD, "guard check error"},
	{NVME_SC_COMPARE, "compare failure"},
	{NVME_SC_ACCESS_DENIED, "access denied"},
	{NVME_SC_DEALLOCATED, "deallocated or unwritten block"},
	{NVME_SC_PATH_INTERNAL, "internal path error"},
	{NVME_SC_ANA_LOSS, "persistent loss of asymmetric access"},
	{NVME_SC_ANA_INACCESSIBLE, "asymmetric access inaccessible"},
	{NVME_SC_ANA_TRANSITION, "asymmetric access in transition"},
	{NVME_SC_PATH_CTRLR, "controller path error"},
	{NVME_SC_PATH_HOST, "host path error"},
	{NVME_SC_PATH_ABORTED, "aborted by host"},
	{0, NULL},
};

static const struct text fabrics_names[] = {
	{NVME_FCTYPE_PROPERTY_SET, "Property Set"},
	{NVME_FCTYPE_CONNECT, "Connect"},
	{NVME_FCTYPE_PROPERTY_GET, "Property Get"},
	{NVME_FCTYPE_DISCONNECT, "Disconnect"},
	{0, NULL},
};

static const struct text admin_names[] = {
	{NVME_ADMIN_GET_LOG_PAGE, "Get Log Page"}, {NVME_ADMIN_IDENTIFY, "Identify"},
	{NVME_ADMIN_SET_FEATURES, "Set Features"}, {NVME_ADMIN_GET_FEATURES, "Get Features"},
	{NVME_ADMIN_KEEP_ALIVE, "Keep Alive"},	   {0, NULL},
};

static const struct text io_names[] = {
	{NVME_IO_FLUSH, "Flush"},
	{NVME_IO_WRITE, "Write"},
	{NVME_IO_READ, "Read"},
	{NVME_IO_COMPARE, "Compare"},
	{NVME_IO_WRITE_ZEROES, "Write Zeroes"},
	{NVME_IO_DSM, "Dataset Management"},
	{NVME_IO_VERIFY, "Verify"},
	{0, NULL},
};

static const char *
find(const struct text *t, uint16_t code)
{
	for (; t->text != NULL; t++)
		if (t->code == code)
			return t->text;
	return NULL;
}

const char *
nvme_text_status(uint16_t sct_sc, bool fabrics)
{
	const char *text = fabrics ? find(fabrics_status, sct_sc) : NULL;

	if (text == NULL)
		text = find(status, sct_sc);
	return text != NULL ? text : "unknown status";
}

const char *
nvme_text_opcode(uint8_t opc, uint8_t fctype, bool admin)
{
	const char *text;

	if (opc == NVME_OPC_FABRICS)
		text = find(fabrics_names, fctype);
	else
		text = find(admin ? admin_names : io_names, opc);
	return text != NULL ? text : "command";
}
