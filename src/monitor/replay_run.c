/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "monitor/replay_run.h"

#include "monitor/record_file.h"
#include "monitor/record_hash.h"
#include "monitor/replay_sound.h"
#include "monitor/replay_words.h"
#include "monitor/status.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_LEN = 256 * 1024 };

struct replay {
    const char *path;
    const struct replay_opts *opts;
    FILE *to, *bad;
    struct record_reader reader;
    struct record_code code;
    struct engine engine;
    struct plan plan;
    struct record_input in;
    struct replay_room room;
    struct buf said, here; /* words; the outcome here */
    char version[64];
    uint64_t inputs, decisions, sections;
    int64_t began_ms, lasted_ms; /* of this section by the boot clock; of those before */
    bool done;                   /* past until_ms */
};

static void replay_flush(struct replay *r, FILE *to)
{
    if (r->said.len)
        fwrite(r->said.at, 1, r->said.len, to);
    r->said.len = 0;
    r->said.full = false;
}

static bool replay_told(const struct replay *r, int64_t wall_ms)
{
    return wall_ms >= r->opts->from_ms && wall_ms <= r->opts->until_ms;
}

static bool who_line(const char *who, const char *key, char *to, size_t size)
{
    const char *at = strstr(who, key);
    size_t len;

    if (!at || !size)
        return false;
    at += strlen(key);
    len = strcspn(at, "\n");
    if (len >= size)
        return false;
    for (size_t i = 0; i < len; i++) /* it goes to a terminal */
        to[i] = at[i] > ' ' && at[i] < 127 ? at[i] : '?';
    to[len] = 0;
    return true;
}

static int replay_who(struct replay *r)
{
    char layout[32], here[32];

    if (strncmp(r->reader.who, "hamm inputs 1\n", 14) != 0 ||
        !who_line(r->reader.who, "\nversion ", r->version, sizeof r->version) ||
        !who_line(r->reader.who, "\nengine ", layout, sizeof layout)) {
        fprintf(r->bad, "hamm replay: %s: recorded in a format that this hamm (%s) doesn't know\n",
                r->path, HAMM_VERSION);
        return 1;
    }
    snprintf(here, sizeof here, "%016" PRIx64, record_hash_layout());
    if (strcmp(layout, here) != 0) {
        fprintf(r->bad,
                "hamm replay: %s: recorded by another build, hamm %s (engine %s); this is hamm %s "
                "(engine %s), whose engine lies otherwise in memory. Replay it with the program "
                "that recorded it\n",
                r->path, r->version, layout, HAMM_VERSION, here);
        return 1;
    }
    if (strcmp(r->version, HAMM_VERSION) != 0)
        fprintf(r->bad,
                "hamm replay: %s: recorded by hamm %s, this is %s: where a rule has changed "
                "meanwhile, decisions differ\n",
                r->path, r->version, HAMM_VERSION);
    return 0;
}

static int replay_damaged(const struct replay *r, const char *what)
{
    fprintf(r->bad, "hamm replay: %s: damaged after %" PRIu64 " inputs: %s\n", r->path, r->inputs,
            what);
    return 1;
}

static void replay_section_said(struct replay *r, enum record_why why, int64_t wall_ms)
{
    static const char *const words[] = {
        [RECORD_STARTED] = "the monitor starts",
        [RECORD_ROTATED] = "goes on from the file before",
        [RECORD_RESUMED] = "recorded again: what happened before this is missing",
    };
    char when[RFC3339_LEN];

    if (replay_told(r, wall_ms))
        fprintf(r->to, "%s  ----  %s\n", status_time(when, wall_ms), words[why]);
}

static int replay_section(struct replay *r)
{
    enum record_why why;
    int64_t wall_ms;

    if (!record_code_open(&r->code, &why, &wall_ms, &r->engine))
        return replay_damaged(r, "a section begins with something else than an engine");
    if (!replay_engine_sound(&r->engine))
        return replay_damaged(r, "a section begins with an engine that cannot have been");
    r->sections++;
    r->began_ms = 0;
    replay_section_said(r, why, wall_ms);
    return 0;
}

static int replay_differs(struct replay *r, const uint8_t *bytes, size_t len)
{
    const struct names *names = &r->engine.conf.names;
    char when[RFC3339_LEN];

    replay_flush(r, r->to);
    fflush(r->to);
    buf_addf(&r->said, "%s  ====  input %" PRIu64 ", ", status_time(when, r->engine.wall),
             r->inputs);
    replay_words_input(&r->said, &r->engine, &r->in.ev);
    buf_addf(&r->said, ": decided otherwise than recorded\n  then, by hamm %s:\n", r->version);
    record_code_words(bytes, len, names, &r->said);
    buf_addf(&r->said, "  now, by hamm %s:\n", HAMM_VERSION);
    record_code_words((const uint8_t *)r->here.at, r->here.len, names, &r->said);
    for (unsigned i = 0; i < r->plan.n; i++)
        replay_words_action(&r->said, &r->engine, &r->plan.at[i], true);
    if (strcmp(r->version, HAMM_VERSION) != 0)
        buf_addf(&r->said,
                 "A rule has changed between the two versions; replay it with hamm %s to "
                 "see how it went.\n",
                 r->version);
    else
        buf_addf(&r->said, "Where only the numbers behind these words differ, nothing else is "
                           "seen here. It is the same version:\nunless its rules were changed "
                           "since, this is a bug; please report it with this file.\n");
    replay_flush(r, r->bad);
    return 1;
}

static void replay_tell(struct replay *r)
{
    const struct engine_event *ev = &r->in.ev;
    char when[RFC3339_LEN];

    if (!replay_told(r, ev->wall_ms))
        return;
    if (r->opts->verbose && (ev->kind == EV_START || ev->kind == EV_COMMAND ||
                             ev->kind == EV_NETWORK || ev->kind == EV_KILLED)) {
        buf_addf(&r->said, "%s  input  ", status_time(when, ev->wall_ms));
        replay_words_input(&r->said, &r->engine, ev);
        buf_addf(&r->said, "\n");
    }
    for (unsigned i = 0; i < r->plan.n; i++)
        replay_words_action(&r->said, &r->engine, &r->plan.at[i], r->opts->verbose);
    replay_flush(r, r->to);
}

static int replay_step(struct replay *r)
{
    const uint8_t *bytes;
    size_t len;

    if (!record_code_outcome(&r->code, &bytes, &len))
        return replay_damaged(r, "an input without an outcome");
    if (!replay_input_sound(&r->in, &r->engine.conf.names, &r->room))
        return replay_damaged(r, "an input that cannot have been");
    if (r->in.ev.wall_ms > r->opts->until_ms) {
        r->done = true;
        return 0;
    }
    engine_step(&r->engine, &r->in.ev, &r->plan);
    r->inputs++;
    r->decisions += r->plan.n;
    if (!r->began_ms)
        r->began_ms = r->in.ev.now_ms;
    r->here.len = 0;
    record_code_compare(&r->code, &r->engine, &r->plan, &r->here);
    if (r->here.len != len || memcmp(r->here.at, bytes, len) != 0)
        return replay_differs(r, bytes, len);
    replay_tell(r);
    return 0;
}

static void replay_section_over(struct replay *r)
{
    if (r->began_ms)
        r->lasted_ms += r->engine.now - r->began_ms;
    r->began_ms = 0;
}

static int replay_block(struct replay *r, enum record_block kind)
{
    int rc = 0;

    r->code.at = (const uint8_t *)r->reader.raw.at;
    r->code.end = r->code.at + r->reader.raw.len;
    if (kind == BLOCK_SECTION) {
        replay_section_over(r);
        rc = replay_section(r);
    } else if (!r->sections) {
        return replay_damaged(r, "it doesn't begin with a section");
    }
    while (!rc && !r->done && record_code_input(&r->code, &r->engine, &r->in))
        rc = replay_step(r);
    if (!rc && r->code.bad)
        return replay_damaged(r, "an input that makes no sense");
    return rc;
}

static int replay_all(struct replay *r)
{
    enum record_block kind = BLOCK_FILE;
    struct err e = {0};
    int rc = 0;

    while (!r->done && !rc) {
        int more = record_reader_next(&r->reader, &kind, &e);

        if (more < 0)
            return replay_damaged(r, e.msg);
        if (!more)
            break;
        rc = replay_block(r, kind);
    }
    replay_section_over(r);
    return rc;
}

static void replay_sum(struct replay *r)
{
    if (r->reader.note[0])
        fprintf(r->to, "%s: %s\n", r->path, r->reader.note);
    buf_addf(&r->said, "%" PRIu64 " inputs over ", r->inputs);
    replay_words_time(&r->said, r->lasted_ms);
    buf_addf(&r->said, ", %" PRIu64 " decisions: all as recorded\n", r->decisions);
    replay_flush(r, r->to);
}

int replay_run(const char *path, const struct replay_opts *opts, FILE *to, FILE *bad)
{
    struct replay *r = calloc(1, sizeof *r);
    struct err e = {0};
    int rc;

    CHECK(r);
    *r = (struct replay){.path = path, .opts = opts, .to = to, .bad = bad};
    r->said = r->here = BUF(LINE_MAX_LEN * 8);
    CHECK(record_code_init(&r->code) == 0);
    if (record_reader_open(&r->reader, path, &e) < 0) {
        fprintf(bad,
                "hamm replay: %s: %s; a monitor records to "
                "STATE_DIR/CLUSTER.MONITOR.monitor.inputs\n",
                path, e.msg);
        rc = 1;
    } else {
        rc = replay_who(r);
    }
    if (!rc)
        rc = replay_all(r);
    if (!rc)
        replay_sum(r);
    record_reader_close(&r->reader);
    record_code_free(&r->code);
    buf_free(&r->said);
    buf_free(&r->here);
    free(r);
    return rc;
}
