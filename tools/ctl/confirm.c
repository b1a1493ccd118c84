/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include "confirm.h"

#include <string.h>

#include "cli.h"

int
confirm(bool yes, const char *loss, bool terminal, FILE *in, FILE *out)
{
	char answer[16] = "";

	if (yes)
		return CLI_OK;
	if (!terminal)
		return cli_fail(CLI_USAGE, "%s; if that is meant, say --yes", loss);
	fprintf(out, "%s. Go on? (yes/no) ", loss);
	fflush(out);
	if (fgets(answer, sizeof(answer), in) != NULL && strcmp(answer, "yes\n") == 0)
		return CLI_OK;
	return cli_fail(CLI_USAGE, "nothing was done");
}
