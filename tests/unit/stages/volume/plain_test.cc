/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "volume_rig.h"

namespace
{

class Plain : public VolumeRig
{
};

TEST_F(Plain, WritesAtItsPlaceAndReadsBack)
{
	bytes in = pattern(32, 1), out;

	boot(8 << 20);
	EXPECT_EQ(0, run(STRAKE_OP_WRITE, 100, 32, in));
	EXPECT_EQ(1u, mem.chunks) << "128 KiB are one chunk";
	EXPECT_EQ(in, below(100, 32));
	EXPECT_EQ(0, run(STRAKE_OP_READ, 100, 32, {}, &out));
	EXPECT_EQ(in, out);
}

TEST_F(Plain, CutsLongOnesAndJoinsThemInOrder)
{
	bytes in = pattern(100, 2), out;

	boot(8 << 20);
	EXPECT_EQ(0, run(STRAKE_OP_WRITE, 3, 100, in));
	EXPECT_EQ(4u, mem.chunks);
	EXPECT_EQ(0, run(STRAKE_OP_READ, 3, 100, {}, &out));
	EXPECT_EQ(in, out);
}

TEST_F(Plain, ZeroesAndDeallocatesLongRangesAFewAtATime)
{
	boot(1u << 29);
	memset(mem.data.data(), 0xff, mem.data.size());
	EXPECT_EQ(0, run(STRAKE_OP_WRITE_ZEROES, 1, (1u << 17) - 2));
	EXPECT_LE(mem.most, 4u);
	EXPECT_EQ(64u << 20, mem.longest);
	EXPECT_EQ(0xff, mem.data[place + kBlock - 1]);
	EXPECT_EQ(0, mem.data[place + kBlock]);
	EXPECT_EQ(0, mem.data[place + (1u << 29) - kBlock - 1]);
	EXPECT_EQ(0xff, mem.data[place + (1u << 29) - kBlock]);
	EXPECT_EQ(0, run(STRAKE_OP_DEALLOCATE, 0, 1u << 17));
	EXPECT_EQ(0, mem.data[place]);
}

TEST_F(Plain, Compares)
{
	bytes in = pattern(8, 1), other = in;

	boot(8 << 20);
	ASSERT_EQ(0, run(STRAKE_OP_WRITE, 5, 8, in));
	EXPECT_EQ(0, run(STRAKE_OP_COMPARE, 5, 8, in));
	other.back() ^= 1;
	EXPECT_EQ(-EILSEQ, run(STRAKE_OP_COMPARE, 5, 8, other));
	EXPECT_EQ(in, below(5, 8));
	in = pattern(64, 3);
	ASSERT_EQ(0, run(STRAKE_OP_WRITE, 50, 64, in));
	EXPECT_EQ(0, run(STRAKE_OP_COMPARE, 50, 64, in)) << "of two pieces";
	in[200000] ^= 1;
	EXPECT_EQ(-EILSEQ, run(STRAKE_OP_COMPARE, 50, 64, in));
}

TEST_F(Plain, SaysOfChunksThatTheyWillBeTouched)
{
	boot(8 << 20);
	for (uint32_t nlb : {1u, 64u}) {
		for (uint16_t flag : {(uint16_t)0, (uint16_t)STRAKE_UNIT_TOUCHED}) {
			mem.flags.clear();
			EXPECT_EQ(0, run(STRAKE_OP_READ, 3, nlb, {}, nullptr, flag));
			ASSERT_FALSE(mem.flags.empty());
			for (uint16_t seen : mem.flags)
				EXPECT_EQ(flag, seen & STRAKE_UNIT_TOUCHED) << nlb;
		}
	}
}

bytes
both(const bytes &want, const bytes &put)
{
	bytes b = want;

	b.insert(b.end(), put.begin(), put.end());
	return b;
}

TEST_F(Plain, ComparesAndWrites)
{
	bytes a = pattern(64, 1), b = pattern(64, 2);

	boot(8 << 20);
	ASSERT_EQ(0, run(STRAKE_OP_WRITE, 0, 64, a));
	EXPECT_EQ(-EILSEQ, run(STRAKE_OP_COMPARE_WRITE, 0, 64, both(b, a)));
	EXPECT_EQ(a, below(0, 64)) << "nothing written";
	EXPECT_EQ(0, run(STRAKE_OP_COMPARE_WRITE, 0, 64, both(a, b)));
	EXPECT_EQ(b, below(0, 64));
}

/* Many try to step a counter by compare-and-write: exactly those succeed that saw the value they replaced. */
TEST_F(Plain, CompareAndWriteIsAtomic)
{
	bytes zero(kBlock);
	uint32_t won = 0;

	boot(8 << 20);
	for (uint32_t v = 0; v < 20; v++) {
		std::vector<std::unique_ptr<Req>> reqs;
		bytes now_ = v == 0 ? zero : pattern(1, v);

		for (int i = 0; i < 10; i++) {
			reqs.push_back(std::make_unique<Req>());
			submit(*reqs.back(), STRAKE_OP_COMPARE_WRITE, 7, 1, both(now_, pattern(1, v + 1)));
		}
		finish();
		for (auto &r : reqs) {
			won += r->status == 0;
			EXPECT_TRUE(r->status == 0 || r->status == -EILSEQ);
		}
	}
	EXPECT_EQ(20u, won);
}

TEST_F(Plain, VerifiesWithoutData)
{
	boot(8 << 20);
	EXPECT_EQ(0, run(STRAKE_OP_VERIFY, 0, 200));
	mem.fault = [](strake_chunk *c) { return c->u.lba > 100 ? -EIO : 0; };
	EXPECT_EQ(-EIO, run(STRAKE_OP_VERIFY, 0, 200));
}

TEST_F(Plain, FlushIsOneChunkWithoutRange)
{
	boot(8 << 20);
	EXPECT_EQ(0, run(STRAKE_OP_FLUSH, 0, 0));
	EXPECT_EQ(1u, mem.chunks);
	mem.fault = [](strake_chunk *c) { return c->u.op == STRAKE_OP_FLUSH ? -EIO : 0; };
	EXPECT_EQ(-EIO, run(STRAKE_OP_FLUSH, 0, 0));
}

TEST_F(Plain, FuaPassesOn)
{
	boot(8 << 20);
	EXPECT_EQ(0, run(STRAKE_OP_WRITE, 0, 1, pattern(1, 1), nullptr, STRAKE_UNIT_FUA));
	EXPECT_EQ(0, run(STRAKE_OP_WRITE, 0, 40, pattern(40, 1), nullptr, STRAKE_UNIT_FUA));
	EXPECT_EQ(0, run(STRAKE_OP_WRITE, 0, 1, pattern(1, 1)));
	ASSERT_EQ(4u, mem.flags.size());
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(i < 3, (mem.flags[(size_t)i] & STRAKE_UNIT_FUA) != 0);
}

TEST_F(Plain, FirstErrorWinsAndNothingMoreIsBegun)
{
	boot(1u << 29);
	mem.fault = [](strake_chunk *c) { return c->u.lba == 0 ? -ENOSPC : -EIO; };
	mem.delay = 0;
	EXPECT_EQ(-ENOSPC, run(STRAKE_OP_WRITE_ZEROES, 0, 1u << 17));
	EXPECT_EQ(4u, mem.chunks);
	EXPECT_EQ(-ENOSPC, run(STRAKE_OP_READ, 0, 100));
	EXPECT_EQ(-ENOSPC, run(STRAKE_OP_READ, 0, 1));
	EXPECT_EQ(-ENOSPC, run(STRAKE_OP_WRITE, 0, 1, pattern(1, 1)));
	EXPECT_EQ(1u, vol->stats[1]->errors[STRAKE_OP_WRITE]);
	EXPECT_EQ(2u, vol->stats[1]->errors[STRAKE_OP_READ]);
}

TEST_F(Plain, CancelledWhileItWaits)
{
	Req first, second, third;

	boot(8 << 20);
	mem.hold = true;
	submit(first, STRAKE_OP_WRITE, 0, 2, pattern(2, 1));
	step();
	submit(second, STRAKE_OP_WRITE, 1, 2, pattern(2, 2));
	submit(third, STRAKE_OP_WRITE, 2, 1, pattern(1, 3));
	step();
	EXPECT_FALSE(second.req->u.flags & STRAKE_UNIT_SUBMITTED);
	EXPECT_TRUE(first.req->u.flags & STRAKE_UNIT_SUBMITTED);
	strake_lcore_enter(1);
	strake_req_cancel(second.req);
	strake_req_cancel(first.req);
	finish();
	EXPECT_EQ(0, first.status) << "too late";
	EXPECT_EQ(-ECANCELED, second.status);
	EXPECT_EQ(0, third.status);
	EXPECT_EQ(pattern(2, 1), below(0, 2));
	EXPECT_EQ(pattern(1, 3), below(2, 1));
}

TEST_F(Plain, GoesOnWithFewChunks)
{
	std::vector<std::unique_ptr<Req>> reqs;

	boot(64 << 20, 1, 48);
	std::vector<strake_chunk *> taken;

	/* Leave two chunks to all. */
	strake_lcore_enter(1);
	for (strake_chunk *c; (c = strake_chunk_alloc(false)) != nullptr;)
		taken.push_back(c);
	for (int i = 0; i < 2; i++) {
		strake_chunk_free(taken.back());
		taken.pop_back();
	}
	for (uint32_t i = 0; i < 18; i++) {
		reqs.push_back(std::make_unique<Req>());
		if (i % 3 == 0)
			submit(*reqs.back(), STRAKE_OP_WRITE, i * 50, 40, pattern(40, i));
		else if (i % 3 == 1)
			submit(*reqs.back(), STRAKE_OP_WRITE, i * 50, 1, pattern(1, i));
		else
			submit(*reqs.back(), STRAKE_OP_VERIFY, 0, 100);
	}
	finish();
	for (auto &r : reqs)
		EXPECT_EQ(0, r->status);
	EXPECT_EQ(pattern(40, 15), below(15 * 50, 40));
	EXPECT_GT(vol->stats[1]->starved, 0u);
	strake_lcore_enter(1);
	for (auto *c : taken)
		strake_chunk_free(c);
}

TEST_F(Plain, CountsOpsAndBytes)
{
	boot(8 << 20);
	for (int i = 0; i < 3; i++)
		run(STRAKE_OP_WRITE, 0, 2, pattern(2, 1));
	run(STRAKE_OP_READ, 0, 4);
	EXPECT_EQ(3u, vol->stats[1]->ops[STRAKE_OP_WRITE]);
	EXPECT_EQ(6u * kBlock, vol->stats[1]->bytes[STRAKE_OP_WRITE]);
	EXPECT_EQ(1u, vol->stats[1]->ops[STRAKE_OP_READ]);
	EXPECT_EQ(1u, vol->stats[1]->latency[0].count);
	EXPECT_EQ(3u, vol->stats[1]->latency[1].count);
}

/* Lcores' turns begin at times of their own: a request may be done before it began, by our clock. */
TEST_F(Plain, LatencyIsNeverNegative)
{
	Req r;

	boot(8 << 20);
	submit(r, STRAKE_OP_WRITE, 0, 1, pattern(1, 1));
	r.req->u.t_start = strake_now() + STRAKE_NS_PER_SEC;
	finish();
	EXPECT_EQ(1u, vol->stats[1]->latency[1].count);
	EXPECT_EQ(0u, vol->stats[1]->latency[1].max);
}

/* A host that piles up writes of one block and goes away. */
TEST_F(Plain, ARowOfCancelledWritesTakesNoStack)
{
	static constexpr unsigned kRow = 12000;
	std::vector<Req> reqs(kRow);
	pthread_attr_t attr;
	pthread_t thread;

	boot(8 << 20, 1, kRow + 100);
	mem.hold = true;
	for (Req &r : reqs)
		submit(r, STRAKE_OP_DEALLOCATE, 0, 1);
	strake_lcore_enter(1);
	for (Req &r : reqs)
		strake_req_cancel(r.req);
	pthread_attr_init(&attr);
	ASSERT_EQ(0, pthread_attr_setstacksize(&attr, 512 << 10));
	ASSERT_EQ(0, pthread_create(
			     &thread, &attr,
			     [](void *self) -> void * {
				     ((Plain_ARowOfCancelledWritesTakesNoStack_Test *)self)->finish();
				     return nullptr;
			     },
			     this));
	pthread_join(thread, nullptr);
	pthread_attr_destroy(&attr);
	EXPECT_EQ(0, reqs[0].status);
	for (unsigned i = 1; i < kRow; i++)
		ASSERT_EQ(-ECANCELED, reqs[i].status) << i;
}

TEST(PlainConf, RefusesWhatDoesNotFit)
{
	static const uint8_t uuid[16] = {};
	plain_conf conf = {};
	strake_volume *vol;
	char err[200];

	conf.name = "v0";
	conf.uuid = uuid;
	conf.bytes = 4096;
	conf.lba_shift = 10;
	EXPECT_EQ(-EINVAL, plain_create(&vol, &conf, err, sizeof(err)));
	conf.lba_shift = 12;
	conf.bytes = 4097;
	EXPECT_EQ(-EINVAL, plain_create(&vol, &conf, err, sizeof(err)));
	conf.bytes = 0;
	EXPECT_EQ(-EINVAL, plain_create(&vol, &conf, err, sizeof(err)));
	EXPECT_NE(nullptr, strstr(err, "v0"));
}

} // namespace
