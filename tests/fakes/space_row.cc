/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* Rows of the fake space: their parity, what an attempt makes of them, reads and repairs. */

#include "space_pvt.h"

#include <cerrno>
#include <cstring>

#include <isa-l.h>
#include <rte_common.h>
#include <rte_debug.h>

#include "strake_buf.h"

/* --- parity --------------------------------------------------------------------------------------------------------
 */

std::vector<std::vector<uint8_t>>
FakeSpace::row_columns(const std::vector<uint8_t> &bytes) const
{
	std::vector<std::vector<uint8_t>> cols(width(), std::vector<uint8_t>(sp.unit));
	std::vector<uint8_t *> p;

	for (uint32_t c = 0; c < sp.data; c++)
		memcpy(cols[c].data(), &bytes[(size_t)c * sp.unit], sp.unit);
	for (auto &c : cols)
		p.push_back(c.data());
	if (sp.parity > 0)
		ec_encode_data((int)sp.unit, sp.data, sp.parity, (unsigned char *)tables.data(), p.data(),
			       p.data() + sp.data);
	return cols;
}

/* The data of a row. */
static std::vector<uint8_t>
joined(const std::vector<std::vector<uint8_t>> &cols)
{
	std::vector<uint8_t> bytes;

	for (auto &c : cols)
		bytes.insert(bytes.end(), c.begin(), c.end());
	return bytes;
}

/* The columns that an attempt leaves out: singles, pairs, triples; the numbers are strake_space_attempt()'s. */
bool
FakeSpace::left_out(uint32_t attempt, uint32_t *mask) const
{
	*mask = 0;
	if (attempt == 0)
		return true;
	for (uint32_t n = 1; n <= sp.parity; n++) {
		for (uint32_t m = 1; m < 1u << width(); m++) {
			if ((uint32_t)__builtin_popcount(m) != n)
				continue;
			if (--attempt == 0) {
				*mask = m;
				return true;
			}
		}
	}
	return false;
}

bool
FakeSpace::rebuild(uint32_t out_mask, std::vector<std::vector<uint8_t>> &cols) const
{
	uint32_t k = sp.data, n_out = (uint32_t)__builtin_popcount(out_mask);
	std::vector<uint8_t> some(k * k), inverse(k * k), rows, table;
	std::vector<uint8_t *> in, outp;

	if (out_mask == 0)
		return true;
	if (n_out > sp.parity)
		return false;
	for (uint32_t c = 0; c < width() && in.size() < k; c++) {
		if (out_mask >> c & 1)
			continue;
		memcpy(&some[in.size() * k], &encode[(size_t)c * k], k);
		in.push_back(cols[c].data());
	}
	RTE_VERIFY(gf_invert_matrix(some.data(), inverse.data(), (int)k) == 0);
	for (uint32_t c = 0; c < width(); c++) {
		if (!(out_mask >> c & 1))
			continue;
		for (uint32_t j = 0; j < k; j++) {
			uint8_t s = 0;

			for (uint32_t i = 0; i < k; i++)
				s ^= gf_mul(encode[(size_t)c * k + i], inverse[(size_t)i * k + j]);
			rows.push_back(s);
		}
		outp.push_back(cols[c].data());
	}
	table.resize((size_t)k * n_out * 32);
	ec_init_tables((int)k, (int)n_out, rows.data(), table.data());
	ec_encode_data((int)sp.unit, (int)k, (int)n_out, table.data(), in.data(), outp.data());
	return true;
}

bool
FakeSpace::row_read(uint32_t seg, uint32_t row, uint32_t mask, std::vector<std::vector<uint8_t>> &out) const
{
	out.assign(width(), std::vector<uint8_t>(sp.unit));
	mask |= gone;
	for (uint32_t c = 0; c < width(); c++) {
		if (lost.count({(uint64_t)seg * sp.rows + row, c}))
			mask |= 1u << c;
		out[c] = bytes_of(columns[c], place(seg, row), sp.unit);
	}
	return rebuild(mask, out);
}

bool
FakeSpace::is_lost(const strake_space_io *io, uint32_t column)
{
	bool yes = loses && loses(io, column);

	fig.lost += yes;
	return yes;
}

/* --- reads and repairs ---------------------------------------------------------------------------------------------
 */

/* A list of exactly these bytes, that begins as far into its page as the window into its block. */
int
FakeSpace::give(strake_space_io *io, const std::vector<uint8_t> &bytes)
{
	uint32_t skew = (uint32_t)(io->off % sp.block), off = 0;
	strake_buf **tail = &io->bufs;

	io->bufs = nullptr;
	while (off < bytes.size()) {
		uint32_t n = RTE_MIN((uint32_t)bytes.size() - off, STRAKE_BUF_PAGE_MAX - skew);
		strake_buf *b = strake_buf_page(n + skew);

		if (b != nullptr && skew > 0) {
			strake_buf *page = b;

			b = strake_buf_slice(page, skew, n);
			strake_buf_put(page);
		}
		if (b == nullptr) {
			strake_buf_put_list(io->bufs);
			io->bufs = nullptr;
			return -ENOMEM;
		}
		memcpy(b->addr, &bytes[off], n);
		*tail = b;
		tail = &b->next;
		off += n;
		skew = 0;
	}
	return 0;
}

int
FakeSpace::perform_read(strake_space_io *io)
{
	std::vector<uint8_t> bytes;
	uint32_t mask;

	if (!left_out(io->attempt, &mask))
		return -ERANGE;
	for (uint64_t row = io->off / sp.row_bytes; row * sp.row_bytes < io->off + io->len; row++) {
		std::vector<std::vector<uint8_t>> cols;
		uint64_t base = row * sp.row_bytes;

		if (!row_read(io->seg, (uint32_t)row, mask, cols))
			return -EIO;
		for (uint32_t c = 0; c < sp.data; c++, base += sp.unit) {
			uint64_t lo = RTE_MAX(io->off, base), hi = RTE_MIN(io->off + io->len, base + sp.unit);

			if (lo < hi)
				bytes.insert(bytes.end(), cols[c].begin() + (long)(lo - base),
					     cols[c].begin() + (long)(hi - base));
		}
	}
	return give(io, bytes);
}

/* The bytes of the row's units that a repair vouches for on account of that column: the part of the window in it, if
 * that is left out. @return false: none. */
bool
FakeSpace::stretch(const strake_space_io *io, uint32_t mask, uint64_t row, uint32_t column, uint32_t *lo,
		   uint32_t *hi) const
{
	uint64_t base = row * sp.row_bytes + (uint64_t)column * sp.unit;
	uint64_t from = RTE_MAX(io->off, base), to = RTE_MIN(io->off + io->len, base + sp.unit);

	if (from >= to || !(mask >> column & 1))
		return false;
	*lo = (uint32_t)(from - base);
	*hi = (uint32_t)(to - base);
	return true;
}

/* What a row should be, and of which bytes of its units that is known: of all, if its data was given. */
int
FakeSpace::repaired(const strake_space_io *io, uint32_t mask, uint64_t row, std::vector<std::vector<uint8_t>> &cols,
		    std::vector<uint8_t> &vouched) const
{
	const auto given = payload_of(io->bufs, io->len);
	uint64_t base = row * sp.row_bytes;
	uint32_t lo, hi;

	if (mask == 0) {
		auto from = given.begin() + (long)(base - io->off);

		cols = row_columns(std::vector<uint8_t>(from, from + sp.row_bytes));
		vouched.assign(sp.unit, 1);
		return 0;
	}
	if (!row_read(io->seg, (uint32_t)row, mask, cols))
		return -EIO;
	cols = row_columns(joined(cols));
	vouched.assign(sp.unit, 0);
	for (uint32_t c = 0; c < sp.data; c++) {
		if (!stretch(io, mask, row, c, &lo, &hi))
			continue;
		std::fill(vouched.begin() + lo, vouched.begin() + hi, 1);
		if (memcmp(&cols[c][lo], &given[base + (uint64_t)c * sp.unit + lo - io->off], hi - lo) != 0)
			return -EBADMSG;
	}
	return 0;
}

int
FakeSpace::perform_repair(strake_space_io *io)
{
	uint32_t mask;

	if (!left_out(io->attempt, &mask) ||
	    (mask == 0 && (io->off % sp.row_bytes != 0 || io->len % sp.row_bytes != 0)))
		return -ERANGE;
	for (uint64_t row = io->off / sp.row_bytes; row * sp.row_bytes < io->off + io->len; row++) {
		uint64_t at = place(io->seg, (uint32_t)row);
		std::vector<std::vector<uint8_t>> cols;
		std::vector<uint8_t> vouched;
		int ret = repaired(io, mask, row, cols, vouched);

		if (ret < 0)
			return ret;
		for (uint32_t c = 0; c < width(); c++) {
			std::vector<uint8_t> was = bytes_of(columns[c], at, sp.unit);
			bool bad = lost.erase({at / sp.unit, c}) > 0;

			for (uint32_t i = 0; i < sp.unit && !bad; i++)
				cols[c][i] = vouched[i] ? cols[c][i] : was[i];
			if (gone >> c & 1 || (!bad && was == cols[c]))
				continue;
			if (!is_lost(io, c))
				medium_write(&columns[c], at, cols[c], false);
			fig.repaired++;
		}
	}
	return 0;
}
