/* SPDX-License-Identifier: GPL-2.0-or-later
 * The agent's lease record: it outlives the agent (killed, upgraded) but not a reboot. One small
 * fixed-size file in /run, two slots written in turn, so that an agent killed in the middle of a
 * write leaves the previous record whole. The content is opaque here; the boot id is added to each
 * record and a record of another boot counts for nothing. */
#pragma once

#include "base/check.h"
#include "base/err.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_MAX      (17 * 1024) /* bytes of content */
#define RECORD_BOOT_LEN 36          /* /proc/sys/kernel/random/boot_id */

enum record_found {
    RECORD_NONE,       /* never written */
    RECORD_VALID,      /* content handed out */
    RECORD_OTHER_BOOT, /* written before the last reboot: void */
    RECORD_DAMAGED,    /* neither slot is whole */
    RECORD_N
};

struct record {
    int fd; /* -1: closed */
    uint64_t seq;
    char boot_id[RECORD_BOOT_LEN + 1];
    char path[PATH_MAX];
    char warning[PATH_MAX + 128]; /* "" or a sentence for the log: the directory is not in memory */
};

/* RECORD_BOOT_LEN bytes, no end. */
int record_boot_id(char *to, struct err *e) MUST_CHECK;

/* Opens or creates <dir>/<cluster>.<host>.lease (0600; the directory, if missing, 0755: the control
 * socket lives there too). Does not read the content. -EBUSY: another agent has it open. */
int record_open(struct record *r, const char *dir, const char *cluster, const char *host,
                struct err *e) MUST_CHECK;

/* RECORD_VALID: content copied into data (room for RECORD_MAX) and *len set; else untouched. */
enum record_found record_read(const struct record *r, void *data, size_t *len);

/* Replaces the record. Once this returned 0 it survives the death of this process. Never waits
 * when the directory is in memory. len <= RECORD_MAX, 0 is allowed. */
int record_write(struct record *r, const void *data, size_t len, struct err *e) MUST_CHECK;

/* Repeatable; also after a record_open that failed, not on a zeroed struct. The file stays. */
void record_close(struct record *r);
