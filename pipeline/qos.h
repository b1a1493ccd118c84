/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef QOS_H
#define QOS_H

#include "strake_qos.h"
#include "strake_req.h"

struct qos;

/** Remember what is asked; doors are made for the data lcores. Main. @return 0, -ENOMEM, -EINVAL. */
int qos_init(const struct strake_qos_conf *conf);
void qos_fini(void);
/** This lcore's door; NULL: there is none. Its poller runs from now on. */
struct qos *qos_lcore_init(void);
void qos_lcore_fini(void);

/** Let requests in or have them wait; those let in are given to submit_enter() in bursts. */
void qos_submit(struct qos *q, struct strake_req **reqs, uint16_t n);
/** One that was let in has ended, on the lcore where it was. */
void qos_ended(struct qos *q, struct strake_req *req);
/** Some request of this lcore was cancelled: look for it in the lines. */
void qos_cancelled(struct qos *q);

#endif /* QOS_H */
