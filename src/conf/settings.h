/* SPDX-License-Identifier: GPL-2.0-or-later
 * Settings as tables: a row names a key, its kind, where its value goes, its default and its range;
 * this reads a mapping of the file by such a table. Knows kinds of values, no setting in
 * particular. */
#pragma once

#include "conf/tree.h"

enum setting_kind {
    SETTING_TEXT,      /* const char *, of min..max bytes */
    SETTING_PATH,      /* const char *, relative to the folder of the file; min..max bytes */
    SETTING_MS,        /* int64_t, written with a unit */
    SETTING_COUNT,     /* unsigned */
    SETTING_PORT,      /* uint16_t */
    SETTING_BOOL,      /* bool */
    SETTING_WORD,      /* an enum; the words of `words` */
    SETTING_ADDR,      /* struct conf_addr */
    SETTING_INTERFACE, /* char[IFNAMSIZ]; "auto" becomes "" */
    SETTING_MAP,       /* a mapping with the settings `sub`, which start at `at` */
    SETTING_CALL,      /* `call` reads it */
    SETTING_LATER      /* known, but read by somebody else */
};

struct setting_word {
    const char *word;
    unsigned value;
};

struct reader;

struct setting {
    const char *key;
    enum setting_kind kind;
    size_t at;          /* offset in the struct being filled */
    const char *preset; /* the default, as one would write it; NULL: leave it zero */
    int64_t min, max;
    const struct setting_word *words; /* ends with a NULL word */
    const struct setting *sub;        /* tables end with a NULL key */
    void (*call)(struct reader *r, const struct tree *t, void *to);
    const char *must; /* this key has to be given: an example of it */
};

/* What a reading needs everywhere. */
struct reader {
    const char *file; /* its name in messages */
    struct pool *pool;
    struct conf_errors *errs;
    struct conf *conf;          /* being filled */
    unsigned secrets;           /* enum conf_secrets: which to read */
    const struct tree *in_file; /* the first secret that stands in the file itself, or NULL */
    size_t n_bad;               /* found so far, counted even if the list is full */
};

/* An error at a value, or at its key; what it is about (its path) is put in front. */
void settings_bad(struct reader *r, const struct tree *t, const char *fmt, ...) PRINTF_LIKE(3, 4);
void settings_bad_key(struct reader *r, const struct tree *t, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* Puts the defaults of the table into `into`, which is zeroed. */
void settings_preset(struct reader *r, const struct setting *table, void *into);
/* Puts in what the mapping gives and leaves the rest as it is, so that a mapping can be laid on top
 * of another. Every error is added; a wrong value leaves what was there. */
void settings_fill(struct reader *r, const struct setting *table, const struct tree *map,
                   void *into);

/* One value. False, and an error, if it isn't one. */
bool settings_is_text(struct reader *r, const struct tree *t);
bool settings_is_list(struct reader *r, const struct tree *t, const char *example);
bool settings_is_map(struct reader *r, const struct tree *t);
bool settings_is_name(struct reader *r, const struct tree *t, const char *name);
bool settings_ms(struct reader *r, const struct tree *t, int64_t min, int64_t max, int64_t *to);
bool settings_addr(struct reader *r, const struct tree *t, const char *text, struct conf_addr *to);
bool settings_number(const char *text, int64_t max, int64_t *to);
/* The path as seen from where hamm was started; in the pool. */
const char *settings_path(struct reader *r, const char *path);
/* "200ms", "3s", "5m", "1h" */
struct settings_span {
    char text[32];
};
struct settings_span settings_span(int64_t ms);
