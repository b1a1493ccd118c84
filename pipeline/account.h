/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef ACCOUNT_H
#define ACCOUNT_H

/** @file The loop's side of the accounts: a turn begins, a turn ends. */

#include "strake_account.h"

/** Turned on or off since the last turn? Then begin or stop; and begin the turn's account. */
void account_follow(struct strake_lcore *lc);

void account_turn_begin(struct strake_account *a);
/** Book the turn if it did something, else forget it. */
void account_turn_end(struct strake_account *a, bool worked);

/** Pairs with strake_account_set(): relaxed, any turn soon will do. */
extern bool account_wanted;

#endif /* ACCOUNT_H */
