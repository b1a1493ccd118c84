/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "seal_sink.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

extern "C" {
#include "strake_stage.h"
}

SealSink seal_sink;

void
SealSink::reset()
{
	for (strake_buf *b : kept)
		strake_buf_put(b);
	*this = SealSink();
}

static strake_buf *
reply(uint8_t *bytes, uint32_t len)
{
	static const strake_backing lent = {"seal_sink", nullptr, nullptr};

	if (seal_sink.form == SEAL_SINK_LENT)
		return strake_buf_wrap(bytes, len, &lent, nullptr, STRAKE_BUF_STABLE);
	strake_buf *b = strake_buf_page(len);

	if (b == nullptr)
		return nullptr;
	memcpy(b->addr, bytes, len);
	if (seal_sink.form == SEAL_SINK_SHARED)
		seal_sink.kept.push_back(strake_buf_slice(b, 0, len));
	return b;
}

static void
sink_read(strake_unit *u)
{
	auto found = seal_sink.at.find(u->lba);

	u->status = found == seal_sink.at.end() ? (int16_t)-ERANGE : seal_sink.status;
	if (u->status != 0)
		return;
	std::vector<uint8_t> &bytes = found->second.bytes;
	uint32_t piece = seal_sink.piece != 0 ? seal_sink.piece : STRAKE_BUF_PAGE_MAX;

	strake_chunk_of(u)->seal = found->second.seal;
	for (uint32_t off = 0; off < bytes.size() && u->status == 0; off += piece) {
		strake_buf *b = reply(&bytes[off], std::min(piece, (uint32_t)bytes.size() - off));

		if (b == nullptr)
			u->status = -ENOMEM;
		strake_unit_append(u, b);
	}
}

static void
sink_write(strake_unit *u)
{
	SealSink::Stored &s = seal_sink.at[u->lba];

	s.seal = strake_chunk_of(u)->seal;
	s.bytes.resize(strake_buf_list_len(u->bufs));
	u->status = (int16_t)strake_buf_copy_out(u->bufs, 0, s.bytes.data(), (uint32_t)s.bytes.size());
	seal_sink.writes++;
	if (s.bytes.size() != s.seal.stored)
		seal_sink.bad_lengths++;
}

static int
sink_create(strake_stage *st, const conf_values *conf, char *err, size_t errlen)
{
	return 0;
}

static void
sink_down(strake_stage *st, strake_unit **units, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		units[i]->verdict = STRAKE_DONE;
		if (units[i]->op == STRAKE_OP_WRITE)
			sink_write(units[i]);
		else if (units[i]->op == STRAKE_OP_READ)
			sink_read(units[i]);
	}
}

static strake_stage_ops
sink_ops()
{
	strake_stage_ops ops = {};

	ops.name = "seal_sink";
	ops.unit = STRAKE_UNIT_CHUNK;
	ops.create = sink_create;
	ops.down = sink_down;
	return ops;
}

static const strake_stage_ops ops = sink_ops();

namespace
{
struct Register {
	Register()
	{
		strake_stage_register(&ops);
	}
} registered;
} // namespace
