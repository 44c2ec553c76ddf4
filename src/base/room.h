/* SPDX-License-Identifier: GPL-2.0-or-later
 * How much room a disk must have, in bytes: for everybody who judges it. */
#pragma once

#define ROOM_FULL (1ull << 20) /* less than that: what is written waits, or will at once */
#define ROOM_AGAIN                                                                                 \
    (4ull << 20)                 /* and counts as full until there is that much again: who tries   \
                                  * anew may take or give back what it could write of one thing */
#define ROOM_SPARE (64ull << 20) /* of state_dir's disk stay free of what other hosts may need */
#define ROOM_LOW   (1ull << 30)  /* no room for one more binary log file of the usual size */
