/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef PLAN_H
#define PLAN_H

/**
 * @file
 * From the checked configuration to drives, groups, chains and volumes.
 */

#include "boot.h"
#include "strake_chain.h"

/** Bring-up: open all drives, beside each other. A drive that a group can do without is not waited for longer than some
 * seconds, nor does it matter that it cannot be had; one with somebody else's data does. */
int plan_drives_up(struct appliance *a);
void plan_drives_down(struct appliance *a);
/** The group a drive belongs to, or NULL. */
struct conf_group *plan_group_of(const struct conf *conf, const struct conf_drive *d);
/** Begin to open drive @p i with @p values, which must stay until it is opened. Main, which goes on meanwhile. @return
 * 0; -EBUSY: it is being opened; -errno with one line in @p err. */
int plan_drive_open(const struct appliance *a, unsigned int i, const struct conf_values *values, char *err,
		    size_t errlen);
/** Is it open, and ready on every lcore? @return 0; -EINPROGRESS; -errno with one line in @p err. */
int plan_drive_opened(struct appliance *a, unsigned int i, char *err, size_t errlen);
/** Drive @p i was not waited for any longer at the start, and is still being opened. */
bool plan_drive_late(unsigned int i);
/** Leave those that are being opened. */
void plan_drive_open_leave(const struct appliance *a);
/** Give the open drive @p i to its group.
 * @return 0: the group looks at it; -ENOENT: it has none; -errno with one line in @p err. */
int plan_drive_return(struct appliance *a, unsigned int i, char *err, size_t errlen);
/** Close drive @p i on every lcore; nobody uses it. @p why: for whoever asks where it is. */
void plan_drive_close(struct appliance *a, unsigned int i, const char *why);
int plan_groups_up(struct appliance *a);
void plan_groups_down(struct appliance *a);
/**
 * What the loader cannot know: stages that do not suit the style of their volume's group, and volumes of one store that
 * contradict each other. All of it is told, each in a line "FILE:LINE: why".
 * @return 0; -EINVAL: something was told.
 */
typedef void plan_tell_fn(void *arg, const char *line);
int plan_check(const struct conf *conf, plan_tell_fn *tell, void *arg);
/** Open the keys of the log groups that have any. Where that cannot be, a->seals_off says so, and it is told once; the
 * sealed volumes of the group stay offline. @return 0; -errno with "FILE:LINE: why": the stage cannot be made. */
int plan_keys_up(struct appliance *a);
void plan_keys_down(struct appliance *a);
/** Open those of one group, again. @return 0; -errno with "FILE:LINE: why" in a->err. */
int plan_keys_open(struct appliance *a, unsigned int g);
/** Why the keys of this volume are not open, in a word or two; NULL: they are, or it has none. */
const char *plan_keys_off(const struct appliance *a, const struct conf_volume *v);
/** Are all volumes of the group offline for want of keys? Then its store is left alone. */
bool plan_keys_missed(const struct appliance *a, unsigned int g);
/** A sealed volume of a group that was offline is no more: without another the group misses no key. */
void plan_keys_settle(struct appliance *a, unsigned int g);
/** Is there another volume with the key of this domain than the one named @p but? @p name: STRAKE_NAME_MAX bytes. */
bool plan_keys_shared(const struct appliance *a, unsigned int g, uint32_t domain, const char *but, char *name);
/** Destroy all keys of a domain, durably; whether they are open or not. @return 0, also if there are none; -errno. */
int plan_keys_erase(struct appliance *a, unsigned int g, uint32_t domain);
/** The first sealed volume of a group, or NULL. */
const struct conf_volume *plan_keys_first(const struct conf *conf, unsigned int g);
/** Open the stores of the log groups. Main; the data lcores run, and their owners' drives are made ready here. */
int plan_stores_up(struct appliance *a);
void plan_stores_down(struct appliance *a);
/** Open the store of log group @p i. */
int plan_store_up(struct appliance *a, unsigned int i);
/** Does a store live on this lcore? Then its drives and log groups are the stores' step to begin and to end. */
bool plan_stores_owner(const struct appliance *a, uint16_t lcore);
bool plan_volume_is_log(const struct conf_volume *v);
/** What is wrong with that many bytes for a volume of a log group, or NULL. */
const char *plan_log_size_wrong(uint64_t bytes);
/** The number by which a store knows the domain of a volume; 0: it shares with nobody. */
uint32_t plan_domain_number(const struct conf_volume *v);
/** Are two volumes of one group and domain? What they share of blocks and keys they share then. */
bool plan_domain_same(const struct conf_volume *u, const struct conf_volume *v);
int plan_volumes_up(struct appliance *a);
void plan_volumes_down(struct appliance *a);
/** Make the volume that was added last to the configuration, on every lcore, while others are served. Main; runs turns.
 * @return 0; -errno with one line in a->err, and nothing is left of it but what its store may hold. */
int plan_volume_begin(struct appliance *a);
/** The same of volume @p i, which was offline. */
int plan_volume_online(struct appliance *a, unsigned int i);
/** May volume @p i be taken away? Asks its stages to let go; nobody offers it. Main. @return 0; -EAGAIN: soon. */
int plan_volume_drain(struct appliance *a, unsigned int i);
/** Take it away, from the configuration too. */
void plan_volume_end(struct appliance *a, unsigned int i);

/* --- between the files of plan --------------------------------------------------------------------------------------
 */

/** The stages of one volume, nearest the client first. */
struct plan_stages {
	struct strake_stage *req[STRAKE_CHAIN_STAGES_MAX];
	struct strake_stage *chunk[STRAKE_CHAIN_STAGES_MAX];
	unsigned int n_req, n_chunk;
};

int plan_stages_up(struct appliance *a, const struct conf_volume *v, struct plan_stages *lists);
/** Those named by the operator; a group's own go with the group. */
void plan_stages_down(const struct conf_volume *v);
/** Stage @p i of a volume, or NULL. The seal belongs to the group, and goes with it. */
struct strake_stage *plan_stage(const struct conf_volume *v, unsigned int i);
/** Open log group @p i from the drives of it that are there; its owner is as its file says, or dealt in turn. */
int plan_log_group_up(struct appliance *a, unsigned int i, struct strake_drive **members, unsigned int n);
int plan_log_volume_up(struct appliance *a, unsigned int i, const uint8_t *uuid);
/** The `seal` that the volumes of a group share, made and opened for the first of them. a->err has the place. */
int plan_seal_up(struct appliance *a, const struct conf_volume *v, struct strake_stage **out);
/** Keys and openings of a group that no data needs are forgotten beside the traffic; before the stores go that ends. */
void plan_tidy_up(struct appliance *a, unsigned int g);
void plan_tidies_down(struct appliance *a);

#endif /* PLAN_H */
