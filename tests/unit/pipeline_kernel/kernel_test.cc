/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "strake_kernel.h"

namespace
{

/* Every set this processor can run is held against definitions written down plainly here. */
class Kernel : public testing::TestWithParam<const strake_kernels *>
{
      protected:
	const strake_kernels *k = GetParam();
	std::mt19937_64 rng{42};

	std::vector<uint8_t>
	noise(size_t len)
	{
		std::vector<uint8_t> v(len);

		for (auto &b : v)
			b = (uint8_t)rng();
		return v;
	}
};

uint16_t
rfc1071(const uint8_t *p, size_t len)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += (uint64_t)p[i] << (i & 1 ? 8 : 0);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

uint32_t
crc32c_bits(const uint8_t *p, size_t len)
{
	uint32_t crc = ~0u;

	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (int b = 0; b < 8; b++)
			crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return ~crc;
}

/* In one's complement 0x0000 and 0xffff are the same number; RFC 1071 sums of anything but zeroes never show +0. */
void
expect_same_sum(uint16_t want, uint16_t got, size_t len, size_t off)
{
	if ((want == 0 || want == 0xffff) && (got == 0 || got == 0xffff))
		return;
	EXPECT_EQ(want, got) << "len " << len << " off " << off;
}

TEST_P(Kernel, SumsAnyLengthAtAnyAlignment)
{
	std::vector<uint8_t> mem = noise(8192);

	for (size_t len = 0; len < 600; len++) {
		size_t off = rng() % 65;

		expect_same_sum(rfc1071(&mem[off], len), strake_cksum_fold(k->cksum(&mem[off], len, 0)), len, off);
	}
	for (int i = 0; i < 500; i++) {
		size_t off = rng() % 65, len = rng() % 8000;

		expect_same_sum(rfc1071(&mem[off], len), strake_cksum_fold(k->cksum(&mem[off], len, 0)), len, off);
	}
}

TEST_P(Kernel, SumOfZeroesIsZeroAndOfNothingIsTheStart)
{
	std::vector<uint8_t> mem(4096);

	EXPECT_EQ(0xffff, strake_cksum_fold(k->cksum(mem.data(), mem.size(), 0)));
	EXPECT_EQ(0x1234u, k->cksum(mem.data(), 0, 0x1234));
}

TEST_P(Kernel, LargestBytesDoNotOverflow)
{
	std::vector<uint8_t> mem(1 << 20, 0xff);

	EXPECT_EQ(0, strake_cksum_fold(k->cksum(mem.data(), mem.size(), 0)));
	EXPECT_EQ(0, strake_cksum_fold(k->cksum(mem.data(), mem.size(), UINT64_MAX)));
}

TEST_P(Kernel, SumContinuesFromASumOfAnySize)
{
	std::vector<uint8_t> mem = noise(3000);

	for (int i = 0; i < 200; i++) {
		size_t cut = (rng() % 1500) * 2;
		/* Multiples of 0xffff are nothing in one's complement: they only drive the sum towards overflow. */
		uint64_t start = UINT64_MAX - UINT64_MAX % 0xffff;
		uint64_t sum = k->cksum(&mem[cut], 3000 - cut, k->cksum(mem.data(), cut, start));

		expect_same_sum(rfc1071(mem.data(), 3000), strake_cksum_fold(sum), 3000, cut);
	}
}

TEST_P(Kernel, CopyingSumCopiesExactlyAndSumsTheSame)
{
	for (int i = 0; i < 600; i++) {
		size_t len = 256 * (rng() % 40), so = rng() % 65, d = 64 * (1 + rng() % 3);
		std::vector<uint8_t> src = noise(len + 65), room(len + 512, 0xa5);
		uint8_t *dst = room.data() + (-(uintptr_t)room.data() & 63);
		std::vector<uint8_t> want(dst, dst + len + 256);

		memcpy(&want[d], &src[so], len);
		uint64_t sum = k->cksum_copy_nt(&dst[d], &src[so], len, 7);
		EXPECT_EQ(want, std::vector<uint8_t>(dst, dst + len + 256)) << "len " << len << " from " << so;
		expect_same_sum(strake_cksum_fold(k->cksum(&src[so], len, 7)), strake_cksum_fold(sum), len, so);
	}
}

TEST_P(Kernel, NonTemporalCopyWritesExactlyItsBytes)
{
	for (int i = 0; i < 900; i++) {
		size_t len = i < 400 ? (size_t)i : rng() % 9000, so = rng() % 65, d = 64 + rng() % 65;
		std::vector<uint8_t> src = noise(len + 65), dst(len + 256, 0xa5), want = dst;

		memcpy(&want[d], &src[so], len);
		k->copy_nt(&dst[d], &src[so], len);
		EXPECT_EQ(want, dst) << "len " << len << " from " << so << " to " << d;
	}
}

/* RFC 3720, B.4. */
TEST_P(Kernel, Crc32cGivesTheValuesOfTheRfc)
{
	std::vector<uint8_t> zeroes(32), ones(32, 0xff), up(32);

	for (int i = 0; i < 32; i++)
		up[i] = (uint8_t)i;
	EXPECT_EQ(0x8a9136aau, k->crc32c(0, zeroes.data(), 32));
	EXPECT_EQ(0x62a8ab43u, k->crc32c(0, ones.data(), 32));
	EXPECT_EQ(0x46dd794eu, k->crc32c(0, up.data(), 32));
	EXPECT_EQ(0xe3069283u, k->crc32c(0, "123456789", 9));
	EXPECT_EQ(0u, k->crc32c(0, nullptr, 0));
}

TEST_P(Kernel, Crc32cContinuesOverPieces)
{
	std::vector<uint8_t> mem = noise(5000);

	for (int i = 0; i < 200; i++) {
		size_t len = rng() % 5000, cut = len ? rng() % len : 0;

		ASSERT_EQ(crc32c_bits(mem.data(), len), k->crc32c(k->crc32c(0, mem.data(), cut), &mem[cut], len - cut));
	}
}

TEST_P(Kernel, ZeroTestSeesEverySingleBit)
{
	std::vector<uint8_t> mem(4096 + 64);

	for (int i = 0; i < 400; i++) {
		size_t off = rng() % 64, len = 1 + rng() % 4096, at = off + rng() % len;

		EXPECT_TRUE(k->is_zero(&mem[off], len));
		mem[at] = (uint8_t)(1 << rng() % 8);
		EXPECT_FALSE(k->is_zero(&mem[off], len)) << "len " << len << " at " << at - off;
		mem[at] = 0;
	}
	/* What lies outside does not count. */
	mem[9] = mem[90] = 1;
	EXPECT_TRUE(k->is_zero(&mem[10], 80));
	EXPECT_TRUE(k->is_zero(&mem[10], 0));
}

std::vector<const strake_kernels *>
sets()
{
	std::vector<const strake_kernels *> v;

	for (unsigned int i = 0; strake_kernel_nth(i) != nullptr; i++)
		v.push_back(strake_kernel_nth(i));
	return v;
}

INSTANTIATE_TEST_SUITE_P(Sets, Kernel, testing::ValuesIn(sets()),
			 [](const auto &info) { return std::string(info.param->isa); });

/* Chosen before constructors of ordinary priority: this one is of that kind. */
const char *isa_at_start;
__attribute__((constructor)) void
look_early()
{
	isa_at_start = strake_kernel->isa;
}

TEST(KernelChoice, IsTheBestAndMadeBeforeOtherConstructors)
{
	EXPECT_STREQ("generic", strake_kernel_nth(0)->isa);
	EXPECT_EQ(sets().back(), strake_kernel);
	EXPECT_STREQ(strake_kernel->isa, isa_at_start);
}

/* Do the upper halves of the sixteen vector registers hold anything? */
__attribute__((noinline)) bool
upper_halves_in_use()
{
	uint64_t at[16][4];
	bool any = false;

	__asm__ volatile("vmovdqu %%ymm0, 0(%0)\n vmovdqu %%ymm1, 32(%0)\n"
			 "vmovdqu %%ymm2, 64(%0)\n vmovdqu %%ymm3, 96(%0)\n"
			 "vmovdqu %%ymm4, 128(%0)\n vmovdqu %%ymm5, 160(%0)\n"
			 "vmovdqu %%ymm6, 192(%0)\n vmovdqu %%ymm7, 224(%0)\n"
			 "vmovdqu %%ymm8, 256(%0)\n vmovdqu %%ymm9, 288(%0)\n"
			 "vmovdqu %%ymm10, 320(%0)\n vmovdqu %%ymm11, 352(%0)\n"
			 "vmovdqu %%ymm12, 384(%0)\n vmovdqu %%ymm13, 416(%0)\n"
			 "vmovdqu %%ymm14, 448(%0)\n vmovdqu %%ymm15, 480(%0)\n"
			 :
			 : "r"(at)
			 : "memory");
	for (auto &r : at)
		any |= (r[2] | r[3]) != 0;
	return any;
}

/* Else each SSE instruction after it waits for them, and LZ4 takes longer. */
TEST_P(Kernel, LeavesNoUpperHalvesOfRegistersInUse)
{
	std::vector<uint8_t> v = noise(4096);

	if (strcmp(k->isa, "generic") == 0)
		GTEST_SKIP() << "for processors that have none";
	k->crc32c(0, v.data(), v.size());
	EXPECT_FALSE(upper_halves_in_use()) << "crc32c";
	k->is_zero(v.data(), v.size());
	EXPECT_FALSE(upper_halves_in_use()) << "is_zero";
	__asm__ volatile("vpcmpeqd %%ymm1, %%ymm1, %%ymm1" ::: "xmm1");
	k->end_vectors();
	EXPECT_FALSE(upper_halves_in_use()) << "end_vectors";
}

} // namespace
