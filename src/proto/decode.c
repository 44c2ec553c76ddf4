/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/codec.h"

#include "proto/fields.h"
#include "proto/text.h"
#include "proto/walk.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the other side wrote, fit to be shown. */
static const char *quoted(char to[96], const char *text)
{
    snprintf(to, 96, "%s", text);
    text_clean(to, strlen(to));
    return to;
}

static int get_fields(struct walk *w, json_t *from, const struct field *f, char *to);

static int wrong(struct walk *w, const char *wanted, const json_t *got)
{
    static const char *const type[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array",  [JSON_STRING] = "a text",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a fraction", [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null",
    };

    return err_set(w->e, -EPROTO, "%s: expected %s, got %s", w->path, wanted,
                   type[json_typeof(got)]);
}

static int get_text(struct walk *w, const json_t *from, char *to, size_t size)
{
    size_t len;

    if (!json_is_string(from))
        return wrong(w, "a text", from);
    len = json_string_length(from);
    if (len >= size)
        return err_set(w->e, -EPROTO, "%s: %zu bytes, %zu are the most", w->path, len, size - 1);
    memcpy(to, json_string_value(from), len + 1);
    text_clean(to, len);
    return 0;
}

static int get_u64(struct walk *w, const json_t *from, char *at)
{
    const char *digits = json_string_value(from);
    uint64_t u;

    if (json_is_integer(from) && json_integer_value(from) >= 0) {
        u = (uint64_t)json_integer_value(from);
    } else if (digits && json_string_length(from) == strspn(digits, "0123456789") && *digits) {
        errno = 0;
        u = strtoull(digits, NULL, 10);
        if (errno || u <= INT64_MAX || *digits == '0')
            return wrong(w, "a number of 64 bits", from);
    } else {
        return wrong(w, "a number from 0", from);
    }
    memcpy(at, &u, sizeof u);
    return 0;
}

static int get_number(struct walk *w, const struct field *f, const json_t *from, char *at)
{
    json_int_t v = json_integer_value(from);
    unsigned u;
    int64_t i;

    if (!json_is_integer(from))
        return wrong(w, "a whole number", from);
    if (f->type == F_MS ? v > MSG_MS_MAX || v < -MSG_MS_MAX : v < 0 || v > (json_int_t)f->max)
        return err_set(w->e, -EPROTO, "%s: %" JSON_INTEGER_FORMAT " is out of range", w->path, v);
    if (f->type == F_MS) {
        i = v;
        memcpy(at, &i, sizeof i);
    } else {
        u = (unsigned)v;
        memcpy(at, &u, sizeof u);
    }
    return 0;
}

static int get_enum(struct walk *w, const struct field *f, const json_t *from, char *at)
{
    const char *word = json_string_value(from);
    char show[96];

    if (!word)
        return wrong(w, "a text", from);
    for (unsigned u = 0; u < f->max; u++)
        if (!strcmp(word, f->words[u])) {
            memcpy(at, &u, sizeof u);
            return 0;
        }
    return err_set(w->e, -EPROTO, "%s: unknown word \"%s\": is the other side a newer version?",
                   w->path, quoted(show, word));
}

static int get_name(struct walk *w, bool host, const json_t *from, int *out)
{
    const char *name = json_string_value(from);
    unsigned n = host ? w->names->hosts : w->names->slots;
    char show[96];

    if (!name)
        return wrong(w, "a name", from);
    for (unsigned i = 0; i < n; i++)
        if (!strcmp(name, host ? w->names->host[i] : w->names->slot[i])) {
            *out = (int)i;
            return 0;
        }
    return err_set(w->e, -EPROTO,
                   "%s: this side knows no %s \"%s\": is the configuration the same on both?",
                   w->path, host ? "host" : "slot", quoted(show, name));
}

static int get_dictionary(struct walk *w, const json_t *root)
{
    const json_t *array = json_object_get(root, "hosts"), *name;
    size_t i, was = walk_add(w, ".hosts");
    hostset seen = 0;
    int host = 0, rc = 0;

    if (array && !json_is_array(array))
        return wrong(w, "an array of names", array);
    if (json_array_size(array) > HOSTS_MAX)
        return err_set(w->e, -EPROTO, "%s: more than %d hosts", w->path, HOSTS_MAX);
    json_array_foreach(array, i, name)
    {
        size_t at = walk_add(w, "[%zu]", i);
        rc = get_name(w, true, name, &host);
        if (!rc && seen & (hostset)1 << host)
            rc = err_set(w->e, -EPROTO, "%s: named twice", w->path);
        if (rc)
            return rc;
        seen |= (hostset)1 << host;
        w->hosts.host[w->hosts.n++] = host;
        walk_back(w, at);
    }
    walk_back(w, was);
    return 0;
}

static int get_member(struct walk *w, enum field_type type, const json_t *from, int *out)
{
    json_int_t i = json_integer_value(from);

    if (type == F_SLOTSET)
        return get_name(w, false, from, out);
    if (!json_is_integer(from) || i < 0 || i >= (json_int_t)w->hosts.n)
        return err_set(w->e, -EPROTO, "%s: expected an index of the list `hosts`", w->path);
    *out = w->hosts.host[i];
    return 0;
}

static int get_set(struct walk *w, enum field_type type, const json_t *from, char *at)
{
    uint64_t set = 0;
    json_t *item;
    size_t i;
    int member = 0;

    if (!json_is_array(from))
        return wrong(w, "an array", from);
    json_array_foreach(from, i, item)
    {
        size_t was = walk_add(w, "[%zu]", i);
        int rc = get_member(w, type, item, &member);
        if (!rc && set & (uint64_t)1 << member)
            rc = err_set(w->e, -EPROTO, "%s: named twice", w->path);
        if (rc)
            return rc;
        set |= (uint64_t)1 << member;
        walk_back(w, was);
    }
    memcpy(at, &set, sizeof set);
    return 0;
}

/* A list of slots names each slot once. */
static int get_unique(struct walk *w, const struct field *f, const char *at, uint64_t *seen)
{
    int slot;

    if (f->fields[0].type != F_SLOT)
        return 0;
    memcpy(&slot, at + f->fields[0].at, sizeof slot);
    if (*seen & (uint64_t)1 << slot)
        return err_set(w->e, -EPROTO, "%s: slot \"%s\" stands in the list twice", w->path,
                       w->names->slot[slot]);
    *seen |= (uint64_t)1 << slot;
    return 0;
}

static int get_array(struct walk *w, const struct field *f, const json_t *from, char *to)
{
    unsigned n = (unsigned)json_array_size(from);
    uint64_t seen = 0;
    json_t *item;
    size_t i;

    if (!json_is_array(from))
        return wrong(w, "an array", from);
    if (json_array_size(from) > f->max)
        return err_set(w->e, -EPROTO, "%s: %zu elements, %u are the most", w->path,
                       json_array_size(from), f->max);
    json_array_foreach(from, i, item)
    {
        size_t was = walk_add(w, "[%zu]", i);
        char *at = to + f->at + i * f->size;
        int rc;
        if (f->type == F_TEXTS)
            rc = get_text(w, item, at, f->size);
        else if (!json_is_object(item))
            rc = wrong(w, "an object", item);
        else
            rc = get_fields(w, item, f->fields, at);
        if (!rc && f->type == F_LIST)
            rc = get_unique(w, f, at, &seen);
        if (rc)
            return rc;
        walk_back(w, was);
    }
    memcpy(to + f->n_at, &n, sizeof n);
    return 0;
}

static int get_value(struct walk *w, const struct field *f, json_t *from, char *to)
{
    char *at = to + f->at;
    int i = -1, rc;

    switch (f->type) {
    case F_U64:
        return get_u64(w, from, at);
    case F_MS:
    case F_UINT:
        return get_number(w, f, from, at);
    case F_ENUM:
        return get_enum(w, f, from, at);
    case F_BOOL:
        if (!json_is_boolean(from))
            return wrong(w, "true or false", from);
        *(bool *)at = json_is_true(from);
        return 0;
    case F_TEXT:
        return get_text(w, from, at, f->size);
    case F_HOST:
    case F_SLOT:
        rc = f->type == F_HOST && json_is_null(from) ? 0 : get_name(w, f->type == F_HOST, from, &i);
        if (!rc)
            memcpy(at, &i, sizeof i);
        return rc;
    case F_SLOTSET:
    case F_HOSTSET:
        return get_set(w, f->type, from, at);
    case F_TEXTS:
    case F_LIST:
        return get_array(w, f, from, to);
    }
    CHECK(false);
}

static int get_fields(struct walk *w, json_t *from, const struct field *f, char *to)
{
    for (; f->key; f++) {
        size_t was = walk_add(w, ".%s", f->key);
        json_t *value = json_object_get(from, f->key);
        int rc;
        if (!value)
            return err_set(w->e, -EPROTO, "%s is missing", w->path);
        rc = get_value(w, f, value, to);
        if (rc)
            return rc;
        walk_back(w, was);
    }
    return 0;
}

static int get_kind(const json_t *root, enum msg_kind *kind, struct err *e)
{
    const char *word = json_string_value(json_object_get(root, "t"));
    char show[96];

    if (!json_is_object(root))
        return err_set(e, -EPROTO, "a message is a JSON object");
    if (!word)
        return err_set(e, -EPROTO, "t, the kind of message, is missing or no text");
    for (unsigned i = 0; i < MSG_N; i++)
        if (!strcmp(word, msg_kind_names[i])) {
            *kind = (enum msg_kind)i;
            return 0;
        }
    return err_set(e, -EPROTO, "t: unknown message \"%s\": is the other side a newer version?",
                   quoted(show, word));
}

int msg_decode(struct msg *m, const struct names *names, const void *data, size_t len,
               struct err *e)
{
    struct walk w = {.names = names, .e = e};
    json_error_t why;
    struct msg in;
    json_t *root;
    int rc;

    if (len > MSG_FRAME_MAX)
        return err_set(e, -EPROTO, "a message of %zu bytes, %d are the most", len, MSG_FRAME_MAX);
    root = json_loadb(data, len, JSON_REJECT_DUPLICATES, &why);
    if (!root) {
        text_clean(why.text, strlen(why.text));
        return err_set(e, -EPROTO, "not JSON: %s (at byte %d)", why.text, why.position);
    }
    memset(&in, 0, sizeof in);
    rc = get_kind(root, &in.kind, e);
    if (!rc) {
        walk_add(&w, "%s", msg_kind_names[in.kind]);
        rc = get_dictionary(&w, root);
    }
    if (!rc)
        rc = get_fields(&w, root, msg_fields[in.kind], (char *)&in.hello);
    if (!rc)
        rc = walk_rules(&in, -EPROTO, e);
    if (!rc)
        memcpy(m, &in, sizeof in);
    json_decref(root);
    return rc;
}

void msg_clean_text(char *text)
{
    text_clean(text, strlen(text));
}
