/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "conf/tree.h"

#include <errno.h>
#include <string.h>
#include <yaml.h>

enum { DEPTH_MAX = 12, CHILDREN_MAX = 2048, NODES_MAX = 200000, KEY_MAX = 64 };

struct builder {
    yaml_parser_t yaml;
    yaml_event_t event;
    const char *file, *text;
    size_t len;
    struct pool *pool;
    struct conf_errors *errs;
    struct tree *root, *in; /* in: the mapping or list being filled */
    unsigned depth;
    size_t n_nodes;
    const char *key; /* read, its value is still to come */
    unsigned key_line, key_column;
    bool twice; /* that key was there before: its value is read and dropped */
    bool bad;
};

#define tree_bad(b, line, column, ...)                                                             \
    ((b)->bad = true, errors_add((b)->errs, (b)->file, line, column, __VA_ARGS__))

static void tree_stop(struct builder *b, const char *why)
{
    yaml_mark_t at = b->event.start_mark;

    tree_bad(b, (unsigned)at.line + 1, (unsigned)at.column + 1, "%s", why);
}

/* libyaml names the byte for what it can't read and the mark for what it can't parse. */
static void tree_syntax(struct builder *b)
{
    const yaml_parser_t *y = &b->yaml;
    unsigned line = (unsigned)y->problem_mark.line + 1;
    unsigned column = (unsigned)y->problem_mark.column + 1;
    char context[120] = "";

    if (y->error == YAML_READER_ERROR) {
        line = column = 1;
        for (size_t i = 0; i < y->problem_offset && i < b->len; i++)
            if (b->text[i] == '\n') {
                line++;
                column = 1;
            } else if ((b->text[i] & 0xc0) != 0x80) {
                column++;
            }
    }
    if (y->error != YAML_READER_ERROR && y->context)
        snprintf(context, sizeof context, " %s that begins in line %u", y->context,
                 (unsigned)y->context_mark.line + 1);
    tree_bad(b, line, column, "this is not YAML: %s%s; correct it, the rest was not looked at",
             y->problem ? y->problem : "cannot be read", context);
}

static const struct tree *tree_find(const struct tree *map, const char *key)
{
    for (const struct tree *t = map->first; t; t = t->next)
        if (!strcmp(t->key, key))
            return t;
    return NULL;
}

const struct tree *tree_get(const struct tree *map, const char *key)
{
    return map && map->kind == TREE_MAP ? tree_find(map, key) : NULL;
}

static void tree_append(struct tree *to, struct tree *t)
{
    if (to->last)
        to->last->next = t;
    else
        to->first = t;
    to->last = t;
    to->n++;
}

/* A new value in the place where the builder stands; NULL if one limit or another is exceeded. */
static struct tree *tree_add(struct builder *b, enum tree_kind kind)
{
    struct tree *t;

    if (++b->n_nodes > NODES_MAX || (b->in && b->in->n >= CHILDREN_MAX) || b->depth >= DEPTH_MAX) {
        tree_stop(b, b->depth >= DEPTH_MAX ? "nested too deeply; nothing in this file needs that"
                                           : "too many values; nothing in this file needs that");
        return NULL;
    }
    t = pool_get(b->pool, sizeof *t);
    t->kind = kind;
    t->line = (unsigned)b->event.start_mark.line + 1;
    t->column = (unsigned)b->event.start_mark.column + 1;
    t->up = b->in;
    if (b->in && b->in->kind == TREE_MAP) {
        t->key = b->key;
        t->key_line = b->key_line;
        t->key_column = b->key_column;
        b->key = NULL;
    }
    if (!b->in)
        b->root = t;
    else if (!b->twice)
        tree_append(b->in, t);
    b->twice = false;
    return t;
}

static void tree_key(struct builder *b, const char *text)
{
    const struct tree *before = tree_find(b->in, text);

    b->key = text;
    b->key_line = (unsigned)b->event.start_mark.line + 1;
    b->key_column = (unsigned)b->event.start_mark.column + 1;
    b->twice = before;
    if (before)
        tree_bad(b, b->key_line, b->key_column,
                 "%s: given twice, first in line %u; keep one of the two", tree_path(before).text,
                 before->key_line);
}

static bool tree_scalar(struct builder *b)
{
    const char *value = (const char *)b->event.data.scalar.value;
    size_t len = b->event.data.scalar.length;
    bool key = b->in && b->in->kind == TREE_MAP && !b->key;
    struct tree *t;

    if (strlen(value) != len) {
        tree_stop(b, "a value contains a zero byte; take it out");
        return false;
    }
    value = pool_text(b->pool, value, len);
    if (key) {
        if (len <= KEY_MAX) {
            tree_key(b, value);
            return true;
        }
        tree_stop(b, "a key of more than 64 bytes; is there a colon too many?");
        return false;
    }
    t = tree_add(b, TREE_TEXT);
    if (t)
        t->text = value;
    return t;
}

static bool tree_open(struct builder *b, enum tree_kind kind)
{
    struct tree *t;

    if (b->in && b->in->kind == TREE_MAP && !b->key) {
        tree_stop(b, "a key must be one word; is there a bracket too many?");
        return false;
    }
    t = tree_add(b, kind);
    if (!t)
        return false;
    b->in = t;
    b->depth++;
    return true;
}

static bool tree_special(struct builder *b)
{
    const yaml_event_t *e = &b->event;
    const yaml_char_t *anchor = e->type == YAML_ALIAS_EVENT    ? e->data.alias.anchor
                                : e->type == YAML_SCALAR_EVENT ? e->data.scalar.anchor
                                : e->type == YAML_SEQUENCE_START_EVENT
                                    ? e->data.sequence_start.anchor
                                : e->type == YAML_MAPPING_START_EVENT ? e->data.mapping_start.anchor
                                                                      : NULL;
    const yaml_char_t *tag = e->type == YAML_SCALAR_EVENT           ? e->data.scalar.tag
                             : e->type == YAML_SEQUENCE_START_EVENT ? e->data.sequence_start.tag
                             : e->type == YAML_MAPPING_START_EVENT  ? e->data.mapping_start.tag
                                                                    : NULL;

    if (anchor)
        tree_stop(b, "anchors (&) and aliases (*) are not used here; write the value out, or put "
                     "it in quotes if it starts with that character");
    else if (tag)
        tree_stop(b, "tags (!) are not used here; put the value in quotes if it starts with !");
    return anchor || tag;
}

/* One event; false: stop. */
static bool tree_take(struct builder *b)
{
    if (tree_special(b))
        return false;
    switch (b->event.type) {
    case YAML_DOCUMENT_START_EVENT:
        if (!b->root)
            return true;
        tree_stop(b, "a second document starts here; one file is one cluster");
        return false;
    case YAML_SCALAR_EVENT:
        return tree_scalar(b);
    case YAML_SEQUENCE_START_EVENT:
        return tree_open(b, TREE_LIST);
    case YAML_MAPPING_START_EVENT:
        return tree_open(b, TREE_MAP);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        b->in = b->in->up;
        b->depth--;
        return true;
    default:
        return b->event.type != YAML_STREAM_END_EVENT;
    }
}

int tree_read(struct tree **root, const char *text, size_t len, const char *file, struct pool *pool,
              struct conf_errors *errs)
{
    struct builder b = {.file = file, .text = text, .len = len, .pool = pool, .errs = errs};
    bool more = true, whole = true;

    CHECK(yaml_parser_initialize(&b.yaml));
    yaml_parser_set_encoding(&b.yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b.yaml, (const unsigned char *)text, len);
    while (more && whole) {
        if (yaml_parser_parse(&b.yaml, &b.event)) {
            bool last = b.event.type == YAML_STREAM_END_EVENT;

            more = tree_take(&b);
            whole = more || last;
            yaml_event_delete(&b.event);
        } else {
            tree_syntax(&b);
            whole = false;
        }
    }
    yaml_parser_delete(&b.yaml);
    if (whole && (!b.root || b.root->kind != TREE_MAP)) {
        tree_bad(&b, 1, 1, "the file must be a mapping that starts with \"cluster: NAME\"");
        whole = false;
    }
    if (whole)
        *root = b.root;
    return b.bad ? -EINVAL : 0;
}

struct tree_path tree_path(const struct tree *t)
{
    const struct tree *up[DEPTH_MAX + 1];
    struct tree_path p = {""};
    size_t n = 0, len = 0;

    for (; t && n <= DEPTH_MAX; t = t->up)
        if (t->key)
            up[n++] = t;
    while (n && len < sizeof p.text) {
        const char *key = up[--n]->key;

        if (len)
            p.text[len++] = '.';
        for (; *key && len < sizeof p.text - 1; key++)
            p.text[len++] = (unsigned char)*key < ' ' || *key == 0x7f ? '?' : *key;
    }
    p.text[len < sizeof p.text ? len : sizeof p.text - 1] = 0;
    return p;
}
