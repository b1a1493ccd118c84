/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#ifndef STAGE_H
#define STAGE_H

#include "strake_stage.h"

#define STAGE_INSTANCES_MAX 1024
/* strake_stage::ctx_off of a stage that stands in no chain yet. */
#define STAGE_CTX_UNPLACED UINT16_MAX

#endif /* STAGE_H */
