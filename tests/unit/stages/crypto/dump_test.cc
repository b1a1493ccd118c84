/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <cstring>
#include <fstream>
#include <sstream>
#include <vector>

#include <openssl/crypto.h>

#include "crypto_fixture.h"
#include "stages/crypto/key.h"
#include "stages/crypto/secret.h"
#include "stages/crypto/xts.h"

namespace
{

/* The key is never written down: the test's own memory must not hold it either. */
uint8_t
key_byte(unsigned int i)
{
	return (uint8_t)((i * 2654435761u) >> 13 ^ 0x5a);
}

struct Mapping {
	uintptr_t from, to;
	bool readable, writable, dumpable;
};

std::vector<Mapping>
mappings()
{
	std::ifstream in("/proc/self/smaps");
	std::vector<Mapping> all;
	std::string line;

	while (std::getline(in, line)) {
		unsigned long from, to;
		char perms[8];

		if (sscanf(line.c_str(), "%lx-%lx %4s ", &from, &to, perms) == 3)
			all.push_back({from, to, perms[0] == 'r', perms[1] == 'w', true});
		else if (line.rfind("VmFlags:", 0) == 0 && line.find(" dd") != std::string::npos)
			all.back().dumpable = false;
	}
	return all;
}

/* Halves of the key (which begin OpenSSL's schedules too) in a mapping. Reads what no program should, so the sanitizer
 * must look away; memchr() would be watched. */
__attribute__((no_sanitize("address"), noinline)) unsigned int
find_key(const Mapping &m)
{
	const volatile uint8_t *end = (const uint8_t *)m.to;
	const uint8_t first = key_byte(0), second = key_byte(32);
	unsigned int found = 0;

	for (const volatile uint8_t *p = (const uint8_t *)m.from; p + 32 <= end; p++) {
		unsigned int i = 0, half = *p == first ? 0 : 32;

		if (*p != first && *p != second)
			continue;
		while (i < 32 && p[i] == key_byte(half + i))
			i++;
		found += i == 32;
	}
	return found;
}

void
count(unsigned int *dumpable, unsigned int *hidden)
{
	*dumpable = *hidden = 0;
	for (auto &m : mappings()) {
		/* The sanitizers' shadows are terabytes, and hold no copies. */
		if (!m.readable || !m.writable || m.to - m.from > (2ULL << 30))
			continue;
		(m.dumpable ? *dumpable : *hidden) += find_key(m);
	}
}

} // namespace

TEST(CryptoDump, KeysLieOnlyInMemoryThatIsLeftOutOfCoreDumps)
{
	uint8_t bytes[CRYPTO_KEY_BYTES], *key = nullptr, block[512] = {};
	unsigned int dumpable, hidden;
	struct xts_stats stats = {};
	struct xts x;
	char err[200];

	for (unsigned int i = 0; i < sizeof(bytes); i++)
		bytes[i] = key_byte(i);
	TempFile file(bytes, sizeof(bytes));
	count(&dumpable, &hidden);
	EXPECT_EQ(2u, dumpable) << "the search finds what is there";
	OPENSSL_cleanse(bytes, sizeof(bytes));

	ASSERT_EQ(0, crypto_key_load(&key, file.path.c_str(), err, sizeof(err))) << err;
	ASSERT_EQ(0, xts_init(&x, key, &stats));
	ASSERT_EQ(0, xts_encrypt(&x, block, block, 512, 1));
	ASSERT_EQ(0, xts_decrypt(&x, block, block, 512, 1));
	count(&dumpable, &hidden);
	EXPECT_EQ(0u, dumpable) << "the key is in memory that a core dump shows";
	EXPECT_GE(hidden, 4u) << "the key itself, and the schedule of at least one context";

	xts_fini(&x);
	crypto_secret_free(key);
	count(&dumpable, &hidden);
	EXPECT_EQ(0u, dumpable);
	EXPECT_EQ(0u, hidden) << "the key outlived its use";
}
