/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef CONF_H
#define CONF_H

/**
 * @file
 * The operator's file, checked whole.
 *
 * conf_load() reads a YAML file, collects every error with file, line, key, what was expected and the nearest known
 * key, and gives a structure only if there was none. Names are resolved: a volume points at its group, and so on.
 * Nothing here touches DPDK; stages and drives are known by the key tables handed in.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "conf_key.h"

#ifdef __cplusplus
extern "C" {
#endif

enum conf_idle { CONF_IDLE_ADAPTIVE, CONF_IDLE_SPIN };

/** `appliance:` */
struct conf_appliance {
	const char *name;	  /**< default "strake" */
	const char *control;	  /**< control socket; default /run/strake/NAME.sock */
	const char *state;	  /**< folder of what outlives it; default /var/lib/strake/NAME */
	unsigned int main_cpu;	  /**< default 0 */
	unsigned int *data_cpus;  /**< default [1], or [0] where there is one CPU */
	unsigned int n_data_cpus; /**< 1 to 31 */
	bool huge;		  /**< default true */
	uint64_t memory;	  /**< bytes for DPDK in all; default 1GiB */
	uint64_t buffers;	  /**< bytes of it for data pages (the arena); default 256MiB */
	unsigned int requests;	  /**< default 16384 */
	enum conf_idle idle;	  /**< default adaptive */
	unsigned int resume_us;	  /**< of a sleeping CPU at most, microseconds; 0: it never halts; default 100 */
	const char *congestion;	  /**< of kernel sockets: "cubic" (default), "newreno" or "system" */
	uint64_t slab;		  /**< slab size, bytes, power of two; default 1GiB */
	uint64_t under_way;	  /**< bytes on a data lcore before classes take turns; default 4MiB */
};

enum conf_action { CONF_ACCEPT, CONF_DENY };

/** One of a port's `access:`: the first that fits decides; none: denied. */
struct conf_access {
	const char *from;		/**< the peer's network: "10.0.0.0/24", "fd00::/64", or one address */
	unsigned int to_first, to_last; /**< TCP ports it is about, inclusive; default 1 to 65535 */
	enum conf_action action;
	unsigned int line;
};

/** One of `ports:` */
struct conf_port {
	const char *name;
	const char *device;   /**< PCI address, or devargs of a virtual device: "net_tap0,iface=strake0" */
	const char **members; /**< devices that a "net_bonding0,mode=1" joins into one */
	unsigned int n_members;
	unsigned int mtu;	/**< 576 to 65535; default 1500 */
	unsigned int queues;	/**< RX/TX pairs wanted; 0: one for each data lcore as far as the port has them */
	unsigned int vlan;	/**< 802.1Q id for all frames; 0: none */
	const char *mac;	/**< to set, or NULL */
	const char **addresses; /**< "10.0.0.2/24", "fd00::2/64" */
	unsigned int n_addresses;
	const char *gateway4, *gateway6; /**< or NULL */
	const char *congestion;		 /**< "cubic" (default) or "newreno" */
	struct conf_access *access;	 /**< who may connect; none: everybody */
	unsigned int n_access;
	const char *exception;	     /**< tap to the host's kernel for what is not ours; NULL: that is dropped */
	unsigned int exception_rate; /**< frames a second each way; default 20000 */
	unsigned int line;
};

/** One of `drives:` */
struct conf_drive {
	const char *name, *kind;
	const char *overwrite;	    /**< name of foreign data on it that may be lost, or NULL */
	struct conf_values *values; /**< of the kind's key table */
	unsigned int line;
};

enum conf_raid { CONF_RAID0, CONF_RAID1, CONF_RAID10 };
/** What a group is for: plain volumes, or one store of log volumes. */
enum conf_style { CONF_STYLE_PLAIN, CONF_STYLE_LOG };

/** Most drives of a group, and spares of one. */
#define CONF_GROUP_DRIVES_MAX 32u
#define CONF_GROUP_SPARES_MAX 8u

/** One of `groups:` */
struct conf_group {
	const char *name;
	enum conf_style style;	    /**< `style: plain | log` */
	enum conf_raid raid;	    /**< plain: `raid: 0 | 1 | 10` */
	uint64_t chunk;		    /**< bytes, power of two, 4KiB to 1MiB; default 64KiB */
	struct conf_drive **drives; /**< `drives: [names]` */
	unsigned int n_drives;
	uint64_t region; /**< size of a dirty region, bytes; default 64MiB */
	bool create;	 /**< blank drives may be made members; default true */
	/* log: */
	unsigned int data, parity;  /**< columns of a row; data 0 (default): all drives less parity; parity default 1 */
	uint64_t unit;		    /**< bytes of a row on one drive; default 64KiB */
	uint64_t segment;	    /**< bytes of a segment on one drive; 0 (default): to suit the drives */
	uint64_t map_cache;	    /**< bytes of the map kept in memory, 16MiB or more; 0 (default): 64MiB */
	struct conf_drive **spares; /**< `spares: [names]`: for the place of a member that goes missing */
	unsigned int n_spares;
	uint64_t rebuild_rate; /**< bytes a second that rebuild and growth write; 0 (default): no limit */
	uint64_t scrub_every;  /**< ns from the end of one scrub to the next; 0 (default): only when told */
	uint64_t scrub_rate;   /**< bytes a second of such a scrub; 0 (default): no limit */
	uint64_t reseal_rate;  /**< bytes a second that are sealed anew after a change of keys; 0 (default): 64MiB */
	unsigned int lcore;    /**< data lcore (1-based) that has its rows and store; 0 (default): dealt in turn */
	unsigned int line;
};

/** One of a volume's `stages:`; either a bare name or `name: {keys}`. */
struct conf_stage {
	const char *name;
	struct conf_values *values; /**< of the stage's key table, without `lcore` */
	int cpu;		    /**< `lcore: N`: data lcore index (1-based) it has alone; -1 none */
	unsigned int line;
};

/** One of `volumes:` */
struct conf_volume {
	const char *name;
	struct conf_group *group;
	uint64_t size;	  /**< bytes */
	unsigned int lba; /**< 512 or 4096; default 4096 */
	bool read_only;
	const char *uuid; /**< to set, or NULL: made at creation and kept on the drives */
	struct conf_stage *stages;
	unsigned int n_stages;
	unsigned int line; /**< 0: no file names it, it was made while the appliance ran */
};

/** One of a subsystem's `namespaces:` */
struct conf_namespace {
	unsigned int nsid; /**< 1.. ; default: its place in the list */
	struct conf_volume *volume;
	unsigned int line;
};

/** One of `subsystems:` */
struct conf_subsystem {
	const char *nqn;
	const char *serial; /**< up to 20 characters; default made from the NQN */
	const char *model;  /**< default "Strake" */
	bool any_host;	    /**< `hosts: any` */
	const char **hosts; /**< `hosts: [NQN, ...]`; none: nobody may connect */
	unsigned int n_hosts;
	struct conf_namespace *namespaces;
	unsigned int n_namespaces;
	unsigned int max_queues;  /**< I/O queues for each controller; default 16 */
	unsigned int queue_depth; /**< default 128 */
	unsigned int line;
};

/** Bounds of a class's `range:` are multiples of this many bytes. */
#define CONF_CLASS_STEP (1u << 20)

/** One of `classes:`. The first that matches a request gives its class; bounds are inclusive. */
struct conf_class {
	const char *name;		  /**< or NULL */
	const char *host;		  /**< NQN, or "any" (default) */
	struct conf_subsystem *subsystem; /**< NULL: any */
	unsigned int nsid;		  /**< `namespace:`; 0: any */
	uint64_t range_first, range_last; /**< `range: [first, end]`, bytes; default the whole volume, UINT64_MAX */
	const char **ops;		  /**< names as pipeline has them; none: any */
	unsigned int n_ops;
	unsigned int dscp_first, dscp_last; /**< default 0 to 63 */
	unsigned int pcp_first, pcp_last;   /**< default 0 to 7 */
	unsigned int cls;		    /**< `class:`, 1 to 255 */
	unsigned int line;
};

/** One of `services:`: what a class may use. */
struct conf_service {
	unsigned int cls;      /**< `class:`, 0 to 255, each once */
	unsigned int weight;   /**< 1 to 1000; default 100 */
	uint64_t iops;	       /**< requests a second; 0 (default): no limit */
	uint64_t bandwidth;    /**< bytes a second; 0 (default): no limit */
	unsigned int burst_ms; /**< what is saved up by a quiet class; default 100 */
	unsigned int line;
};

/** State of the paths through a listener (NVMe: asymmetric namespace access). */
enum conf_ana { CONF_ANA_OPTIMIZED, CONF_ANA_NON_OPTIMIZED, CONF_ANA_INACCESSIBLE };

/** One of `listeners:` */
struct conf_listener {
	const char *transport;	/**< "nvme_tcp" */
	struct conf_port *port; /**< NULL: `port: kernel`, the host's own sockets */
	const char *address;	/**< "10.0.0.2", "::" */
	unsigned int service;	/**< TCP port; default 4420 */
	enum conf_ana ana;	/**< default optimized */
	unsigned int line;
};

struct conf {
	const char *file;
	struct conf_appliance appliance;
	struct conf_port *ports;
	unsigned int n_ports;
	struct conf_drive *drives;
	unsigned int n_drives;
	struct conf_group *groups;
	unsigned int n_groups;
	struct conf_volume *volumes;
	unsigned int n_volumes;
	struct conf_subsystem *subsystems;
	unsigned int n_subsystems;
	struct conf_class *classes;
	unsigned int n_classes;
	struct conf_service *services;
	unsigned int n_services;
	struct conf_listener *listeners;
	unsigned int n_listeners;
};

/** How the loader learns what stages and drives there are (pipeline's registries, or a test's own table). */
struct conf_kinds {
	/** Key table of a drive kind; *found tells a kind without keys from an unknown one. */
	const struct conf_key *(*drive_keys)(const char *kind, bool *found);
	const struct conf_key *(*stage_keys)(const char *stage, bool *found);
	/** The @p i-th known name or NULL, for suggestions. */
	const char *(*drive_kind)(unsigned int i);
	const char *(*stage_name)(unsigned int i);
};

/** One thing wrong with the file. */
struct conf_error {
	unsigned int line, column; /**< 1-based; 0: the file as a whole */
	bool warning;		   /**< allowed, but hardly meant: does not keep the file from being loaded */
	char text[240];		   /**< "volumes[0].lba: \"1024\" is not known; expected 512 or 4096" */
};

struct conf_errors {
	struct conf_error *list;
	unsigned int n;
};

/**
 * Load and check a file.
 * @param errs out: every error (up to 100) and, if there is none, every warning, in order of lines; free with
 * conf_errors_free(), whatever is returned.
 * @return NULL if there was any error. Warnings alone come with a structure.
 */
struct conf *conf_load(const char *file, const struct conf_kinds *kinds, struct conf_errors *errs);
/** As conf_load(), from memory: tests and fuzzing. @p file is the name used in messages. */
struct conf *conf_parse(const char *text, size_t len, const char *file, const struct conf_kinds *kinds,
			struct conf_errors *errs);
void conf_free(struct conf *conf);
/** "FILE:LINE:COLUMN: text" or "FILE:LINE:COLUMN: warning: text", one a line. */
void conf_errors_print(const struct conf_errors *errs, const char *file, FILE *out);
void conf_errors_free(struct conf_errors *errs);
/** Write a file that loads to the same structure, from whatever folder: paths are absolute, defaults written out.
 * Saving what was loaded from it is byte-identical. @return 0 or -errno. */
int conf_save(const struct conf *conf, FILE *out);
/** Print what every key means, takes and defaults to, in Markdown, from the tables that files are checked against.
 * @return 0 or -errno. */
int conf_reference(const struct conf_kinds *kinds, FILE *out);

/* Changes to what was loaded, so that conf_save() writes them. */
/** Add a volume. Its strings, its stages and their values were malloc()ed, and are taken. All pointers to volumes that
 * the caller keeps move; those of namespaces follow. @return where it is; NULL: out of memory, nothing was taken. */
struct conf_volume *conf_volume_add(struct conf *conf, const struct conf_volume *volume);
/** Remove a volume, with the namespaces that offer it; pointers move as above. */
void conf_volume_remove(struct conf *conf, struct conf_volume *volume);
/** Free what a volume that was not added holds. */
void conf_volume_clear(struct conf_volume *volume);
/** By name, which may be NULL; NULL: there is none. */
struct conf_volume *conf_volume_find(const struct conf *conf, const char *name);
struct conf_group *conf_group_find(const struct conf *conf, const char *name);
struct conf_subsystem *conf_subsystem_find(const struct conf *conf, const char *nqn);
/** The stage of that kind; NULL: the volume has none. */
const struct conf_stage *conf_volume_stage(const struct conf_volume *volume, const char *kind);
/** Whether a file may give this name; if not, @p err has what is wrong with it. */
bool conf_name_good(const char *name, char *err, size_t errlen);
/** The same of a UUID. */
bool conf_uuid_good(const char *uuid, char *err, size_t errlen);
int conf_namespace_add(struct conf_subsystem *s, unsigned int nsid, struct conf_volume *volume);
void conf_namespace_remove(struct conf_subsystem *s, unsigned int nsid);
/** Whether a file may name this host; if not, @p err has what is wrong with it. */
bool conf_host_good(const char *nqn, char *err, size_t errlen);
int conf_host_add(struct conf_subsystem *s, const char *nqn);
void conf_host_remove(struct conf_subsystem *s, const char *nqn);

#ifdef __cplusplus
}
#endif

#endif /* CONF_H */
