/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Any bytes as the payload of a compressed chunk, and any seal: what is accepted is of the length it should have, and
 * the same twice. The first byte says whether the input is a payload, or bytes to shrink, bend and expand again.
 */

#include "fuzz_world.h"

extern "C" {
#include "stages/compress/expand.h"
#include "stages/compress/shrink.h"
}

namespace
{

inflate_state *inflate;
shrink lz4;

/* Heap blocks of exactly their size. */
int
expand(uint8_t codec, const Bytes &src, uint32_t plain, Bytes *out)
{
	uint8_t *in = (uint8_t *)malloc(src.size()), *to = (uint8_t *)malloc(plain);

	memcpy(in, src.data(), src.size());
	memset(to, 0x5c, plain);
	int ret = compress_expand(codec, to, plain, in, (uint32_t)src.size(), inflate);

	FUZZ_CHECK(ret == 0 || ret == -EBADMSG);
	out->assign(to, to + plain);
	free(in);
	free(to);
	return ret;
}

void
any_payload(Input &in)
{
	strake_seal seal = {};

	seal.blocks = in.u8();
	seal.codec = in.u8() % 5;
	seal.plain = seal.blocks * 4096u + (in.bit() ? 0 : in.u8());
	Bytes src = in.bytes(40000), first, second;

	seal.stored = (uint32_t)src.size();
	if (!compress_seal_ok(&seal))
		return;
	FUZZ_CHECK(seal.plain <= COMPRESS_PLAIN_MAX && seal.plain >= 4096 && seal.stored <= seal.plain);
	if (seal.codec == STRAKE_CODEC_NONE)
		return;
	int ret = expand(seal.codec, src, seal.plain, &first);

	FUZZ_CHECK(ret == expand(seal.codec, src, seal.plain, &second));
	FUZZ_CHECK(ret != 0 || first == second);
}

void
bent_payload(Input &in)
{
	uint32_t plain = 4096u * (1 + in.u8() % 8), bends = in.u8() % 8;
	size_t place[8];
	uint8_t with[8];

	for (uint32_t i = 0; i < bends; i++) {
		place[i] = in.u16();
		with[i] = in.u8();
	}
	Bytes text = in.bytes(plain), small(plain), out;

	text.resize(plain);
	small.resize(shrink_lz4(&lz4, small.data(), plain - COMPRESS_GRANULE, text.data(), plain));
	if (small.empty())
		return;
	FUZZ_CHECK(expand(STRAKE_CODEC_LZ4, small, plain, &out) == 0 && out == text);
	for (uint32_t i = 0; i < bends; i++)
		small[place[i] % small.size()] ^= with[i];
	expand(STRAKE_CODEC_LZ4, small, plain, &out);
}

} // namespace

extern "C" int
LLVMFuzzerInitialize(int *, char ***argv)
{
	fuzz_eal((*argv)[0]);
	inflate = compress_inflate_alloc(0);
	FUZZ_CHECK(inflate != nullptr && shrink_init(&lz4, 1, 0) == 0);
	return 0;
}

extern "C" int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input in(data, size);

	if (in.bit())
		any_payload(in);
	else
		bent_payload(in);
	return 0;
}
