/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <cstring>
#include <string>
#include <sys/uio.h>
#include <vector>

#include <rte_mbuf.h>

#include "world.h"

namespace
{

int released;

void
count_release(strake_buf *buf)
{
	(void)buf;
	released++;
}

const strake_backing counted = {"counted", count_release};

class Buf : public World
{
      protected:
	void
	SetUp() override
	{
		start(1);
		released = 0;
	}

	/* A list of counted pieces of one text. */
	strake_buf *
	pieces(std::string &text, const std::vector<uint32_t> &lens)
	{
		strake_buf *head = nullptr, **tail = &head;
		uint32_t at = 0;

		for (uint32_t len : lens) {
			*tail = strake_buf_wrap(&text[at], len, &counted, nullptr, STRAKE_BUF_WRITABLE);
			tail = &(*tail)->next;
			at += len;
		}
		return head;
	}
};

TEST_F(Buf, PageIsAlignedRegisteredAndOfTheAskedLength)
{
	for (uint32_t len : {1u, 4096u, 4097u, 16384u, 65536u, 65537u, STRAKE_BUF_PAGE_MAX}) {
		strake_buf *b = strake_buf_page(len);
		void *arena;
		size_t arena_len;

		ASSERT_NE(nullptr, b) << len;
		EXPECT_EQ(len, b->len);
		EXPECT_EQ(0u, (uintptr_t)b->addr % STRAKE_BUF_PAGE_ALIGN);
		EXPECT_EQ(STRAKE_BUF_REG_ARENA, b->reg);
		strake_buf_arena(&arena, &arena_len);
		EXPECT_GE(b->addr, (uint8_t *)arena);
		EXPECT_LE(b->addr + len, (uint8_t *)arena + arena_len);
		memset(b->addr, 0xa5, len);
		strake_buf_put(b);
	}
	EXPECT_EQ(nullptr, strake_buf_page(STRAKE_BUF_PAGE_MAX + 1));
}

TEST_F(Buf, PagesNeverOverlapAndRunOutCleanly)
{
	std::vector<strake_buf *> all;
	uint32_t n = 0;

	for (strake_buf *b; (b = strake_buf_page(4096)) != nullptr; n++) {
		memcpy(b->addr, &n, sizeof(n));
		memcpy(b->addr + 4092, &n, sizeof(n));
		all.push_back(b);
	}
	/* Larger classes served when the small one was empty. */
	EXPECT_GT(all.size(), before.pages[0]);
	EXPECT_LT(all.size(), 4096u);
	for (n = 0; n < all.size(); n++) {
		uint32_t head, tail;

		memcpy(&head, all[n]->addr, sizeof(head));
		memcpy(&tail, all[n]->addr + 4092, sizeof(tail));
		ASSERT_EQ(n, head);
		ASSERT_EQ(n, tail);
		strake_buf_put(all[n]);
	}
}

TEST_F(Buf, LastReferenceReleasesOnce)
{
	char byte;
	strake_buf *b = strake_buf_wrap(&byte, 1, &counted, nullptr, 0);

	strake_buf_get(b);
	strake_buf_put(b);
	EXPECT_EQ(0, released);
	strake_buf_put(b);
	EXPECT_EQ(1, released);
}

TEST_F(Buf, SliceOfSliceHoldsTheRoot)
{
	std::string text = "abcdefgh";
	strake_buf *root = pieces(text, {8});
	strake_buf *a = strake_buf_slice(root, 2, 5);
	strake_buf *b = strake_buf_slice(a, 1, 3);

	EXPECT_EQ(root, b->opaque);
	EXPECT_EQ(0, memcmp(b->addr, "def", 3));
	EXPECT_EQ(0, b->flags & STRAKE_BUF_WRITABLE);
	strake_buf_put(root);
	strake_buf_put(a);
	EXPECT_EQ(0, released);
	strake_buf_put(b);
	EXPECT_EQ(1, released);
}

TEST_F(Buf, IteratorShowsExactlyTheWindow)
{
	std::string text = "0123456789abcdefghij";
	strake_buf *list = pieces(text, {3, 1, 7, 9});

	for (uint32_t off = 0; off <= 20; off++) {
		for (uint32_t len = 0; off + len <= 20; len++) {
			strake_buf_iter it;
			std::string got;
			uint8_t *p;
			uint32_t n;

			ASSERT_EQ(0, strake_buf_iter_init(&it, list, off, len)) << off << "+" << len;
			while ((n = strake_buf_iter_next(&it, &p)) > 0)
				got.append((char *)p, n);
			ASSERT_EQ(text.substr(off, len), got);
		}
	}
	strake_buf_iter it;
	EXPECT_EQ(-ERANGE, strake_buf_iter_init(&it, list, 0, 21));
	EXPECT_EQ(-ERANGE, strake_buf_iter_init(&it, list, 20, 1));
	EXPECT_EQ(-ERANGE, strake_buf_iter_init(&it, list, UINT32_MAX, UINT32_MAX));
	EXPECT_EQ(-ERANGE, strake_buf_iter_init(&it, nullptr, 0, 1));
	strake_buf_put_list(list);
	EXPECT_EQ(4, released);
}

TEST_F(Buf, ComparesListsHoweverTheyAreCut)
{
	std::string one = "0123456789abcdefghij", two = "--3456789abcdefghX--";
	strake_buf *a = pieces(one, {5, 5, 10}), *b = pieces(two, {1, 2, 7, 8, 2});

	EXPECT_EQ(0, strake_buf_compare(a, 3, b, 2, 15));
	EXPECT_EQ(-EILSEQ, strake_buf_compare(a, 3, b, 2, 16)) << "the last one";
	EXPECT_EQ(-EILSEQ, strake_buf_compare(a, 2, b, 1, 5)) << "the first one";
	EXPECT_EQ(0, strake_buf_compare(a, 20, b, 0, 0));
	EXPECT_EQ(-ERANGE, strake_buf_compare(a, 3, b, 2, 19));
	EXPECT_EQ(-ERANGE, strake_buf_compare(a, 6, b, 2, 15));
	strake_buf_put_list(a);
	strake_buf_put_list(b);
}

TEST_F(Buf, WindowAndCopiesAgree)
{
	std::string text = "0123456789abcdefghij";
	strake_buf *list = pieces(text, {5, 5, 10});
	strake_buf *win = strake_buf_window(list, 4, 9);
	char out[16] = {};
	iovec iov[4];

	ASSERT_NE(nullptr, win);
	EXPECT_EQ(9u, strake_buf_list_len(win));
	EXPECT_EQ(0, strake_buf_copy_out(win, 0, out, 9));
	EXPECT_STREQ("456789abc", out);
	EXPECT_EQ(3, strake_buf_iov(list, 4, 9, iov, 4));
	EXPECT_EQ(1u, iov[0].iov_len);
	EXPECT_EQ(5u, iov[1].iov_len);
	EXPECT_EQ(-E2BIG, strake_buf_iov(list, 0, 20, iov, 2));
	EXPECT_EQ(0, strake_buf_copy_in(list, 4, "XXXX", 4));
	EXPECT_EQ("0123XXXX89abcdefghij", text);
	EXPECT_EQ(-ERANGE, strake_buf_copy_out(win, 1, out, 9));
	EXPECT_EQ(nullptr, strake_buf_window(list, 12, 9));
	strake_buf_put_list(win);
	strake_buf_put_list(list);
	EXPECT_EQ(3, released);
}

class BufMbuf : public Buf
{
      protected:
	void
	SetUp() override
	{
		Buf::SetUp();
		pool = rte_pktmbuf_pool_create("ext", 63, 0, 0, 0, SOCKET_ID_ANY);
		ASSERT_NE(nullptr, pool);
	}

	void
	TearDown() override
	{
		EXPECT_EQ(63u, rte_mempool_avail_count(pool));
		rte_mempool_free(pool);
		World::TearDown();
	}

	rte_mempool *pool;
};

TEST_F(BufMbuf, BytesLiveUntilTheLastMbufIsGone)
{
	std::string text = "payload of a segment";
	strake_buf *b = pieces(text, {20});
	rte_mbuf *m1 = rte_pktmbuf_alloc(pool), *m2 = rte_pktmbuf_alloc(pool);

	strake_buf_mbuf_attach(m1, b, 0, 11);
	strake_buf_mbuf_attach(m2, b, 11, 9);
	EXPECT_EQ(0, memcmp(rte_pktmbuf_mtod(m2, char *), "a segment", 9));
	EXPECT_EQ(9u, m2->pkt_len);
	strake_buf_put(b);
	EXPECT_EQ(0, released);
	rte_pktmbuf_free(m1);
	EXPECT_EQ(0, released);
	rte_pktmbuf_free(m2);
	EXPECT_EQ(1, released);
}

TEST_F(BufMbuf, BytesLiveUntilTheLastHolderIsGone)
{
	std::string text = "payload of a segment";
	strake_buf *b = pieces(text, {20});

	for (int again = 0; again < 3; again++) {
		rte_mbuf *m = rte_pktmbuf_alloc(pool);

		strake_buf_mbuf_attach(m, b, 0, 20);
		rte_pktmbuf_free(m);
		EXPECT_EQ(0, released);
	}
	strake_buf_put(b);
	EXPECT_EQ(1, released);
}

TEST_F(Buf, ExhaustedDescriptorsLeaveNothingBehind)
{
	std::vector<strake_buf *> all;
	char byte;

	for (strake_buf *b; (b = strake_buf_wrap(&byte, 1, &counted, nullptr, 0)) != nullptr;)
		all.push_back(b);
	EXPECT_EQ(nullptr, strake_buf_page(4096));
	EXPECT_EQ(nullptr, strake_buf_slice(all[0], 0, 1));
	EXPECT_EQ(nullptr, strake_buf_window(all[0], 0, 1));
	for (strake_buf *b : all)
		strake_buf_put(b);
	EXPECT_EQ((int)all.size(), released);
}

/* What each lcore keeps for itself must not use up what there is. */
class ManyLcores : public World
{
};

TEST_F(ManyLcores, EachFindsUnitsBufsAndPages)
{
	std::vector<strake_buf *> pages;
	std::vector<strake_req *> reqs;

	start(31, 1024);
	for (uint16_t i = 0; i < lcores; i++) {
		strake_lcore_enter(i);
		pages.push_back(strake_buf_page(STRAKE_BUF_PAGE_MAX));
		reqs.push_back(strake_req_alloc(false));
		EXPECT_NE(nullptr, pages.back()) << "lcore " << i;
		EXPECT_NE(nullptr, reqs.back()) << "lcore " << i;
	}
	for (uint16_t i = 0; i < lcores; i++) {
		strake_lcore_enter(i);
		strake_buf_put_list(pages[i]);
		if (reqs[i] != nullptr)
			strake_req_free(reqs[i]);
	}
}

} // namespace
