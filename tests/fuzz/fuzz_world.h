/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef FUZZ_WORLD_H
#define FUZZ_WORLD_H

/* What the harnesses share: EAL once, lcores turned by hand in virtual time, an input read as a program of steps, and
 * the look for leaks at the end of each. */

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <sanitizer/asan_interface.h>

extern "C" {
#include "strake_buf.h"
#include "strake_lcore.h"
}

using Bytes = std::vector<uint8_t>;

#define FUZZ_CHECK(cond)                                                                                               \
	do {                                                                                                           \
		if (!(cond)) {                                                                                         \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #cond);                             \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

/* The bytes of an input, taken from the front; zeroes after its end. */
class Input
{
      public:
	Input(const uint8_t *data, size_t size) : p(data), left(size)
	{
	}
	bool
	empty() const
	{
		return left == 0;
	}
	template <typename T>
	T
	get()
	{
		T v = {};
		size_t n = std::min(left, sizeof(v));

		if (n > 0)
			memcpy((void *)&v, p, n);
		p += n;
		left -= n;
		return v;
	}
	uint8_t
	u8()
	{
		return get<uint8_t>();
	}
	uint16_t
	u16()
	{
		return get<uint16_t>();
	}
	uint32_t
	u32()
	{
		return get<uint32_t>();
	}
	uint64_t
	u64()
	{
		return get<uint64_t>();
	}
	bool
	bit()
	{
		return (u8() & 1) != 0;
	}
	/* The next @p n bytes, or as many as there are. */
	Bytes
	bytes(size_t n)
	{
		Bytes b(p, p + std::min(n, left));

		p += b.size();
		left -= b.size();
		return b;
	}

      private:
	const uint8_t *p;
	size_t left;
};

inline Bytes
operator+(Bytes a, const Bytes &b)
{
	a.insert(a.end(), b.begin(), b.end());
	return a;
}

template <typename T>
inline Bytes
bytes_of(const T &v)
{
	const uint8_t *p = reinterpret_cast<const uint8_t *>(&v);

	return Bytes(p, p + sizeof(v));
}

inline void
fuzz_eal(const char *program)
{
	std::vector<std::string> args = {program, "--no-huge", "--no-pci", "--no-shconf", "--no-telemetry",
					 "-l",	  "0",	       "-m",	   "384",	  "--log-level=critical"};
	std::vector<char *> ptrs;

	for (auto &a : args)
		ptrs.push_back(a.data());
	FUZZ_CHECK(rte_eal_init((int)ptrs.size(), ptrs.data()) >= 0);
}

/* Lcores 0 to n, all on this thread. The clock only grows, also from input to input. */
class FuzzLcores
{
      public:
	static void
	create(unsigned int data_lcores, uint32_t descriptors = 16384, uint64_t arena = 16u << 20)
	{
		const strake_lcore_conf lc = {STRAKE_IDLE_SPIN, 0, 0};
		const strake_buf_conf bc = {descriptors, arena, 0};

		n = (uint16_t)(data_lcores + 1);
		for (uint16_t i = 0; i < n; i++)
			FUZZ_CHECK(strake_lcore_create(i, &lc) == 0);
		FUZZ_CHECK(strake_buf_init(&bc) == 0);
		strake_lcore_enter(0);
	}
	/* Every input begins at the same place of the timers' wheel. */
	static void
	begin()
	{
		clock = (clock / kRound + 2) * kRound;
		turn(0);
		strake_buf_usage(&before());
	}
	static void
	turn(uint64_t advance_ns = STRAKE_NS_PER_MS)
	{
		uint16_t self = strake_self_index();

		clock += advance_ns;
		for (uint16_t i = 0; i < n; i++) {
			strake_lcore_enter(i);
			strake_lcore_turn(clock);
		}
		strake_lcore_enter(self);
	}
	static void
	turns(unsigned int times, uint64_t each_ns = STRAKE_NS_PER_MS)
	{
		while (times-- > 0)
			turn(each_ns);
	}
	/* Every descriptor and every page is where it was at begin(). */
	static void
	check_leaks()
	{
		strake_buf_usage_s after;

		strake_buf_usage(&after);
		FUZZ_CHECK(before().descriptors_free == after.descriptors_free);
		for (int i = 0; i < 4; i++)
			FUZZ_CHECK(before().pages_free[i] == after.pages_free[i]);
	}

	static inline uint16_t n;
	static inline uint64_t clock;

      private:
	using strake_buf_usage_s = struct strake_buf_usage;
	static constexpr uint64_t kRound = 4096 * STRAKE_NS_PER_SEC; /* whole turns of the wheel */
	static strake_buf_usage_s &
	before()
	{
		static strake_buf_usage_s u;

		return u;
	}
};

/* Somebody else who has taken all descriptors but a few. */
class FuzzHog
{
      public:
	static void
	take(unsigned int leave)
	{
		static uint8_t nothing;

		while (strake_buf *b = strake_buf_wrap(&nothing, 1, &backing, nullptr, STRAKE_BUF_STABLE))
			held.push_back(b);
		while (leave-- > 0 && !held.empty())
			put_one();
	}
	/* The same with pages. */
	static void
	take_pages()
	{
		for (uint32_t len : {131072u, 65536u, 16384u, 4096u})
			while (strake_buf *b = strake_buf_page(len))
				held.push_back(b);
	}
	static void
	put()
	{
		while (!held.empty())
			put_one();
	}

      private:
	static void
	put_one()
	{
		strake_buf_put(held.back());
		held.pop_back();
	}
	static inline const strake_backing backing = {"hog", nullptr};
	static inline std::vector<strake_buf *> held;
};

/* Bytes whose memory is gone as soon as the last reference is: who lets go too early is seen. NULL: no descriptor. */
inline strake_buf *
fuzz_heap_buf(const void *data, size_t len)
{
	static const strake_backing backing = {"heap", [](strake_buf *b) { free(b->opaque); }};
	void *p = malloc(len);
	strake_buf *b = strake_buf_wrap(p, (uint32_t)len, &backing, p, STRAKE_BUF_STABLE);

	if (b == nullptr)
		free(p);
	else
		memcpy(p, data, len);
	return b;
}

/* Mbufs as a device would fill them, whose bytes behind the data nobody may touch. */
class FuzzPool
{
      public:
	FuzzPool(const char *name, unsigned int count, uint16_t priv)
	    : pool(rte_pktmbuf_pool_create(name, count, 0, priv, RTE_PKTMBUF_HEADROOM + kRoom, SOCKET_ID_ANY))
	{
		FUZZ_CHECK(pool != nullptr);
	}
	/* A chain in pieces of at most @p piece bytes (0: as few as can be). NULL: pool empty. */
	rte_mbuf *
	frame(const Bytes &b, uint16_t piece)
	{
		rte_mbuf *head = nullptr, *last = nullptr;
		size_t at = 0;

		do {
			size_t run = std::min<size_t>(b.size() - at, piece != 0 && piece < kRoom ? piece : kRoom);
			rte_mbuf *m = rte_pktmbuf_alloc(pool);

			if (m == nullptr) {
				rte_pktmbuf_free(head);
				return nullptr;
			}
			ASAN_UNPOISON_MEMORY_REGION(m->buf_addr, m->buf_len);
			if (run > 0)
				memcpy(rte_pktmbuf_mtod(m, void *), &b[at], run);
			m->data_len = (uint16_t)run;
			ASAN_POISON_MEMORY_REGION(rte_pktmbuf_mtod_offset(m, void *, run), rte_pktmbuf_tailroom(m));
			memset((void *)rte_mbuf_to_priv(m), 0x5a, rte_pktmbuf_priv_size(pool));
			at += run;
			if (head == nullptr) {
				head = m;
			} else {
				last->next = m;
				head->nb_segs++;
			}
			last = m;
		} while (at < b.size());
		head->pkt_len = (uint32_t)b.size();
		return head;
	}
	void
	check_leaks() const
	{
		FUZZ_CHECK(rte_mempool_full(pool));
	}

	rte_mempool *pool;

      private:
	static constexpr size_t kRoom = 2048;
};

#endif /* FUZZ_WORLD_H */
