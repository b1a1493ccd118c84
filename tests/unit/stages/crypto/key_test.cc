/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <cerrno>
#include <cstring>
#include <vector>

#include "crypto_fixture.h"
#include "stages/crypto/key.h"
#include "stages/crypto/secret.h"

namespace
{

std::string
hex_key()
{
	std::string s;

	for (int i = 0; i < 64; i++) {
		char two[3];

		snprintf(two, sizeof(two), i % 2 != 0 ? "%02x" : "%02X", i * 3 + 1);
		s += two;
	}
	return s;
}

std::string
raw_key()
{
	std::string s;

	for (int i = 0; i < 64; i++)
		s += (char)(i * 3 + 1);
	return s;
}

int
load(const std::string &path, std::string *said, std::string *key = nullptr)
{
	char err[200] = "";
	uint8_t *out = nullptr;
	int ret = crypto_key_load(&out, path.c_str(), err, sizeof(err));

	*said = err;
	if (ret == 0 && key != nullptr)
		key->assign((const char *)out, CRYPTO_KEY_BYTES);
	if (ret == 0)
		crypto_secret_free(out);
	EXPECT_EQ(std::string::npos, said->find('\n'));
	return ret;
}

void
refused(const std::string &content, const char *what, int err = -EINVAL)
{
	TempFile f(content);
	std::string said;

	EXPECT_EQ(err, load(f.path, &said)) << what;
	EXPECT_EQ("key file " + f.path + ": " + what, said);
}

} // namespace

TEST(CryptoKey, TakesRawAndHexKeys)
{
	for (const std::string &text : {raw_key(), hex_key(), hex_key() + "\n"}) {
		TempFile f(text);
		std::string said, key;

		EXPECT_EQ(0, load(f.path, &said, &key)) << said;
		EXPECT_EQ(raw_key(), key);
	}
	TempFile f(raw_key(), 0400);
	std::string said;
	EXPECT_EQ(0, load(f.path, &said)) << said;
}

TEST(CryptoKey, RefusesWhatIsNoKey)
{
	const char *expected = "expected a key of 64 bytes, or of 128 hex digits";

	refused("", expected);
	refused(raw_key().substr(0, 63), expected);
	refused(raw_key() + "\n", expected);
	refused(raw_key().substr(0, 32), expected);
	refused(hex_key() + "0", expected);
	refused(hex_key() + "\n\n", expected);
	refused(hex_key() + "\r\n", expected);
	refused(hex_key().replace(127, 1, "g"), expected);
	refused(std::string(100000, 'x'), expected);
	refused(hex_key().substr(0, 64), "64 hex digits are half a key; expected 128 of them, or 64 bytes");
	refused(hex_key().substr(0, 64) + "\n", "64 hex digits are half a key; expected 128 of them, or 64 bytes");
}

TEST(CryptoKey, RefusesEqualHalves)
{
	refused(raw_key().substr(0, 32) + raw_key().substr(0, 32), "its two halves are equal, which makes no XTS key");
	refused(std::string(64, '\0'), "its two halves are equal, which makes no XTS key");
	refused(std::string(128, '0'), "its two halves are equal, which makes no XTS key");
}

TEST(CryptoKey, RefusesFilesThatOthersCanReachOrRun)
{
	for (mode_t mode : {0640, 0604, 0620, 0602, 0610, 0601, 0700, 0644, 0666, 04600, 02600, 01600}) {
		TempFile f(raw_key(), mode);
		char want[100];
		std::string said;

		EXPECT_EQ(-EACCES, load(f.path, &said)) << std::oct << mode;
		snprintf(want, sizeof(want), ": mode is %04o; only its owner may read it (chmod 600)",
			 (unsigned int)mode);
		EXPECT_EQ("key file " + f.path + want, said);
	}
}

TEST(CryptoKey, RefusesAnotherUsersFile)
{
	if (geteuid() != 0)
		GTEST_SKIP() << "only root can give files away";
	TempFile f(raw_key());
	std::string said;

	ASSERT_EQ(0, chown(f.path.c_str(), 65534, 65534));
	EXPECT_EQ(-EACCES, load(f.path, &said));
	EXPECT_EQ("key file " + f.path + ": belongs to user 65534, but this process is user 0", said);
}

TEST(CryptoKey, RefusesWhatIsNoFile)
{
	std::string said;

	EXPECT_EQ(-ENOENT, load("/nonexistent/key", &said));
	EXPECT_EQ("key file /nonexistent/key: No such file or directory", said);
	EXPECT_EQ(-EINVAL, load("/dev/zero", &said));
	EXPECT_EQ("key file /dev/zero: not a regular file", said);
	EXPECT_EQ(-EINVAL, load("/tmp", &said));
	TempFile f(raw_key());
	std::string fifo = f.path + ".fifo";
	ASSERT_EQ(0, mkfifo(fifo.c_str(), 0600));
	EXPECT_EQ(-EINVAL, load(fifo, &said)) << "and does not wait for a writer";
	unlink(fifo.c_str());
}

TEST(CryptoSecret, IsZeroedWhenFreedAndUsedAgain)
{
	uint8_t *p = (uint8_t *)crypto_secret_alloc(100);

	ASSERT_NE(nullptr, p);
	EXPECT_EQ(0u, (uintptr_t)p % 16);
	memset(p, 0xaa, 100);
	crypto_secret_free(p);
	for (int i = 0; i < 100; i++)
		ASSERT_EQ(0, p[i]);
	EXPECT_EQ(p, crypto_secret_alloc(128));
	crypto_secret_free(p);
	EXPECT_EQ(nullptr, crypto_secret_alloc(CRYPTO_SECRET_MAX + 1));
}

TEST(CryptoSecret, PiecesDoNotOverlap)
{
	std::vector<uint8_t *> all;

	for (unsigned int i = 0; i < 500; i++) {
		uint8_t *p = (uint8_t *)crypto_secret_alloc(1 + i * 16);

		ASSERT_NE(nullptr, p);
		memset(p, (int)i, 1 + i * 16);
		all.push_back(p);
	}
	for (unsigned int i = 0; i < 500; i++) {
		ASSERT_EQ((uint8_t)i, all[i][0]);
		ASSERT_EQ((uint8_t)i, all[i][i * 16]);
		crypto_secret_free(all[i]);
	}
}
