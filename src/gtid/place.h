/* SPDX-License-Identifier: GPL-2.0-or-later
 * A place in a binary log as text, for servers without GTID: uuid/mysql-bin.000005:900 is "in the
 * log of the server with that uuid, behind byte 900 of its fifth file". As a set (gtid.h) it means
 * everything up to there. "" is no place. Pure. */
#pragma once

#include "gtid/gtid.h"

enum { PLACE_TEXT_MAX = 144, PLACE_UUID_MAX = 37, PLACE_FILE_MAX = 80 };

struct place {
    char uuid[PLACE_UUID_MAX];
    char file[PLACE_FILE_MAX]; /* mysql-bin.000005 */
    uint64_t pos;
};

/* "" unless all three say something that gtid_parse understands. */
void place_write(char to[PLACE_TEXT_MAX], const char *uuid, const char *file, uint64_t pos);
bool place_read(const char *text, struct place *to); /* false: it is no place */
/* Of the same server; of the same server and log, whose places compare. False if one is none. */
bool place_same_server(const char *a, const char *b);
bool place_same_log(const char *a, const char *b);
/* Of two places of the same log. */
bool place_before(const char *a, const char *b);
/* To the file that comes next in the same log. False: its name would be too long. */
bool place_next_file(char file[PLACE_FILE_MAX]);
