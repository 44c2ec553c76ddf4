/* SPDX-License-Identifier: GPL-2.0-or-later
 * Any bytes as a message: refused with a sentence, or decoded to something that survives another
 * journey unchanged. */
#include "proto/codec.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct names names = {
        .hosts = 3,
        .slots = 3,
        .host = {"db1", "db2", "db3"},
        .slot = {"writer", "reader/10.77.0.103", "reader/10.77.0.104"},
    };
    static char frame[MSG_FRAME_MAX];
    static struct msg one, two;
    struct err err = {0};
    size_t len = 0;

    if (msg_decode(&one, &names, data, size, &err)) {
        CHECK(err.code < 0 && err.msg[0]);
        return 0;
    }
    if (msg_encode(&one, &names, frame, sizeof frame, &len, &err)) {
        /* unescaped by the sender, escaped by us: it may have grown */
        CHECK(err.code == -EMSGSIZE);
        return 0;
    }
    CHECK(!msg_decode(&two, &names, frame, len, &err));
    CHECK(!memcmp(&one, &two, sizeof one));
    return 0;
}
