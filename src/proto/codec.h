/* SPDX-License-Identifier: GPL-2.0-or-later
 * struct msg <-> one JSON object, the content of one frame. Pure. Each message is described once,
 * in a table in fields.c; keys are the names of the fields, "t" is the kind.
 *
 * Hosts and slots travel by name. A set of hosts inside a list is an array of indices into the
 * message's own "hosts" list of names: 64 slots with 64 members each would not fit a frame
 * otherwise. Moments and durations lie within +-MSG_MS_MAX, so that sums cannot overflow. In texts,
 * what is no UTF-8 and every control character but tab and newline travels as '?', so nothing said
 * by a server reaches a terminal as an escape sequence. */
#pragma once

#include "base/err.h"
#include "proto/msg.h"

#include <stddef.h>

enum { MSG_FRAME_MAX = 65536 }; /* the longest message; the size of `out` */

#define MSG_MS_MAX ((int64_t)1 << 50)

/* 0 and *len bytes in `out` (no zero at the end); -EINVAL: the message breaks a rule of msg.h,
 * -EMSGSIZE: longer than `size`, -ENOMEM. An index that `names` doesn't have is -EINVAL. */
int msg_encode(const struct msg *m, const struct names *names, char *out, size_t size, size_t *len,
               struct err *e) MUST_CHECK;

/* 0; -EPROTO with a sentence that names the key; -ENOMEM. *m is untouched on failure and has no
 * stray bytes on success: equal messages are equal bytes. Keys this side doesn't know are ignored,
 * all it knows must be there, none twice. ctl, which speaks of no host or slot, passes zeroed
 * `names`. */
int msg_decode(struct msg *m, const struct names *names, const void *data, size_t len,
               struct err *e) MUST_CHECK;

/* What text becomes when it travels (see above), in place. */
void msg_clean_text(char *text);

extern const char *const msg_kind_names[MSG_N];
