/* SPDX-License-Identifier: GPL-2.0-or-later
 * Cuts a long text into pieces that fit a MSG_ANSWER. Pure. */
#pragma once

#include "proto/msg.h"

#include <stddef.h>

/* Copies as much of `text` as surely fits a frame, whole UTF-8 characters, and returns how many
 * bytes that was: all of it, if there is nothing more to cut. */
size_t chunk_take(char to[ANSWER_LEN], const char *text);
