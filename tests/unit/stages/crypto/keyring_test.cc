/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <set>
#include <string>

#include <memory>

#include <gtest/gtest.h>

#include "fake_notes.h"

extern "C" {
#include "stages/crypto/keyring.h"
#include "stages/crypto/keytable_format.h"
#include "stages/crypto/secret.h"
}

namespace
{

uint8_t next_byte = 1;

int
counting(void *to, size_t len)
{
	memset(to, next_byte++, len);
	return 0;
}

class Keyring : public testing::Test
{
      protected:
	Keyring() : kek((uint8_t *)crypto_secret_alloc(32)), out((uint8_t *)crypto_secret_alloc(32))
	{
		memset(kek, 0x77, 32);
	}
	~Keyring() override
	{
		keyring_close(kr);
		crypto_secret_free(kek);
		crypto_secret_free(out);
	}
	int
	open()
	{
		gcm_notes ops = notes.ops();

		keyring_close(kr);
		kr = nullptr;
		return keyring_open(&kr, kek, &ops, counting, err, sizeof(err));
	}
	std::string
	key(uint32_t domain, uint16_t epoch, uint16_t opening)
	{
		return keyring_subkey(kr, domain, epoch, opening, out) == 0 ? std::string((char *)out, 32) : "";
	}

	FakeNotes notes;
	uint8_t *kek, *out;
	keyring *kr = nullptr;
	char err[200] = "";
};

} // namespace

TEST_F(Keyring, KeysSurviveReopeningAndEachOpeningHasItsOwn)
{
	std::set<std::string> all;

	ASSERT_EQ(0, open());
	EXPECT_EQ(1, keyring_opening(kr));
	EXPECT_EQ(0, keyring_epoch(kr, 5));
	EXPECT_EQ("", key(5, 1, 1));
	ASSERT_EQ(0, keyring_add(kr, 5));
	ASSERT_EQ(0, keyring_add(kr, 6));
	ASSERT_EQ(0, keyring_add(kr, 5)) << "again is nothing new";
	EXPECT_EQ(1, keyring_epoch(kr, 5));
	std::string first = key(5, 1, 1);
	all = {first, key(6, 1, 1)};
	ASSERT_EQ(2, keyring_rotate(kr, 5));
	all.insert(key(5, 2, 1));
	ASSERT_EQ(0, open());
	EXPECT_EQ(2, keyring_opening(kr));
	EXPECT_EQ(2, keyring_epoch(kr, 5));
	EXPECT_EQ(first, key(5, 1, 1));
	for (uint16_t epoch : {1, 2})
		all.insert(key(5, epoch, 2));
	all.insert(key(6, 1, 2));
	EXPECT_EQ(6u, all.size()) << "all different";
	EXPECT_EQ(0u, all.count(""));
	EXPECT_EQ(-ENOKEY, keyring_rotate(kr, 9));
}

TEST_F(Keyring, TellsWhichKeysAreOld)
{
	gcm_domain d[4] = {};

	ASSERT_EQ(0, open());
	EXPECT_EQ(0u, keyring_domains(kr, d, 4));
	for (uint32_t domain : {UINT32_MAX, 0u, 7u})
		ASSERT_EQ(0, keyring_add(kr, domain));
	ASSERT_EQ(2, keyring_rotate(kr, 7));
	ASSERT_EQ(3, keyring_rotate(kr, 7));
	ASSERT_EQ(2, keyring_rotate(kr, 0));
	ASSERT_EQ(0, keyring_erase(kr, 0));
	EXPECT_EQ(3u, keyring_domains(kr, nullptr, 0));
	ASSERT_EQ(3u, keyring_domains(kr, d, 4));
	EXPECT_EQ(0u, d[0].domain);
	EXPECT_EQ(0, d[0].epoch) << "erased";
	EXPECT_EQ(0, d[0].old_keys);
	EXPECT_EQ(7u, d[1].domain);
	EXPECT_EQ(3, d[1].epoch);
	EXPECT_EQ(1, d[1].oldest);
	EXPECT_EQ(2, d[1].old_keys);
	EXPECT_EQ(UINT32_MAX, d[2].domain);
	EXPECT_EQ(1, d[2].epoch);
	EXPECT_EQ(0, d[2].old_keys);
	EXPECT_EQ(1, keyring_oldest(kr, 7, 2));
	ASSERT_EQ(3u, keyring_domains(kr, d, 4));
	EXPECT_EQ(2, d[1].oldest);
	EXPECT_EQ(1, d[1].old_keys);
	/* What is written in a domain that was erased has a key of its own, and no older one is there. */
	ASSERT_EQ(0, keyring_add(kr, 0));
	ASSERT_EQ(3u, keyring_domains(kr, d, 4));
	EXPECT_EQ(3, d[0].epoch);
	EXPECT_EQ(0, d[0].old_keys);
}

TEST_F(Keyring, TheWrongKeyWritesNothing)
{
	ASSERT_EQ(0, open());
	ASSERT_EQ(0, keyring_add(kr, 5));
	std::string right = key(5, 1, 1);
	unsigned int writes = notes.writes;
	kek[31] ^= 1;
	EXPECT_EQ(-EACCES, open());
	EXPECT_STREQ("this is not the key that the group's keys are wrapped with; nothing was written", err);
	EXPECT_EQ(writes, notes.writes);
	kek[31] ^= 1;
	ASSERT_EQ(0, open());
	EXPECT_EQ(right, key(5, 1, 1));
}

/* One writing decides which of the two keys opens the table; whenever power goes, one of them does. */
TEST_F(Keyring, AllKeysAreWrappedAnewInOneStep)
{
	std::unique_ptr<uint8_t, void (*)(void *)> other((uint8_t *)crypto_secret_alloc(32), crypto_secret_free);
	auto opens = [&](uint8_t with) {
		memset(kek, with, 32);
		return open();
	};

	memset(other.get(), 0x99, 32);
	ASSERT_EQ(0, open());
	for (uint32_t d : {5, 6, 7})
		ASSERT_EQ(0, keyring_add(kr, d));
	ASSERT_EQ(2, keyring_rotate(kr, 5));
	ASSERT_EQ(0, keyring_erase(kr, 7));
	std::string was[] = {key(5, 1, 1), key(5, 2, 1), key(6, 1, 1)};
	std::vector<uint8_t> before = notes.copy[notes.newest];

	notes.fail_write = -EIO;
	EXPECT_EQ(-EIO, keyring_rewrap(kr, other.get()));
	EXPECT_EQ(was[0], key(5, 1, 1)) << "the key before counts";
	notes.fail_write = 0;
	FakeNotes old = notes, half;
	notes.meanwhile = [&] {
		EXPECT_EQ(was[1], key(5, 2, 1)) << "lcores ask meanwhile";
		EXPECT_EQ(-EBUSY, keyring_rotate(kr, 5));
		/* The second copy: the first is there by now. */
		notes.meanwhile = [&] {
			half = notes;
			EXPECT_EQ(was[1], key(5, 2, 1));
		};
	};
	ASSERT_EQ(0, keyring_rewrap(kr, other.get()));
	EXPECT_EQ(0, memcmp(kek, other.get(), 32)) << "the stage's";
	EXPECT_EQ(was[0], key(5, 1, 1));
	for (std::vector<uint8_t> &c : notes.copy)
		for (int k = 0; k < 4; k++) {
			auto wrapped = before.begin() + 128 + 64 * k + 8;

			EXPECT_TRUE(std::search(c.begin(), c.end(), wrapped, wrapped + 40) == c.end() ||
				    before[128 + 64 * k] == 7)
				<< "key " << k << " as the key before had wrapped it";
		}
	EXPECT_EQ(-EALREADY, keyring_rewrap(kr, other.get()));
	FakeNotes done = notes;
	for (const FakeNotes &n : {old, half, done}) {
		notes = n;
		unsigned int writes = notes.writes;
		int by_old = opens(0x77);
		EXPECT_EQ(by_old == 0 ? writes + 1 : writes, notes.writes);
		notes = n;
		int by_new = opens(0x99);
		EXPECT_TRUE((by_old == 0 && by_new == -EACCES) || (by_old == -EACCES && by_new == 0))
			<< by_old << " and " << by_new;
		EXPECT_EQ(0, by_new == 0 ? 0 : opens(0x77));
		EXPECT_EQ(was[0], key(5, 1, 1));
		EXPECT_EQ(was[1], key(5, 2, 1));
		EXPECT_EQ(was[2], key(6, 1, 1));
		EXPECT_EQ(0, keyring_epoch(kr, 7)) << "what was erased stays so";
	}
	notes = done;
	ASSERT_EQ(0, opens(0x99));
	EXPECT_EQ(2, keyring_epoch(kr, 5));
	EXPECT_EQ(3, keyring_rotate(kr, 5));
}

/* A table in which one entry is damaged is not made worse. */
TEST_F(Keyring, WhatDoesNotUnwrapIsNotWrappedAnew)
{
	std::unique_ptr<uint8_t, void (*)(void *)> other((uint8_t *)crypto_secret_alloc(32), crypto_secret_free);
	std::unique_ptr<keytable> t(new keytable());

	memset(other.get(), 0x99, 32);
	ASSERT_EQ(0, open());
	ASSERT_EQ(0, keyring_add(kr, 5));
	ASSERT_EQ(0, keyring_add(kr, 6));
	std::string was = key(5, 1, 1);
	std::vector<uint8_t> &image = notes.copy[notes.newest];
	ASSERT_EQ(0, keytable_decode(t.get(), image.data(), image.size()));
	t->key[1].wrapped[0] ^= 1;
	keytable_encode(t.get(), image.data());
	ASSERT_EQ(0, open());
	unsigned int writes = notes.writes;
	EXPECT_EQ(-EBADMSG, keyring_rewrap(kr, other.get()));
	EXPECT_EQ(writes, notes.writes);
	EXPECT_EQ(was, key(5, 1, 1));
}

TEST_F(Keyring, ATableOfAnotherGroupOrDamagedIsRefused)
{
	ASSERT_EQ(0, open());
	unsigned int writes = notes.writes;
	notes.uuid = 0x32;
	EXPECT_EQ(-EXDEV, open());
	notes.uuid = 0x31;
	std::vector<uint8_t> right = notes.copy[notes.newest];
	notes.copy[notes.newest][40] ^= 1;
	EXPECT_EQ(-EBADMSG, open());
	EXPECT_STREQ("the group's table of keys is damaged", err);
	notes.copy[notes.newest] = std::vector<uint8_t>(500, 0);
	EXPECT_EQ(-EBADMSG, open()) << "not taken for a new group";
	notes.copy[notes.newest] = right;
	notes.copy[notes.newest][8] = 9;
	EXPECT_EQ(-EPROTO, open());
	notes.fail_read = -EIO;
	EXPECT_EQ(-EIO, open());
	EXPECT_STREQ("the group's keys cannot be read: Input/output error", err);
	EXPECT_EQ(writes, notes.writes);
}

TEST_F(Keyring, WhatCannotBeMadeDurableHasNotHappened)
{
	ASSERT_EQ(0, open());
	ASSERT_EQ(0, keyring_add(kr, 5));
	notes.fail_write = -EIO;
	EXPECT_EQ(-EIO, keyring_add(kr, 6));
	EXPECT_EQ(0, keyring_epoch(kr, 6));
	EXPECT_EQ(-EIO, keyring_rotate(kr, 5));
	EXPECT_EQ(1, keyring_epoch(kr, 5));
	EXPECT_EQ(-EIO, keyring_erase(kr, 5));
	EXPECT_NE("", key(5, 1, 1));
	EXPECT_EQ(-EIO, open());
	notes.fail_write = 0;
	ASSERT_EQ(0, open());
	EXPECT_EQ(2, keyring_opening(kr));
	EXPECT_EQ(1, keyring_epoch(kr, 5));
}

TEST_F(Keyring, ErasedKeysAreInNeitherCopyAndTheirEpochIsNotGivenAgain)
{
	ASSERT_EQ(0, open());
	ASSERT_EQ(0, keyring_add(kr, 5));
	ASSERT_EQ(2, keyring_rotate(kr, 5));
	ASSERT_EQ(0, keyring_add(kr, 6));
	std::vector<uint8_t> before = notes.copy[notes.newest];
	std::string other = key(6, 1, 1);
	ASSERT_EQ(0, keyring_erase(kr, 5));
	EXPECT_EQ(0, keyring_epoch(kr, 5));
	EXPECT_EQ("", key(5, 1, 1));
	EXPECT_EQ("", key(5, 2, 1));
	EXPECT_EQ(other, key(6, 1, 1));
	for (int k : {0, 1})
		for (std::vector<uint8_t> &c : notes.copy) {
			auto wrapped = before.begin() + 128 + 64 * k + 8;

			EXPECT_EQ(c.end(), std::search(c.begin(), c.end(), wrapped, wrapped + 40)) << "key " << k;
		}
	ASSERT_EQ(0, open());
	EXPECT_EQ("", key(5, 2, 1));
	ASSERT_EQ(0, keyring_add(kr, 5));
	EXPECT_EQ(3, keyring_epoch(kr, 5));
	EXPECT_EQ(-ENOKEY, keyring_erase(kr, 77));
}

/* Who deletes need not be able to read. */
TEST_F(Keyring, KeysThatNobodyHasOpenAreErasedWithoutTheKeyThatWrapsThem)
{
	gcm_notes ops = notes.ops();

	EXPECT_EQ(0, keyring_erase_unopened(&ops, 5)) << "no table, no key";
	EXPECT_EQ(0u, notes.writes);
	ASSERT_EQ(0, open());
	ASSERT_EQ(0, keyring_add(kr, 5));
	ASSERT_EQ(0, keyring_add(kr, 6));
	std::vector<uint8_t> before = notes.copy[notes.newest];
	std::string other = key(6, 1, 1);
	unsigned int writes = notes.writes;
	keyring_close(kr);
	kr = nullptr;
	EXPECT_EQ(0, keyring_erase_unopened(&ops, 77));
	EXPECT_EQ(writes, notes.writes) << "there is no such key";
	notes.fail_write = -EIO;
	EXPECT_EQ(-EIO, keyring_erase_unopened(&ops, 5));
	notes.fail_write = 0;
	EXPECT_EQ(0, keyring_erase_unopened(&ops, 5));
	for (std::vector<uint8_t> &c : notes.copy) {
		auto wrapped = before.begin() + 128 + 8;

		EXPECT_EQ(c.end(), std::search(c.begin(), c.end(), wrapped, wrapped + 40));
	}
	EXPECT_EQ(0, keyring_erase_unopened(&ops, 5)) << "again";
	ASSERT_EQ(0, open()) << err;
	EXPECT_EQ("", key(5, 1, 1));
	EXPECT_EQ(other, key(6, 1, 1));
	notes.uuid ^= 1;
	ops = notes.ops();
	EXPECT_EQ(-EXDEV, keyring_erase_unopened(&ops, 6));
	notes.copy[notes.newest][40] ^= 1;
	EXPECT_EQ(-EBADMSG, keyring_erase_unopened(&ops, 6));
}

/* A note takes turns of main until it is durable, and a timer may come in one: it must not write what was before. */
TEST_F(Keyring, NothingElseIsChangedWhileAChangeIsBeingWritten)
{
	unsigned int asked = 0;
	auto nothing = [](void *, uint16_t) { return false; };

	ASSERT_EQ(0, open());
	ASSERT_EQ(0, open());
	ASSERT_EQ(0, keyring_add(kr, 5));
	ASSERT_EQ(2, keyring_rotate(kr, 5));
	ASSERT_EQ(0, keyring_add(kr, 6));
	notes.meanwhile = [&] {
		EXPECT_EQ(-EBUSY, keyring_openings(kr, nothing, nullptr));
		EXPECT_EQ(-EBUSY, keyring_oldest(kr, 5, 2));
		EXPECT_EQ(-EBUSY, keyring_rotate(kr, 6));
		EXPECT_EQ(-EBUSY, keyring_add(kr, 7));
		EXPECT_EQ(-EBUSY, keyring_erase(kr, 6));
		EXPECT_EQ(0, keyring_add(kr, 6)) << "it has one";
		asked++;
	};
	ASSERT_EQ(0, keyring_erase(kr, 5));
	EXPECT_EQ(1u, asked);
	EXPECT_EQ("", key(5, 1, 2));
	ASSERT_EQ(0, open());
	EXPECT_EQ("", key(5, 2, 2));
	EXPECT_EQ(1, keyring_epoch(kr, 6));
	EXPECT_EQ(0, keyring_epoch(kr, 7));
	EXPECT_EQ(2, keyring_openings(kr, nothing, nullptr)) << "afterwards it can be";
}

TEST_F(Keyring, OldEpochsAndOpeningsAreDroppedWhenNobodyUsesThem)
{
	ASSERT_EQ(0, open());
	ASSERT_EQ(0, keyring_add(kr, 5));
	for (int epoch = 2; epoch <= 5; epoch++)
		ASSERT_EQ(epoch, keyring_rotate(kr, 5));
	EXPECT_EQ(3, keyring_oldest(kr, 5, 4));
	EXPECT_EQ("", key(5, 3, 1));
	EXPECT_NE("", key(5, 4, 1));
	EXPECT_EQ(1, keyring_oldest(kr, 5, 60000)) << "the newest stays";
	EXPECT_EQ(5, keyring_epoch(kr, 5));
	ASSERT_EQ(0, open());
	ASSERT_EQ(0, open());
	ASSERT_EQ(0, open());
	EXPECT_EQ(2, keyring_openings(
			     kr, [](void *, uint16_t n) { return n == 2; }, nullptr));
	EXPECT_EQ("", key(5, 5, 1));
	EXPECT_NE("", key(5, 5, 2));
	EXPECT_NE("", key(5, 5, 4)) << "this one";
}

TEST_F(Keyring, AFullTableRefusesAndOpensAgain)
{
	ASSERT_EQ(0, open());
	for (uint32_t d = 0; d < KEYTABLE_KEYS; d++)
		ASSERT_EQ(0, keyring_add(kr, d));
	EXPECT_EQ(-ENOSPC, keyring_add(kr, 5000));
	EXPECT_EQ(-ENOSPC, keyring_rotate(kr, 1));
	ASSERT_EQ(0, open());
	ASSERT_EQ(0, keyring_erase(kr, 3));
	EXPECT_NE("", key(1023, 1, 2));
	notes.room = 4096;
	EXPECT_EQ(-EBADMSG, open()) << "a note that is cut short";
}

TEST_F(Keyring, EntriesCannotStandInForOneAnother)
{
	ASSERT_EQ(0, open());
	ASSERT_EQ(0, keyring_add(kr, 5));
	ASSERT_EQ(0, keyring_add(kr, 6));
	std::unique_ptr<keytable> t(new keytable());
	std::vector<uint8_t> &image = notes.copy[notes.newest];
	ASSERT_EQ(0, keytable_decode(t.get(), image.data(), image.size()));
	std::swap(t->key[0].wrapped, t->key[1].wrapped);
	keytable_encode(t.get(), image.data());
	ASSERT_EQ(0, open());
	EXPECT_EQ(-EBADMSG, keyring_subkey(kr, 5, 1, 1, out));
	EXPECT_EQ(-EBADMSG, keyring_subkey(kr, 6, 1, 1, out));
}

/* Whatever image comes back, an opening never has a key that another had: its salt is new. */
TEST_F(Keyring, RestoredImagesAndClonesHaveOtherKeys)
{
	std::set<std::string> seen;

	ASSERT_EQ(0, open());
	ASSERT_EQ(0, keyring_add(kr, 5));
	EXPECT_TRUE(seen.insert(key(5, 1, keyring_opening(kr))).second);
	FakeNotes image = notes;
	for (int round = 0; round < 5; round++) {
		ASSERT_EQ(0, open());
		EXPECT_TRUE(seen.insert(key(5, 1, keyring_opening(kr))).second) << round;
		notes = image; /* drives restored, or a copy of them opened elsewhere */
		ASSERT_EQ(0, open());
		EXPECT_EQ(2, keyring_opening(kr)) << "the same number";
		EXPECT_TRUE(seen.insert(key(5, 1, 2)).second) << round;
	}
}
