/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/* /strake/sock/info: asked of each lcore by message, from the telemetry thread. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "strake_telemetry.h"
#include "stream.h"

static struct sock_carrier *told; /* main sets it before lcores begin and after they ended */

int
sock_usage_add(void *arg)
{
	const struct sock_carrier *sc = __atomic_load_n(&told, __ATOMIC_ACQUIRE);
	const struct sock_lcore *lc = sc != NULL ? sc->lc[strake_self_index()] : NULL;
	struct sock_usage *sum = arg;
	const struct sock_stream *st;

	if (lc == NULL)
		return 0;
	sum->streams += lc->n_active;
	sum->hot += lc->n_hot;
	TAILQ_FOREACH (st, &lc->zombies, link)
		sum->zombies++;
	sum->accepts[lc->index] = lc->stats.accepts;
#define COUNTER(name, help) sum->n.name += lc->stats.name;
#include "counters.def"
#undef COUNTER
	return 0;
}

static void
dict(const struct sock_carrier *sc, const struct sock_usage *sum, struct rte_tel_data *d)
{
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "congestion", sc->congestion[0] != '\0' ? sc->congestion : "system");
	rte_tel_data_add_dict_u64(d, "streams", sum->streams);
	rte_tel_data_add_dict_u64(d, "hot", sum->hot);
	rte_tel_data_add_dict_u64(d, "zombies", sum->zombies);
#define COUNTER(name, help) rte_tel_data_add_dict_u64(d, #name, sum->n.name);
#include "counters.def"
#undef COUNTER
	for (unsigned int i = 0; i < STRAKE_LCORE_MAX; i++) {
		char key[32];

		if (sum->accepts[i] == 0)
			continue;
		snprintf(key, sizeof(key), "accepts_lcore_%u", i);
		rte_tel_data_add_dict_u64(d, key, sum->accepts[i]);
	}
}

static int
sock_info(const char *cmd, const char *params, struct rte_tel_data *d)
{
	const struct sock_carrier *sc = __atomic_load_n(&told, __ATOMIC_ACQUIRE);
	struct sock_usage sum = {.streams = 0};
	int ret = 0;

	if (sc == NULL)
		return -ENODEV;
	for (uint16_t i = 0; ret == 0 && i < strake_lcore_count(); i++)
		ret = strake_msg_call(i, sock_usage_add, &sum);
	if (ret == 0)
		dict(sc, &sum, d);
	return ret;
}

int
sock_telemetry(struct sock_carrier *sc)
{
	static bool registered;
	int ret = 0;

	if (!registered)
		ret = strake_tel_register("/strake/sock/info", sock_info,
					  "Streams and counters of the kernel's sockets. Takes no parameters.");
	registered = ret == 0;
	__atomic_store_n(&told, ret == 0 ? sc : NULL, __ATOMIC_RELEASE);
	return ret;
}
