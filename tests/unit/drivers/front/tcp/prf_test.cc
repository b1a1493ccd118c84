/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <gtest/gtest.h>

extern "C" {
#include "drivers/front/tcp/prf.h"
}

/* From the appendix of "SipHash: a fast short-input PRF" and its reference vectors: key 00..0f, message 00..07. */
TEST(TcpPrf, IsSipHash)
{
	tcp_secret key = {0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
	uint64_t w[1] = {0x0706050403020100ULL};

	EXPECT_EQ(0x93f5f5799a932462ULL, tcp_prf(&key, w, 1));
	EXPECT_EQ(0x726fdb47dd0e0e31ULL, tcp_prf(&key, w, 0));
}
