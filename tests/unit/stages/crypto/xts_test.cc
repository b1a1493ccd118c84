/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <cstring>
#include <random>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "stages/crypto/key.h"
#include "stages/crypto/secret.h"
#include "stages/crypto/xts.h"
extern "C" {
#include "strake_kernel.h"
}

namespace
{

std::vector<uint8_t>
unhex(const char *text)
{
	std::vector<uint8_t> out;

	for (; text[0] != '\0'; text += 2)
		out.push_back((uint8_t)std::stoul(std::string(text, 2), nullptr, 16));
	return out;
}

/* IEEE 1619-2007, annex B, vectors 10 to 14: XTS-AES-256, 512-byte data units. */
const char key_hex[] = "2718281828459045235360287471352662497757247093699959574966967627"
		       "3141592653589793238462643383279502884197169399375105820974944592";

void
aes_ecb(const uint8_t *key, const uint8_t *in, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int len;

	EVP_EncryptInit_ex(ctx, EVP_aes_256_ecb(), nullptr, key, nullptr);
	EVP_CIPHER_CTX_set_padding(ctx, 0);
	EVP_EncryptUpdate(ctx, out, &len, in, 16);
	EVP_CIPHER_CTX_free(ctx);
}

/* XTS from its definition (IEEE 1619, 5.3), on AES in ECB mode. */
std::vector<uint8_t>
by_definition(const std::vector<uint8_t> &key, const std::vector<uint8_t> &plain, uint64_t lba)
{
	std::vector<uint8_t> out(plain.size());
	uint8_t t[16] = {};

	for (int i = 0; i < 8; i++)
		t[i] = (uint8_t)(lba >> (8 * i));
	aes_ecb(&key[32], t, t);
	for (size_t at = 0; at < plain.size(); at += 16) {
		uint8_t x[16];
		int carry = 0;

		for (int i = 0; i < 16; i++)
			x[i] = plain[at + i] ^ t[i];
		aes_ecb(&key[0], x, x);
		for (int i = 0; i < 16; i++)
			out[at + i] = x[i] ^ t[i];
		for (int i = 0; i < 16; i++) {
			int next = t[i] >> 7;

			t[i] = (uint8_t)(t[i] << 1 | carry);
			carry = next;
		}
		if (carry != 0)
			t[0] ^= 0x87;
	}
	return out;
}

class Xts : public testing::Test
{
      protected:
	void
	SetUp() override
	{
		key = unhex(key_hex);
		ASSERT_EQ(0, xts_init(&x, key.data(), &stats));
	}
	void
	TearDown() override
	{
		xts_fini(&x);
		EXPECT_EQ(0u, stats.errors);
	}
	std::vector<uint8_t>
	encrypt(const std::vector<uint8_t> &plain, uint64_t lba)
	{
		std::vector<uint8_t> out(plain.size());

		EXPECT_EQ(0, xts_encrypt(&x, out.data(), plain.data(), (uint32_t)plain.size(), lba));
		return out;
	}

	std::vector<uint8_t> key;
	struct xts x;
	struct xts_stats stats = {};
};

} // namespace

TEST_F(Xts, GivesTheVectorsOfIeee1619)
{
	struct {
		uint64_t lba;
		const char *begin;
	} vectors[] = {
		{0xff, "1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b"
		       "5d31e276f8fe4a8d66b317f9ac683f44680a86ac35adfc3345befecb4bb188fd"},
		{0xffff, "77a31251618a15e6b92d1d66dffe7b50b50bad552305ba0217a610688eff7e11"},
		{0xffffff, "e387aaa58ba483afa7e8eb469778317ecf4cf573aa9d4eac23f2cdf914e4e200"},
		{0xffffffff, "bf53d2dade78e822a4d949a9bc6766b01b06a8ef70d26748c6a7fc36d80ae4c5"},
		{0xffffffffff, "64497e5a831e4a932c09be3e5393376daa599548b816031d224bbf50a818ed23"},
	};
	std::vector<uint8_t> plain(512);

	for (size_t i = 0; i < plain.size(); i++)
		plain[i] = (uint8_t)i;
	for (auto &v : vectors) {
		std::vector<uint8_t> want = unhex(v.begin), got = encrypt(plain, v.lba), back(512);

		EXPECT_EQ(0, memcmp(want.data(), got.data(), want.size())) << std::hex << v.lba;
		EXPECT_EQ(0, xts_decrypt(&x, back.data(), got.data(), 512, v.lba));
		EXPECT_EQ(plain, back);
	}
}

TEST_F(Xts, AgreesWithTheDefinitionForBlocksOfBothSizes)
{
	std::mt19937_64 rng(1);

	for (uint64_t lba : {0ULL, 1ULL, 255ULL, 256ULL, 0x123456789abcULL, ~0ULL})
		for (size_t len : {512u, 4096u}) {
			std::vector<uint8_t> plain(len);

			for (auto &b : plain)
				b = (uint8_t)rng();
			EXPECT_EQ(by_definition(key, plain, lba), encrypt(plain, lba)) << lba << " " << len;
		}
}

TEST_F(Xts, OpensslAndWideRegistersAgree)
{
	if (x.wide == nullptr)
		GTEST_SKIP() << "needs VAES and AVX-512";
	struct xts plain_c = x; /* the same contexts, without the registers */
	std::mt19937_64 rng(2);

	plain_c.wide = nullptr;
	for (unsigned i = 0; i < 300; i++) {
		/* Of these only multiples of 512 go through the registers. */
		size_t len = i % 3 == 0 ? 512 * (1 + rng() % 16) : i % 3 == 1 ? 4096 : 16 * (1 + rng() % 300);
		uint64_t lba = i < 64 ? 1ull << i : rng();
		std::vector<uint8_t> plain(len + 3), a(len + 3), b(len + 3), c(len + 3), next(len);

		for (auto &v : plain)
			v = (uint8_t)rng();
		x.ahead = i % 2 == 0 ? next.data() : nullptr;
		ASSERT_EQ(0, xts_encrypt(&x, a.data() + 1, plain.data() + 2, (uint32_t)len, lba));
		ASSERT_EQ(0, xts_encrypt(&plain_c, b.data() + 1, plain.data() + 2, (uint32_t)len, lba));
		ASSERT_EQ(b, a) << "length " << len << " lba " << lba;
		ASSERT_EQ(0, xts_decrypt(&x, c.data() + 2, a.data() + 1, (uint32_t)len, lba));
		ASSERT_EQ(0, memcmp(c.data() + 2, plain.data() + 2, len)) << "length " << len << " lba " << lba;
	}
}

TEST_F(Xts, WorksInPlace)
{
	std::vector<uint8_t> plain(4096, 7), buf = plain;

	ASSERT_EQ(0, xts_encrypt(&x, buf.data(), buf.data(), 4096, 5));
	EXPECT_EQ(encrypt(plain, 5), buf);
	ASSERT_EQ(0, xts_decrypt(&x, buf.data(), buf.data(), 4096, 5));
	EXPECT_EQ(plain, buf);
}

TEST_F(Xts, ZeroesAreAHoleOnlyIfAllAre)
{
	std::vector<uint8_t> stored(4096), out(4096, 9);

	ASSERT_EQ(0, xts_decrypt(&x, out.data(), stored.data(), 4096, 3));
	EXPECT_EQ(stored, out);
	EXPECT_EQ(4096u, stats.holes);
	EXPECT_EQ(0u, stats.decrypted);
	/* Sixteen bytes of zeroes alone are ciphertext like any other. */
	stored[4095] = 1;
	ASSERT_EQ(0, xts_decrypt(&x, out.data(), stored.data(), 4096, 3));
	EXPECT_EQ(4096u, stats.decrypted);
	EXPECT_EQ(stored, encrypt(out, 3));
	/* And plain zeroes are not stored as a hole. */
	EXPECT_FALSE(strake_kernel->is_zero(encrypt(std::vector<uint8_t>(4096), 3).data(), 4096));
}

TEST_F(Xts, TwoContextsOfOneKeyAgree)
{
	struct xts other;
	struct xts_stats s = {};
	std::vector<uint8_t> plain(512, 1), out(512);

	ASSERT_EQ(0, xts_init(&other, key.data(), &s));
	EXPECT_EQ(0, xts_decrypt(&other, out.data(), encrypt(plain, 9).data(), 512, 9));
	EXPECT_EQ(plain, out);
	xts_fini(&other);
}
