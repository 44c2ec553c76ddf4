/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gtid/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { UUID_LEN = PLACE_UUID_MAX - 1 };

void place_write(char to[PLACE_TEXT_MAX], const char *uuid, const char *file, uint64_t pos)
{
    struct place read;
    int n = snprintf(to, PLACE_TEXT_MAX, "%s/%s:%llu", uuid, file, (unsigned long long)pos);

    if (n >= PLACE_TEXT_MAX || !place_read(to, &read))
        to[0] = 0;
}

bool place_read(const char *text, struct place *to)
{
    static const struct place none;
    const char *colon = strrchr(text, ':');
    struct gtid_set set;
    struct err ignored;
    size_t len;

    *to = none;
    if (strlen(text) <= UUID_LEN || text[UUID_LEN] != '/' || !colon ||
        gtid_parse(text, GTID_MYSQL, &set, &ignored) < 0 || set.n != 1 || set.range[0].lo != 1)
        return false;
    len = (size_t)(colon - text) - UUID_LEN - 1;
    if (len >= sizeof to->file)
        return false;
    memcpy(to->uuid, text, UUID_LEN);
    memcpy(to->file, text + UUID_LEN + 1, len);
    to->pos = strtoull(colon + 1, NULL, 10);
    return true;
}

bool place_same_server(const char *a, const char *b)
{
    return strlen(a) > UUID_LEN && strlen(b) > UUID_LEN && strncmp(a, b, UUID_LEN + 1) == 0;
}

bool place_same_log(const char *a, const char *b)
{
    const char *dot = strrchr(a, '.');

    return place_same_server(a, b) && dot && strncmp(a, b, (size_t)(dot - a) + 1) == 0 &&
           strchr(b + (dot - a) + 1, '.') == NULL;
}

bool place_before(const char *a, const char *b)
{
    struct gtid_set x, y;
    struct err ignored;

    return place_same_log(a, b) && gtid_parse(a, GTID_MYSQL, &x, &ignored) == 0 &&
           gtid_parse(b, GTID_MYSQL, &y, &ignored) == 0 && !gtid_subset(&y, &x);
}

bool place_next_file(char file[PLACE_FILE_MAX])
{
    char *number = strrchr(file, '.');
    size_t room = number ? (size_t)(file + PLACE_FILE_MAX - ++number) : 0;

    return number &&
           (size_t)snprintf(number, room, "%06llu", strtoull(number, NULL, 10) + 1) < room;
}
