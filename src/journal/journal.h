/* SPDX-License-Identifier: GPL-2.0-or-later
 * The durable state of one process. Every record is the whole state, so the last one is all that
 * counts; a record is reported done only after it has reached the disk. Opening blocks (it belongs
 * before uv_run); afterwards nothing here ever waits for the disk on the loop. */
#pragma once

#include "base/check.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define JOURNAL_PAYLOAD_MAX (1024 * 1024) /* bytes of one state */
#define JOURNAL_FILE_MAX    (1024 * 1024) /* past this the file starts anew */

struct journal;

struct journal_opts {
    bool no_uring; /* use the own thread even where io_uring works */
};
/* What daemons take: AddressSanitizer looks for leaks at the end with all threads stopped, and
 * waits for ever for those that io_uring keeps in the kernel. */
extern const struct journal_opts journal_daemon;

/* What the file held; valid during the callback only. */
struct journal_last {
    const void *data; /* NULL: no record yet */
    size_t len;
    uint64_t seq;
    const char *note; /* NULL, or a sentence for the log: what was cut off and why */
};

typedef void (*journal_last_fn)(void *owner, const struct journal_last *last);
/* err: 0 durable, else a negative errno: this state may or may not be found after a crash. */
typedef void (*journal_done_fn)(void *owner, uint64_t seq, int err);
typedef void (*journal_closed_fn)(void *owner);

/* Opens or creates `path` (mode 0600; its directory too, 0700, if only that is missing), takes the
 * lock `path`.lock, cuts off an unfinished last record and calls on_last exactly once before it
 * returns. opts may be NULL. Errors (sentence in e, *out untouched): -EBUSY another process has it,
 * -EUCLEAN damaged before its end, others as from the system. */
int journal_open(uv_loop_t *loop, const char *path, const struct journal_opts *opts, void *owner,
                 journal_last_fn on_last, struct journal **out, struct err *e) MUST_CHECK;

/* Copies the state and makes it durable; done is called from the loop, never from inside this call,
 * in the order of the appends. Those that wait while a sync is running go out together, as the
 * newest of them, which contains the others. Returns the sequence number (they only grow).
 * Failures (-ENOSPC, -EIO, ...; -EMSGSIZE: longer than JOURNAL_PAYLOAD_MAX, or empty) come through
 * done, and the journal stays usable: the next append writes its state into a fresh file. */
uint64_t journal_append(struct journal *j, const void *data, size_t len, void *owner,
                        journal_done_fn done);

/* CLOCK_BOOTTIME ms since when the oldest append not yet done has been waiting for the disk;
 * CLOCK_NEVER: none waits. A hung disk shows here and nowhere else. */
int64_t journal_waiting_since(const struct journal *j);

/* "io_uring", "own thread", or "own thread (io_uring: <why not>)". */
const char *journal_backend(const struct journal *j);

/* Lets what was appended become durable (their done callbacks come first), then frees j and calls
 * done. No append after this. Waits as long as the disk does. */
void journal_close(struct journal *j, void *owner, journal_closed_fn done);
