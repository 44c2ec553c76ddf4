/* SPDX-License-Identifier: GPL-2.0-or-later
 * Room on the disks of this machine: under its server's binary log and data, and under state_dir.
 * The limits are those that the agent goes by (base/room.h). */
#pragma once

#include "preflight/sheet.h"
#include "preflight/survey.h"

enum disk_of { DISK_BINLOG, DISK_DATA, DISK_STATE, DISK_N };

/* What that much room there means. */
void disk_judge(struct sheet *out, const char *host, enum disk_of of, const char *dir,
                uint64_t bytes_left);
/* h: this machine's host, NULL: it is only a monitor's. A disk that hangs is waited for a while. */
void disks_look(const struct conf *c, const struct looked *h, struct sheet *out);
