/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "conf/check.h"
#include "conf/conf.h"

#include <getopt.h>

static void check_summary(const struct conf *c)
{
    size_t n_masters = 0, n_ips = 0, n_replicas;

    for (size_t i = 0; i < c->n_hosts; i++)
        n_masters += c->hosts[i].mode == CONF_HOST_MASTER;
    for (size_t i = 0; i < c->n_roles; i++)
        n_ips += c->roles[i].n_ips;
    n_replicas = c->n_hosts - n_masters;
    printf("%s: %zu master%s, %zu replica%s, %zu address%s in %zu role%s: ok\n", c->cluster,
           n_masters, n_masters == 1 ? "" : "s", n_replicas, n_replicas == 1 ? "" : "s", n_ips,
           n_ips == 1 ? "" : "es", c->n_roles, c->n_roles == 1 ? "" : "s");
    conf_errors_write(&c->warnings, stdout);
}

static int check_file(const char *path)
{
    struct conf *c = NULL;
    struct conf_errors errs = {0};
    int rc = conf_load(&c, path, &errs);

    if (rc < 0)
        conf_errors_write(&errs, stderr);
    else
        check_summary(c);
    conf_errors_free(&errs);
    if (!rc)
        conf_free(c);
    return rc < 0 ? 2 : 0;
}

int check_main(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'}, {0}};
    const char *path = NULL;
    int option;

    optind = 0;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":c:", options, NULL)) != -1) {
        if (option == 'c' && !path) {
            path = optarg;
            continue;
        }
        if (option == 'c')
            fprintf(stderr, "hamm check: one file at a time; -c is given twice\n");
        else if (option == ':')
            fprintf(stderr, "hamm check: -c needs the name of a file\n");
        else
            fprintf(stderr, "hamm check: unknown option %s; see \"hamm check --help\"\n",
                    argv[optind - 1]);
        return 2;
    }
    if (optind < argc) {
        fprintf(stderr, "hamm check: \"%s\" is too much; the file is named with -c FILE\n",
                argv[optind]);
        return 2;
    }
    if (!path) {
        fprintf(stderr, "hamm check: which file? Name it with -c FILE\n");
        return 2;
    }
    return check_file(path);
}
