/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <algorithm>
#include <cstring>
#include <map>
#include <random>
#include <vector>

#include "world.h"

namespace
{

/* The last stage of a request chain: notes where each request was worked on, keeps it a while, then answers. */
struct Sink {
	struct Seen {
		uint64_t lba;
		uint32_t nlb;
		uint16_t lcore;
	};
	std::vector<Seen> seen;
	std::vector<strake_unit *> held[4];
	bool hold = false;
	std::map<uint64_t, int> fail; /* by lba */
};

Sink sink;

void
answer(strake_unit *u)
{
	strake_req *req = strake_req_of(u);
	auto it = sink.fail.find(u->lba);

	u->status = it != sink.fail.end() ? (int16_t)it->second : 0;
	if (u->op == STRAKE_OP_READ && u->status == 0) {
		strake_buf *b = strake_buf_page(u->nbytes);

		for (uint32_t i = 0; i < u->nlb; i++) {
			uint64_t lba = u->lba + i;
			memcpy(b->addr + ((size_t)i << req->vol->lba_shift), &lba, sizeof(lba));
		}
		strake_unit_append(u, b);
	}
}

void
sink_down(strake_stage *, strake_unit **units, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		sink.seen.push_back({units[i]->lba, units[i]->nlb, strake_self_index()});
		if (sink.hold) {
			units[i]->verdict = STRAKE_HELD;
			sink.held[strake_self_index()].push_back(units[i]);
			continue;
		}
		answer(units[i]);
		units[i]->verdict = STRAKE_DONE;
	}
}

const strake_stage_ops sink_ops = [] {
	strake_stage_ops o = {};
	o.name = "sink";
	o.unit = STRAKE_UNIT_REQ;
	o.create = [](strake_stage *, const conf_values *, char *, size_t) { return 0; };
	o.down = sink_down;
	return o;
}();

class Submit : public World
{
      protected:
	void
	make(unsigned int data_lcores, uint64_t nlb = 4096, uint32_t slab_shift = 20)
	{
		start(data_lcores);
		sink = Sink();
		ASSERT_EQ(0, strake_stage_create(&st, &sink_ops, "s", nullptr, -1, err, sizeof(err)));
		ASSERT_EQ(0, strake_chain_create(&vol.reqs, "v", STRAKE_UNIT_REQ, &st, 1, err, sizeof(err)));
		strcpy(vol.name, "v");
		vol.nlb = nlb;
		vol.lba_shift = 12;
		vol.slab_shift = slab_shift;
		ASSERT_EQ(0, strake_volume_add(&vol));
	}

	strake_req *
	prepare(uint16_t lcore, strake_op op, uint64_t lba, uint32_t nlb, strake_buf *bufs = nullptr)
	{
		strake_lcore_enter(lcore);
		strake_req *req = strake_req_alloc(false);

		req->vol = &vol;
		req->u.op = op;
		req->u.lba = lba;
		req->u.nlb = nlb;
		req->u.nbytes = op == STRAKE_OP_READ || op == STRAKE_OP_WRITE ? nlb << 12 : 0;
		req->u.bufs = bufs;
		req->u.arg = this;
		req->u.done = [](strake_unit *u) {
			Submit *t = (Submit *)u->arg;

			t->ended.push_back({u->lba, u->status, strake_self_index()});
			if (u->op == STRAKE_OP_READ && u->status == 0) {
				for (uint32_t i = 0; i < u->nlb; i++) {
					uint64_t lba = 0;

					EXPECT_EQ(0, strake_buf_copy_out(u->bufs, i << 12, &lba, sizeof(lba)));
					EXPECT_EQ(u->lba + i, lba);
				}
				EXPECT_EQ(u->nbytes, strake_buf_list_len(u->bufs));
			}
			strake_req_free(strake_req_of(u));
		};
		return req;
	}

	strake_req *
	send(uint16_t lcore, strake_op op, uint64_t lba, uint32_t nlb, strake_buf *bufs = nullptr)
	{
		strake_req *req = prepare(lcore, op, lba, nlb, bufs);

		strake_req_submit(&req, 1);
		return req;
	}

	void
	release(uint16_t lcore)
	{
		strake_lcore_enter(lcore);
		auto list = std::move(sink.held[lcore]);
		sink.held[lcore].clear();
		for (strake_unit *u : list) {
			answer(u);
			strake_unit_complete(u);
		}
	}

	void
	TearDown() override
	{
		strake_volume_del(&vol);
		strake_chain_destroy(vol.reqs);
		strake_stage_destroy(st);
		World::TearDown();
	}

	/* Take requests until none is left; `reserve`: those as well. */
	void
	hog(uint16_t lcore, bool reserve)
	{
		strake_lcore_enter(lcore);
		while (strake_req *r = strake_req_alloc(reserve))
			hogged.push_back(r);
	}

	void
	unhog(size_t n = SIZE_MAX)
	{
		for (; n > 0 && !hogged.empty(); n--) {
			strake_req_free(hogged.back());
			hogged.pop_back();
		}
	}

	std::vector<strake_req *> hogged;
	struct End {
		uint64_t lba;
		int status;
		uint16_t lcore;
	};
	std::vector<End> ended;
	strake_stage *st = nullptr;
	strake_volume vol = {};
	char err[200] = "";
};

TEST_F(Submit, AllSlabsOfAVolumeWithAnOwnerAreItsForGood)
{
	vol.owner = 2;
	make(2, 1024);
	ASSERT_EQ(4u, vol.slabs);
	for (uint32_t i = 0; i < vol.slabs_max; i++)
		EXPECT_EQ(2u, strake_slab_owner(&vol, i));
	EXPECT_EQ(-EINVAL, strake_slab_move(&vol, 0, 1, nullptr, nullptr));
	send(1, STRAKE_OP_READ, 0, 1);
	turn(3);
	ASSERT_EQ(1u, sink.seen.size());
	EXPECT_EQ(2u, sink.seen[0].lcore);
}

TEST_F(Submit, AVolumeGrowsAndShrinks)
{
	make(2, 512); /* two slabs of 256 blocks */
	send(1, STRAKE_OP_READ, 512, 1);
	turn(3);
	strake_lcore_enter(0);
	EXPECT_EQ(2u, vol.slabs);
	EXPECT_EQ(-E2BIG, strake_volume_resize(&vol, ((uint64_t)vol.slabs_max << 8) + 1));
	EXPECT_EQ(512u, vol.nlb);
	ASSERT_EQ(0, strake_volume_resize(&vol, 1024));
	EXPECT_EQ(4u, vol.slabs);
	send(1, STRAKE_OP_READ, 510, 4);
	send(1, STRAKE_OP_READ, 1023, 1);
	turn(3);
	strake_lcore_enter(0);
	EXPECT_EQ(0, strake_slab_move(&vol, 3, 1, nullptr, nullptr));
	turn(3);
	ASSERT_EQ(0, strake_volume_resize(&vol, 300));
	send(1, STRAKE_OP_READ, 299, 1);
	send(1, STRAKE_OP_READ, 299, 2);
	send(1, STRAKE_OP_READ, 1023, 1);
	turn(3);
	std::vector<int> status;
	for (auto &e : ended)
		status.push_back(e.status);
	std::sort(status.begin(), status.end());
	EXPECT_EQ((std::vector<int>{-ERANGE, -ERANGE, -ERANGE, 0, 0, 0}), status);
}

TEST_F(Submit, RangeBeyondTheEndIsRefusedExactlyOnceAndNeverFromInside)
{
	struct {
		uint64_t lba;
		uint32_t nlb;
	} bad[] = {{4096, 1}, {4095, 2}, {0, 4097}, {UINT64_MAX, 1}, {UINT64_MAX - 1, 4}, {0, 0}};

	make(1);
	for (auto &b : bad) {
		ended.clear();
		send(1, STRAKE_OP_VERIFY, b.lba, b.nlb);
		EXPECT_TRUE(ended.empty());
		turn(2);
		ASSERT_EQ(1u, ended.size());
		EXPECT_EQ(-ERANGE, ended[0].status) << b.lba << "+" << b.nlb;
	}
	EXPECT_TRUE(sink.seen.empty());
	send(1, STRAKE_OP_VERIFY, 4095, 1);
	turn();
	EXPECT_EQ(0, ended.back().status);
}

TEST_F(Submit, ReadOnlyVolumeRefusesEveryWritingOp)
{
	make(1);
	vol.read_only = true;
	for (strake_op op : {STRAKE_OP_WRITE, STRAKE_OP_WRITE_ZEROES, STRAKE_OP_DEALLOCATE, STRAKE_OP_COMPARE_WRITE}) {
		send(1, op, 0, 1);
		turn();
		EXPECT_EQ(-EROFS, ended.back().status);
	}
	send(1, STRAKE_OP_READ, 0, 1);
	turn();
	EXPECT_EQ(0, ended.back().status);
}

TEST_F(Submit, RequestIsWorkedOnByItsSlabsOwnerAndEndsWhereItBegan)
{
	make(3);
	for (uint64_t lba = 0; lba < 4096; lba += 100) {
		sink.seen.clear();
		send(2, STRAKE_OP_READ, lba, 1);
		turn(3);
		ASSERT_EQ(1u, sink.seen.size());
		EXPECT_EQ(strake_slab_owner(&vol, (uint32_t)(lba >> 8)), sink.seen[0].lcore);
		EXPECT_EQ(2, ended.back().lcore);
	}
}

TEST_F(Submit, RequestAcrossSlabsIsCutAndItsPayloadJoinedInOrder)
{
	make(3);
	send(1, STRAKE_OP_READ, 250, 24); /* 250..273: two slabs */
	turn(4);
	ASSERT_EQ(1u, ended.size());
	EXPECT_EQ(0, ended[0].status);
	ASSERT_EQ(2u, sink.seen.size());
	EXPECT_NE(sink.seen[0].lcore, sink.seen[1].lcore);
	ended.clear();
	sink.fail[256] = -EIO;
	send(1, STRAKE_OP_READ, 250, 24);
	turn(4);
	ASSERT_EQ(1u, ended.size());
	EXPECT_EQ(-EIO, ended[0].status);
	ended.clear();
	send(1, STRAKE_OP_DEALLOCATE, 0, 4096);
	turn(4);
	ASSERT_EQ(1u, ended.size());
	EXPECT_EQ(-EIO, ended[0].status) << "the slab at 256 still fails";
}

TEST_F(Submit, CrossingWithoutRequestsLeftTakesTheReserveOneByOne)
{
	make(2);
	strake_req *reqs[2] = {prepare(1, STRAKE_OP_VERIFY, 250, 600), prepare(1, STRAKE_OP_READ, 250, 24)};
	hog(1, false);
	strake_req_submit(reqs, 1); /* four slabs */
	turn(12);
	ASSERT_EQ(1u, ended.size());
	EXPECT_EQ(0, ended[0].status);
	EXPECT_EQ(4u, sink.seen.size());
	hog(1, false);
	strake_req_submit(&reqs[1], 1);
	turn(12);
	ASSERT_EQ(2u, ended.size());
	EXPECT_EQ(0, ended[1].status);
	unhog();
}

TEST_F(Submit, CrossingWaitsInOrderWhenTheReserveIsGoneToo)
{
	make(2);
	strake_req *reqs[3];
	for (unsigned int i = 0; i < 3; i++)
		reqs[i] = prepare(1, STRAKE_OP_READ, 250 + 256 * i, 24);
	hog(1, true);
	strake_req_submit(reqs, 3);
	turn(20);
	EXPECT_TRUE(ended.empty());
	EXPECT_TRUE(sink.seen.empty());
	strake_lcore_enter(1);
	unhog(1); /* of the reserve */
	turn(20);
	ASSERT_EQ(3u, ended.size());
	for (size_t i = 0; i < 3; i++) {
		EXPECT_EQ(0, ended[i].status);
		EXPECT_EQ(250 + 256 * i, ended[i].lba);
	}
	unhog();
}

/* All requests there are cross slabs, on three lcores. */
TEST_F(Submit, CrossingsAloneCannotStopEachOther)
{
	std::vector<strake_req *> reqs[4];
	unsigned int sent = 0;

	make(3);
	sink.hold = true;
	for (bool any = true; any;) {
		any = false;
		for (uint16_t l = 1; l <= 3; l++) {
			strake_lcore_enter(l);
			strake_req *probe = strake_req_alloc(false);

			if (probe == nullptr)
				continue;
			strake_req_free(probe);
			reqs[l].push_back(prepare(l, STRAKE_OP_VERIFY, 250 + 256 * (sent++ % 10), 1200));
			any = true;
		}
	}
	EXPECT_LT(200u, sent);
	for (uint16_t l = 1; l <= 3; l++) {
		strake_lcore_enter(l);
		strake_req_submit(reqs[l].data(), (uint16_t)reqs[l].size());
	}
	for (int i = 0; i < 5000 && ended.size() < sent; i++) {
		turn();
		for (uint16_t l = 1; l <= 3; l++)
			release(l);
	}
	ASSERT_EQ(sent, ended.size());
	for (auto &e : ended)
		EXPECT_EQ(0, e.status);
}

TEST_F(Submit, CrossingWriteWaitsForDescriptors)
{
	std::vector<strake_buf *> taken;
	static const strake_backing backing = {"test", nullptr};
	static uint8_t byte;

	make(2);
	strake_lcore_enter(1);
	strake_buf *page = strake_buf_page(4 * 4096);
	ASSERT_NE(nullptr, page);
	while (strake_buf *b = strake_buf_wrap(&byte, 1, &backing, nullptr, 0))
		taken.push_back(b);
	send(1, STRAKE_OP_WRITE, 254, 4, page);
	turn(10);
	EXPECT_TRUE(ended.empty());
	strake_lcore_enter(1);
	for (auto *b : taken)
		strake_buf_put(b);
	turn(10);
	ASSERT_EQ(1u, ended.size());
	EXPECT_EQ(0, ended[0].status);
	EXPECT_EQ(2u, sink.seen.size());
}

TEST_F(Submit, CancelEndsACrossingThatWaits)
{
	make(2);
	strake_req *reqs[2] = {prepare(1, STRAKE_OP_VERIFY, 250, 24), prepare(1, STRAKE_OP_VERIFY, 506, 24)};
	hog(1, true);
	strake_req_submit(reqs, 2);
	turn(5);
	EXPECT_TRUE(ended.empty());
	strake_lcore_enter(1);
	strake_req_cancel(reqs[1]); /* not the first in the line */
	EXPECT_TRUE(ended.empty()) << "never from inside";
	turn(2);
	/* What it held is enough for the first one's children, one after the other. */
	ASSERT_LE(1u, ended.size());
	EXPECT_EQ(506u, ended[0].lba);
	EXPECT_EQ(-ECANCELED, ended[0].status);
	turn(10);
	ASSERT_EQ(2u, ended.size());
	EXPECT_EQ(0, ended[1].status);
	unhog();
}

TEST_F(Submit, CompareAndWriteAcrossSlabsIsRefused)
{
	make(2);
	send(1, STRAKE_OP_COMPARE_WRITE, 255, 2);
	turn(2);
	EXPECT_EQ(-EOPNOTSUPP, ended.back().status);
}

TEST_F(Submit, WritePayloadIsCutWithItsRange)
{
	make(2);
	strake_lcore_enter(1);
	strake_buf *page = strake_buf_page(4 * 4096);
	ASSERT_NE(nullptr, page);
	send(1, STRAKE_OP_WRITE, 254, 4, page);
	turn(4);
	ASSERT_EQ(2u, sink.seen.size());
	EXPECT_EQ(2u, sink.seen[0].nlb);
	EXPECT_EQ(2u, sink.seen[1].nlb);
	EXPECT_EQ(0, ended.back().status);
}

TEST_F(Submit, HandOverWaitsForWhatIsUnderWayAndPassesOnWhatCame)
{
	make(2);
	uint16_t old = strake_slab_owner(&vol, 0), heir = old == 1 ? 2 : 1;
	int moved = 0;

	sink.hold = true;
	send(1, STRAKE_OP_READ, 3, 1);
	turn(2);
	ASSERT_EQ(1u, sink.held[old].size());
	strake_lcore_enter(0);
	ASSERT_EQ(0, strake_slab_move(
			     &vol, 0, heir, [](strake_volume *, uint32_t, void *arg) { ++*(int *)arg; }, &moved));
	EXPECT_EQ(-EBUSY, strake_slab_move(&vol, 0, heir, nullptr, nullptr));
	turn(2);
	send(1, STRAKE_OP_READ, 4, 1);
	send(2, STRAKE_OP_READ, 5, 1);
	turn(4);
	EXPECT_EQ(old, strake_slab_owner(&vol, 0)) << "a request is still under way";
	EXPECT_EQ(0, moved);
	release(old);
	turn(4);
	EXPECT_EQ(heir, strake_slab_owner(&vol, 0));
	EXPECT_EQ(1, moved);
	EXPECT_EQ(2u, sink.held[heir].size());
	release(heir);
	turn(4);
	EXPECT_EQ(3u, ended.size());
}

TEST_F(Submit, SlabsWanderUnderLoadAndNoRequestIsLostOrWorkedOnByTwo)
{
	std::mt19937 rng(7);
	unsigned int sent = 0;

	make(3);
	for (int round = 0; round < 3000; round++) {
		if (round % 10 == 0) {
			strake_lcore_enter(0);
			strake_slab_move(&vol, rng() % vol.slabs, (uint16_t)(1 + rng() % 3), nullptr, nullptr);
		}
		if (sent - ended.size() < 40) {
			send((uint16_t)(1 + rng() % 3), STRAKE_OP_VERIFY, rng() % 4096, 1);
			sent++;
		}
		sink.hold = rng() % 2 != 0;
		turn();
		for (uint16_t l = 1; l <= 3; l++) {
			if (rng() % 3 == 0)
				release(l);
		}
	}
	sink.hold = false;
	for (int i = 0; i < 20; i++) {
		turn();
		for (uint16_t l = 1; l <= 3; l++)
			release(l);
	}
	turn(5);
	EXPECT_EQ(sent, ended.size());
}

TEST_F(Submit, CancelReachesTheChildrenToo)
{
	make(2);
	sink.hold = true;
	strake_req *req = send(1, STRAKE_OP_READ, 250, 24);
	turn(2);
	strake_lcore_enter(1);
	strake_req_cancel(req);
	for (uint16_t l = 1; l <= 2; l++) {
		for (strake_unit *u : sink.held[l])
			EXPECT_NE(0, u->flags & STRAKE_UNIT_CANCELLED);
		release(l);
	}
	turn(4);
	EXPECT_EQ(1u, ended.size());
}

} // namespace
