/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef NVMF_CLASSES_H
#define NVMF_CLASSES_H

/**
 * @file
 * The target's classifier: which volume a namespace leads to, and what class a request is of.
 *
 * Main numbers subsystems, and the hosts that rules name, from 1. The rules stay as the configuration has them; the
 * routes change with the namespaces. A change makes new tables whole; arrays of namespaces are made from them, keep a
 * reference, and carry them to the data lcores.
 */

#include "strake_classify.h"

#include "nvmf.h"
#include "strake_unit.h"

struct nvmf_lcore;
struct nvmf_subsystem;

/** Never changed once made. */
struct nvmf_classes {
	uint32_t refs; /**< main's */
	struct strake_classifier *tables;
	struct strake_route *routes;
	uint32_t n_routes;
};

/** Number the hosts and keep the rules; main, when all subsystems are there. @return 0, -ENOMEM. */
int nvmf_rules_create(const struct conf *conf, char *err, size_t errlen);
void nvmf_rules_destroy(void);
/** Number of a host for rules; 0: none names it. Main. */
uint32_t nvmf_rules_host(const char *hostnqn);

/** Tables with these routes; takes the list (malloc). Main. */
int nvmf_classes_create(struct nvmf_classes **out, struct strake_route *routes, uint32_t n, char *err, size_t errlen);
/** Tables like @p old but for one namespace, which leads to @p vol now (NULL: nowhere). @return 0, -ENOMEM. */
int nvmf_classes_change(struct nvmf_classes **out, const struct nvmf_classes *old, const struct nvmf_subsystem *sub,
			uint32_t nsid, struct strake_volume *vol);
void nvmf_classes_put(struct nvmf_classes *classes);

/** Room for the figures of all classes there are; a data lcore's. @return 0, -ENOMEM. */
int nvmf_classes_lcore_init(struct nvmf_lcore *lc);
void nvmf_classes_lcore_fini(struct nvmf_lcore *lc);

/** There are rules, so requests are counted by class. */
extern bool nvmf_classes_counted;
void nvmf_class_count(const struct strake_unit *u);
/** A request of a command has ended; where it began. */
static inline void
nvmf_class_ended(const struct strake_unit *u)
{
	if (unlikely(nvmf_classes_counted))
		nvmf_class_count(u);
}

/** Submit a burst of requests of one lcore's commands, each with its class. */
void nvmf_submit(struct strake_req **reqs, uint16_t n);

#endif /* NVMF_CLASSES_H */
