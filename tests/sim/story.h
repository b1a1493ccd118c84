/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef SIM_STORY_H
#define SIM_STORY_H

/*
 * What one seed does: some lives of an appliance, each ended by a loss of power. While one runs, images are taken of
 * what its drives would hold had power gone just then, with what the oracle knew. Each image is then recovered by the
 * real code, on its own, in one of several ways (Way), and everything is checked.
 */

#include "totals.h"

namespace sim
{

/* What happens beside the host's work. */
enum Kind {
	ORDINARY,
	VOLUMES,   /* volumes come, go, and become smaller and larger */
	PACKED,	   /* chunks are compressed */
	GROWN,	   /* the group gets a drive more */
	SEALED,	   /* and sealed; keys are changed and erased, volumes come and go */
	RESEALED,  /* and what older keys have sealed is sealed anew */
	LYING,	   /* as many drives as there is parity lie about writes to segments */
	LYING_ALL, /* and about superblocks, notes and intents */
	LARGE,	   /* the segment table has several parts */
	LARGE_LYING
};

struct Image {
	power_image *drives;
	Oracle oracle;
	bool frail; /* what it holds stands no loss of a drive */
	uint64_t nth;
};

class Story
{
      public:
	Story(uint64_t seed, unsigned points, Kind kind = ORDINARY);
	~Story();

	/* @return what went wrong first, or nothing. */
	std::string run();

	/* In such a story a drive goes away. Beside drives that lie that is one of as many as there is parity. */
	static bool loses(uint64_t seed, Kind kind);
	static unsigned liars(uint64_t seed, Kind kind);

	Totals totals;

      private:
	enum Way { PLAIN, CUT, DEGRADED, DAMAGED, UNREADABLE, TOO_MANY, IN_ORDER, WAYS };

	const uint64_t seed;
	const unsigned points;
	const Kind kind;
	std::mt19937_64 rnd;
	World w;
	Host host;
	std::unique_ptr<Acts> acts; /* NULL: none */
	std::vector<Image> images;
	std::unordered_set<uint64_t> met; /* states of this seed */
	uint64_t gap = 1;
	bool away = false;    /* a drive is, whether that was noticed or not */
	bool stale = false;   /* a drive is being rebuilt */
	bool slow = false;    /* a drive is */
	bool adding = false;  /* a drive */
	uint64_t frail = 0;   /* before this write drives may not say yet that all are there */
	unsigned allowed = 0; /* images so far, so that they spread over the life */
	unsigned more = 0;    /* of them, for acts */

	static WorldConf world_conf(uint64_t seed, Kind kind);
	static bool
	lying(Kind kind)
	{
		return kind == LYING || kind == LYING_ALL || kind == LARGE_LYING;
	}
	std::string live(unsigned life, unsigned lives);
	std::string work(unsigned ops, bool lose);
	std::string do_act();
	std::string grow();
	bool growing() const;
	std::string wait_grown();
	void slow_down(unsigned i);
	unsigned
	patience() const
	{
		return slow ? 1000000 : 30000;
	} /* turns until something hangs */
	std::string give_back(unsigned drive, bool *back);
	std::string member_return(unsigned drive);
	std::string take_back();
	bool seen_all() const;
	std::string replay_some();
	std::string finish();
	void tell();

	static void watched(void *arg, uint64_t nth);
	uint64_t state() const;
	bool between_parts() const;
	void take(uint64_t nth);

	std::string recover(Image &im);
	void keep(const std::string &name) const;
	std::string boot(uint32_t drives);
	std::string cut_again(unsigned cuts);
	std::string judge(Oracle &oracle, bool learn = false);
	std::string damage(Image &im);
	std::string unreadable();
	std::string too_many(Image &im);
	std::string in_order(Image &im);
	uint32_t members() const;
	std::string leave(bool in_order, bool mendable);
	std::string wait_in_sync();
};

} // namespace sim

#endif /* SIM_STORY_H */
