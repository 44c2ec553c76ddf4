/* SPDX-License-Identifier: GPL-2.0-or-later
 * How much room a disk must have, in bytes: for everybody who judges it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define ROOM_FULL  (1ull << 20) /* less than that: what is written waits, or will at once */
#define ROOM_AGAIN (4ull << 20)
#define ROOM_SPARE (64ull << 20) /* of state_dir's disk stay free of what other hosts may need */
#define ROOM_LOW   (1ull << 30)  /* no room for one more binary log file of the usual size */

/* What is full stays so until there is some room: who tries again may take or give back what could
 * be written of one transaction. */
static inline bool room_is_full(uint64_t bytes_left, bool was)
{
    return bytes_left < (was ? ROOM_AGAIN : ROOM_FULL);
}
