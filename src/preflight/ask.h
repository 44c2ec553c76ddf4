/* SPDX-License-Identifier: GPL-2.0-or-later
 * Fills a survey: every account of every host at once, question after question, each with a
 * deadline. */
#pragma once

#include "preflight/survey.h"

#include <uv.h>

/* Which logins are tried is set in the survey. Runs the loop until all are over. */
void ask_all(struct survey *s, uv_loop_t *loop);
