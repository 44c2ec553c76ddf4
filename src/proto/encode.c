/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/codec.h"

#include "proto/fields.h"
#include "proto/text.h"
#include "proto/walk.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int put_fields(struct walk *w, json_t *to, const struct field *f, const char *from);

static int put_text(struct walk *w, const struct field *f, const char *text, json_t **out)
{
    size_t len = strnlen(text, f->size);
    char *copy;

    if (len == f->size)
        return err_set(w->e, -EINVAL, "%s: no end of text within %zu bytes", w->path, f->size);
    copy = malloc(len + 1);
    if (!copy)
        return walk_no_memory(w);
    memcpy(copy, text, len + 1);
    text_clean(copy, len);
    *out = json_stringn(copy, len);
    free(copy);
    return 0;
}

static int put_host_index(struct walk *w, int host, json_t *array)
{
    struct dictionary *d = &w->hosts;
    unsigned i;

    for (i = 0; i < d->n && d->host[i] != host; i++)
        ;
    if (i == d->n)
        d->host[d->n++] = host;
    return json_array_append_new(array, json_integer(i)) ? walk_no_memory(w) : 0;
}

/* F_SLOTSET and F_HOSTSET. */
static int put_set(struct walk *w, enum field_type type, uint64_t set, json_t **out)
{
    unsigned n = type == F_HOSTSET ? w->names->hosts : w->names->slots;
    json_t *array = json_array();
    int rc = array ? 0 : walk_no_memory(w);

    for (unsigned i = 0; i < 64 && !rc; i++) {
        if (!(set & (uint64_t)1 << i))
            continue;
        if (i >= n)
            rc = err_set(w->e, -EINVAL, "%s: nothing has number %u here", w->path, i);
        else if (type == F_HOSTSET)
            rc = put_host_index(w, (int)i, array);
        else if (json_array_append_new(array, json_string(w->names->slot[i])))
            rc = walk_no_memory(w);
    }
    if (rc)
        json_decref(array);
    else
        *out = array;
    return rc;
}

/* F_TEXTS and F_LIST. */
static int put_array(struct walk *w, const struct field *f, const char *from, unsigned n,
                     json_t **out)
{
    json_t *array = json_array();
    int rc = array ? 0 : walk_no_memory(w);

    if (!rc && n > f->max)
        rc = err_set(w->e, -EINVAL, "%s: %u elements, %u are the most", w->path, n, f->max);
    for (unsigned i = 0; i < n && !rc; i++) {
        json_t *item = NULL;
        size_t was = walk_add(w, "[%u]", i);
        if (f->type == F_TEXTS) {
            rc = put_text(w, f, from + i * f->size, &item);
        } else {
            item = json_object();
            rc = item ? put_fields(w, item, f->fields, from + i * f->size) : 0;
        }
        if (rc)
            json_decref(item);
        else if (json_array_append_new(array, item))
            rc = walk_no_memory(w);
        walk_back(w, was);
    }
    if (rc)
        json_decref(array);
    else
        *out = array;
    return rc;
}

static int put_index(struct walk *w, const struct field *f, int i, json_t **out)
{
    unsigned n = f->type == F_HOST ? w->names->hosts : w->names->slots;

    if (f->type == F_HOST && i == -1)
        *out = json_null();
    else if (i < 0 || (unsigned)i >= n)
        return err_set(w->e, -EINVAL, "%s: nothing has number %d here", w->path, i);
    else
        *out = json_string(f->type == F_HOST ? w->names->host[i] : w->names->slot[i]);
    return 0;
}

static int put_number(struct walk *w, const struct field *f, const char *at, json_t **out)
{
    unsigned u;
    int64_t i;
    uint64_t u64;
    char digits[24];

    if (f->type == F_U64) {
        memcpy(&u64, at, sizeof u64);
        snprintf(digits, sizeof digits, "%" PRIu64, u64);
        *out = u64 > INT64_MAX ? json_string(digits) : json_integer((json_int_t)u64);
        return 0;
    }
    if (f->type == F_MS) {
        memcpy(&i, at, sizeof i);
        if (i > MSG_MS_MAX || i < -MSG_MS_MAX)
            return err_set(w->e, -EINVAL, "%s: %" PRId64 " is out of range", w->path, i);
        *out = json_integer(i);
        return 0;
    }
    memcpy(&u, at, sizeof u);
    if (f->type == F_ENUM ? u >= f->max : u > f->max)
        return err_set(w->e, -EINVAL, "%s: %u is out of range", w->path, u);
    *out = f->type == F_ENUM ? json_string(f->words[u]) : json_integer(u);
    return 0;
}

static int put_value(struct walk *w, const struct field *f, const char *from, json_t **out)
{
    const char *at = from + f->at;
    uint64_t set;
    unsigned n;
    int i;

    switch (f->type) {
    case F_U64:
    case F_MS:
    case F_UINT:
    case F_ENUM:
        return put_number(w, f, at, out);
    case F_BOOL:
        *out = json_boolean(*(const bool *)at);
        return 0;
    case F_TEXT:
        return put_text(w, f, at, out);
    case F_HOST:
    case F_SLOT:
        memcpy(&i, at, sizeof i);
        return put_index(w, f, i, out);
    case F_SLOTSET:
    case F_HOSTSET:
        memcpy(&set, at, sizeof set);
        return put_set(w, f->type, set, out);
    case F_TEXTS:
    case F_LIST:
        memcpy(&n, from + f->n_at, sizeof n);
        return put_array(w, f, at, n, out);
    }
    CHECK(false);
}

static int put_fields(struct walk *w, json_t *to, const struct field *f, const char *from)
{
    for (; f->key; f++) {
        size_t was = walk_add(w, ".%s", f->key);
        json_t *value = NULL;
        int rc = put_value(w, f, from, &value);
        if (rc)
            return rc;
        if (json_object_set_new(to, f->key, value))
            return walk_no_memory(w);
        walk_back(w, was);
    }
    return 0;
}

static int put_dictionary(struct walk *w, json_t *to)
{
    json_t *array;

    if (!w->hosts.n)
        return 0;
    array = json_array();
    for (unsigned i = 0; array && i < w->hosts.n; i++)
        if (json_array_append_new(array, json_string(w->names->host[w->hosts.host[i]]))) {
            json_decref(array);
            return walk_no_memory(w);
        }
    return json_object_set_new(to, "hosts", array) ? walk_no_memory(w) : 0;
}

int msg_encode(const struct msg *m, const struct names *names, char *out, size_t size, size_t *len,
               struct err *e)
{
    struct walk w = {.names = names, .e = e};
    json_t *root;
    size_t wrote;
    int rc;

    CHECK((unsigned)m->kind < MSG_N);
    rc = walk_rules(m, -EINVAL, e);
    if (rc)
        return rc;
    walk_add(&w, "%s", msg_kind_names[m->kind]);
    root = json_pack("{s:s}", "t", msg_kind_names[m->kind]);
    rc = root ? put_fields(&w, root, msg_fields[m->kind], (const char *)&m->hello)
              : walk_no_memory(&w);
    if (!rc)
        rc = put_dictionary(&w, root);
    if (!rc) {
        wrote = json_dumpb(root, out, size, JSON_COMPACT);
        if (!wrote)
            rc = walk_no_memory(&w);
        else if (wrote > size)
            rc = err_set(e, -EMSGSIZE, "%s: %zu bytes, %zu are the most", w.path, wrote, size);
        else
            *len = wrote;
    }
    json_decref(root);
    return rc;
}
