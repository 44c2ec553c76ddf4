/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/find.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int find_load(struct found *out, const char *file, FILE *errors, struct err *e)
{
    struct conf_errors errs = {0};
    int rc;

    snprintf(out->file, sizeof out->file, "%s", file);
    rc = conf_load_for(&out->conf, file, 0, &errs);
    if (rc < 0) {
        conf_errors_write(&errs, errors);
        err_set(e, rc, "%.256s cannot be used", file);
    } else {
        snprintf(out->socket, sizeof out->socket, "%s", out->conf->control_socket);
        snprintf(out->cluster, sizeof out->cluster, "%s", out->conf->cluster);
    }
    conf_errors_free(&errs);
    return rc;
}

static void find_socket(struct found *out, const char *path, const char *cluster)
{
    snprintf(out->socket, sizeof out->socket, "%s", path);
    snprintf(out->cluster, sizeof out->cluster, "%s", cluster);
}

static int find_cluster(struct found *out, const struct find_where *w, struct err *e)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s.yaml", w->etc, w->cluster);
    if (!access(path, F_OK))
        return find_load(out, path, w->errors, e);
    snprintf(path, sizeof path, "%s/%s.sock", w->run, w->cluster);
    if (!access(path, F_OK)) {
        find_socket(out, path, w->cluster);
        return 0;
    }
    return err_set(e, -ENOENT,
                   "cluster %s: there is neither %s/%s.yaml nor %s; name the configuration with "
                   "-c FILE",
                   w->cluster, w->etc, w->cluster, path);
}

/* The names of several, for the sentence. */
static int find_ambiguous(const glob_t *g, const char *folder, struct err *e)
{
    char list[256] = "";

    for (size_t i = 0; i < g->gl_pathc; i++) {
        size_t len = strlen(list);
        const char *name = strrchr(g->gl_pathv[i], '/');
        int stem = (int)strcspn(name + 1, ".");
        snprintf(list + len, sizeof list - len, "%s%.*s", i ? ", " : "", stem, name + 1);
    }
    return err_set(e, -EINVAL, "%s has several clusters (%s): say which with --cluster NAME",
                   folder, list);
}

/* -EINVAL: several; -ENOENT: none. */
static int find_only(const char *folder, const char *suffix, char *path, size_t size, struct err *e)
{
    char pattern[4096];
    glob_t g = {0};
    int rc;

    snprintf(pattern, sizeof pattern, "%s/*%s", folder, suffix);
    if (glob(pattern, 0, NULL, &g) || !g.gl_pathc)
        rc = -ENOENT;
    else if (g.gl_pathc > 1)
        rc = find_ambiguous(&g, folder, e);
    else
        rc = snprintf(path, size, "%s", g.gl_pathv[0]) < (int)size ? 0 : -ENOENT;
    globfree(&g);
    return rc;
}

static int find_any(struct found *out, const struct find_where *w, struct err *e)
{
    char path[4096], cluster[CONF_NAME_MAX + 1];
    const char *name;
    int rc = find_only(w->etc, ".yaml", path, sizeof path, e);

    if (!rc)
        return find_load(out, path, w->errors, e);
    if (rc == -EINVAL)
        return rc;
    rc = find_only(w->run, ".sock", path, sizeof path, e);
    if (rc == -ENOENT)
        return err_set(e, rc,
                       "there is no configuration %s/*.yaml and no running monitor's socket "
                       "%s/*.sock; name the configuration with -c FILE",
                       w->etc, w->run);
    if (rc)
        return rc;
    name = strrchr(path, '/') + 1;
    snprintf(cluster, sizeof cluster, "%.*s", (int)strcspn(name, "."), name);
    find_socket(out, path, cluster);
    return 0;
}

int find(struct found *out, const struct find_where *w, struct err *e)
{
    struct found in = {0};
    int rc;

    if (w->file)
        rc = find_load(&in, w->file, w->errors, e);
    else if (w->cluster)
        rc = find_cluster(&in, w, e);
    else
        rc = find_any(&in, w, e);
    if (!rc && w->cluster && strcmp(w->cluster, in.cluster))
        rc = err_set(e, -EINVAL, "%s is the configuration of cluster %s, not of %s", in.file,
                     in.cluster, w->cluster);
    if (rc) {
        find_free(&in);
        return rc;
    }
    *out = in;
    return 0;
}

void find_free(struct found *f)
{
    conf_free(f->conf);
    f->conf = NULL;
}
