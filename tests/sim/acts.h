/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef SIM_ACTS_H
#define SIM_ACTS_H

/* An operator at work beside a host: volumes are deleted, made anew, made smaller and larger; keys are changed, erased
 * and tidied away. */

#include <array>

#include "host.h"

namespace sim
{

enum Act { NO_ACT, DELETE, MAKE, SHRINK, GROW, FORGET, ROTATE, TIDY, ERASE, RESEAL, ACTS };

/* How often, by what. FORGET goes on by itself after a volume was deleted, and after a restart. */
using ActCounts = std::array<uint64_t, ACTS>;
void acts_add(ActCounts &to, const ActCounts &from);
void acts_print(const char *head, const ActCounts &acts);

class Acts
{
      public:
	/* @p reseals: what older keys have sealed is sealed anew, now and then and at the end. */
	Acts(World &world, Host &host, uint64_t seed, bool reseals = false);

	/* The next, while the host goes on. @return what went wrong, or nothing. */
	std::string next();
	/* All volumes are there, and what was deleted is forgotten. */
	std::string settle();
	/* What is under way. */
	Act
	now() const
	{
		return act;
	}
	/* Is a volume being forgotten that was deleted? */
	static bool forgetting(const World &w);
	static std::string wait_forgotten(World &w);

	ActCounts done{};
	uint64_t forgotten = 0; /* keys and openings that nothing needed */
	uint64_t resealed = 0;	/* chunks */

      private:
	World &w;
	Host &host;
	std::mt19937_64 rnd;
	const bool reseals;
	Act act = NO_ACT;

	std::string let_go(unsigned at);
	std::string volumes(unsigned at);
	std::string keys(unsigned at);
	std::string remove(unsigned at, bool keys);
	std::string make(unsigned at);
	std::string resize(unsigned at);
	std::string shrink(unsigned at, uint32_t n);
	std::string rotate(unsigned at);
	std::string tidy();
	std::string erase(unsigned at);
	std::string reseal();
	std::string sealed_anew(bool *whole);
	unsigned old_keys();
	std::string wait_tidied(int *status);
	std::string destroy_keys(unsigned at);
	void may_be_zero(unsigned at);
	std::string ended(const char *what, int ret);
};

} // namespace sim

#endif /* SIM_ACTS_H */
