/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "csum.h"

namespace
{

/* RFC 1071, a word at a time. */
uint16_t
plain(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += i % 2 == 0 ? p[i] : p[i] << 8;
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

TEST(LoadCsum, AgreesWithTheRfcAtEveryLengthAndPlace)
{
	std::vector<uint8_t> b(9000 + 8);

	for (size_t i = 0; i < b.size(); i++)
		b[i] = (uint8_t)(i * 37 + (i >> 5));
	for (size_t at = 0; at < 4; at++)
		for (size_t n = 0; n < 300; n++)
			ASSERT_EQ(plain(&b[at], n), csum_of(&b[at], n)) << "from " << at << ", " << n << " bytes";
	ASSERT_EQ(plain(&b[1], 8999), csum_of(&b[1], 8999));
}

TEST(LoadCsum, CarriesAreNotLost)
{
	std::vector<uint8_t> b(65536, 0xff);

	EXPECT_EQ(0xffff, csum_of(b.data(), b.size()));
	EXPECT_EQ(0x00ff, csum_of(b.data(), 1));
	EXPECT_EQ(0, csum_of(b.data(), 0));
}

} // namespace
