/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef KEK_H
#define KEK_H

/**
 * @file
 * Where the key-encryption key of a log group is: a key file, or a key of the kernel's keyring. All sealed volumes of a
 * group say the same of it.
 *
 * `key rewrap` wraps the group's keys anew by a key from another place (or by another key from the same). The new place
 * is first kept with what else strakectl changed (overlay.h), and the one before beside it; then the table of keys on
 * the drives changes, in one writing. The next start tries the places one by one, and a wrong key writes nothing: so
 * kill -9 at any time, or a table that could not be written, leaves one that opens it. Main.
 */

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "conf.h"

struct kek_place {
	bool keyring;
	char name[PATH_MAX]; /**< of the file, or of the key in the kernel */
};

/** The key of the configuration that has it: "key_file" or "keyring". */
const char *kek_word(const struct kek_place *p);
bool kek_same(const struct kek_place *a, const struct kek_place *b);
/** Where stage `seal` of a volume looks. */
void kek_place(const struct conf_stage *seal, struct kek_place *out);
/** The same values but for the place. @return the caller's to free; NULL with one line in @p err. */
struct conf_values *kek_values(const struct conf_values *v, const struct kek_place *p, char *err, size_t errlen);
/** All sealed volumes of the group look there from now on. @return 0; -EINVAL with one line in @p err. */
int kek_move(const struct conf *conf, const struct conf_group *g, const struct kek_place *p, char *err, size_t errlen);

#endif /* KEK_H */
