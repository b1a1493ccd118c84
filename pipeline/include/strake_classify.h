/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STRAKE_CLASSIFY_H
#define STRAKE_CLASSIFY_H

/**
 * @file
 * Classification by tables: what arrives → volume, and class of service.
 *
 * Two tables. Routes are exact, in an rte_hash: (host, subsystem, namespace) names the volume; a route for a host goes
 * before the one for any host. Rules are ranges, in an rte_acl: of several that match, the one of highest priority
 * gives the class. A table is built whole on main and then only read; a new one replaces it.
 *
 * Hosts and subsystems are numbers here: whoever knows their names (the NVMe-oF target) numbers them from 1.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct strake_volume;
struct strake_classifier;

#define STRAKE_HOST_ANY 0
/** LBA ranges of rules are in steps of this many bytes. */
#define STRAKE_CLASS_STEP (1u << 20)

struct strake_route {
	uint32_t host; /**< or STRAKE_HOST_ANY */
	uint32_t subsystem, nsid;
	struct strake_volume *vol;
};

/** A rule; bounds are inclusive. The whole range of a field matches anything. */
struct strake_class_rule {
	uint32_t host, subsystem, nsid;	 /**< 0: any */
	uint64_t first_byte, last_byte;	 /**< of the volume, rounded outwards to STRAKE_CLASS_STEP */
	uint16_t ops;			 /**< bitmap of enum strake_op; 0: any */
	uint8_t dscp_first, dscp_last;	 /**< 0 to 63 */
	uint8_t pcp_first, pcp_last;	 /**< 0 to 7 */
	uint8_t label_first, label_last; /**< MPLS traffic class, 0 to 7 */
	uint32_t priority;		 /**< higher goes first; 1 to 536,870,911 */
	uint8_t cls;			 /**< the class given, 1 to 255 */
};

/** What is asked about one request. */
struct strake_class_key {
	uint32_t host, subsystem, nsid;
	uint64_t byte; /**< first byte of the request in the volume */
	uint8_t op;    /**< enum strake_op */
	uint8_t dscp, pcp, label;
};

/**
 * Build tables. Main.
 * @return 0 and *out; -EINVAL with one line in @p err (an impossible rule, two routes for the same), -ENOMEM.
 */
int strake_classifier_create(struct strake_classifier **out, const struct strake_route *routes, unsigned int n_routes,
			     const struct strake_class_rule *rules, unsigned int n_rules, char *err, size_t errlen);
/** Free; no lcore reads it any more. */
void strake_classifier_destroy(struct strake_classifier *c);

/** The volume that host @p host finds as namespace @p nsid of @p subsystem; NULL: none. Any lcore. */
struct strake_volume *strake_classify_route(const struct strake_classifier *c, uint32_t host, uint32_t subsystem,
					    uint32_t nsid);
/** True if there are rules at all: without, every class is 0 and nobody need ask. */
bool strake_classifier_has_rules(const struct strake_classifier *c);
/** Classes of a burst of requests: 0 where no rule matches. Any lcore. */
void strake_classify(const struct strake_classifier *c, const struct strake_class_key *keys, uint8_t *cls,
		     unsigned int n);

#ifdef __cplusplus
}
#endif

#endif /* STRAKE_CLASSIFY_H */
