/* SPDX-License-Identifier: GPL-2.0-or-later
 * Whether what a file says may be given to the engine, which takes bounds for granted. Pure. */
#pragma once

#include "monitor/record_code.h"
#include "proto/msg.h"

/* Indices, numbers of things and ends of names in a whole engine. */
bool replay_engine_sound(const struct engine *e);
/* A message of an event: as the codec would have it. `room` is for working. */
struct replay_room {
    struct msg msg;
    char frame[64 * 1024];
};
bool replay_input_sound(const struct record_input *in, const struct names *names,
                        struct replay_room *room);
