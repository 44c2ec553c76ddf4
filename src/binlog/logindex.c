/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "binlog/logindex.h"

#include "binlog/binlog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *logindex_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static int logindex_add(struct logindex *x, const char *index_path, const char *line, struct err *e)
{
    int folder = line[0] == '/' ? 0 : (int)(logindex_name(index_path) - index_path);
    char path[BINLOG_NAME_MAX];

    if (folder && strncmp(line, "./", 2) == 0)
        line += 2;
    if (snprintf(path, sizeof path, "%.*s%s", folder, index_path, line) >= (int)sizeof path)
        return err_set(e, -EBADMSG, "index of binary logs %s: a name is too long", index_path);
    if (x->n == LOGINDEX_FILES_MAX)
        return err_set(e, -EBADMSG, "index of binary logs %s: more than %d files", index_path,
                       LOGINDEX_FILES_MAX);
    if ((x->n & (x->n - 1)) == 0) /* full: twice as many */
        x->path = realloc(x->path, (x->n ? 2 * x->n : 1) * sizeof *x->path);
    CHECK(x->path);
    x->path[x->n] = strdup(path);
    CHECK(x->path[x->n]);
    x->n++;
    return 0;
}

static int logindex_lines(struct logindex *x, const char *index_path, FILE *file, struct err *e)
{
    char line[BINLOG_NAME_MAX];

    while (fgets(line, sizeof line, file)) {
        size_t len = strcspn(line, "\r\n");

        if (len == sizeof line - 1)
            return err_set(e, -EBADMSG, "index of binary logs %s: a name is too long", index_path);
        line[len] = 0;
        if (len && logindex_add(x, index_path, line, e) < 0)
            return e->code;
    }
    if (ferror(file))
        return err_set(e, -EIO, "read index of binary logs %s: %s", index_path, strerror(errno));
    if (x->n == 0)
        return err_set(e, -EBADMSG, "index of binary logs %s: no file in it", index_path);
    return 0;
}

int logindex_read(struct logindex *x, const char *index_path, struct err *e)
{
    FILE *file = fopen(index_path, "re");
    int rc;

    *x = (struct logindex){0};
    if (!file)
        return err_set(e, -errno, "open index of binary logs %s: %s", index_path, strerror(errno));
    rc = logindex_lines(x, index_path, file, e);
    fclose(file);
    return rc;
}

void logindex_free(struct logindex *x)
{
    for (size_t i = 0; i < x->n; i++)
        free(x->path[i]);
    free(x->path);
    *x = (struct logindex){0};
}
