/* SPDX-License-Identifier: GPL-2.0-or-later
 * Which cluster `hamm ctl` means, with what lies about in /etc/hamm and /run/hamm. */
#include "ctl/find.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char top[64], etc[80], run[80];
static struct found found;
static struct err err;
static char errors[8192]; /* of a file */

static int setup(void **state)
{
    (void)state;
    strcpy(top, "/tmp/test_find.XXXXXX");
    assert_non_null(mkdtemp(top));
    snprintf(etc, sizeof etc, "%s/etc", top);
    snprintf(run, sizeof run, "%s/run", top);
    assert_int_equal(mkdir(etc, 0700) | mkdir(run, 0700), 0);
    return 0;
}

static int drop(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static int teardown(void **state)
{
    (void)state;
    return nftw(top, drop, 8, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *folder, const char *name, const char *text)
{
    char path[200];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* No secret is there to be read: ctl needs none. */
static void put_conf(const char *name, const char *cluster)
{
    char text[2000];

    snprintf(text, sizeof text,
             "cluster: %s\n"
             "key_file: /nonexistent/key\n"
             "monitors:\n"
             "  mon1: { address: 10.77.0.1 }\n"
             "mysql:\n"
             "  monitor:     { user: m, password_file: /nonexistent/m }\n"
             "  agent:       { user: a, password_file: /nonexistent/a }\n"
             "  replication: { user: r, password_file: /nonexistent/r }\n"
             "hosts:\n"
             "  db1: { address: 10.77.0.11, mode: master, peer: db2 }\n"
             "  db2: { address: 10.77.0.12, mode: master, peer: db1 }\n"
             "roles:\n"
             "  writer: { mode: exclusive, hosts: [db1, db2], ips: [10.77.0.100/24] }\n"
             "active_master_role: writer\n",
             cluster);
    put(etc, name, text);
}

static int look(const char *file, const char *cluster)
{
    FILE *to = fmemopen(errors, sizeof errors, "w");
    struct find_where where = {
        .file = file, .cluster = cluster, .etc = etc, .run = run, .errors = to};
    int rc;

    memset(&err, 0, sizeof err);
    memset(&found, 0, sizeof found);
    rc = find(&found, &where, &err);
    fclose(to);
    return rc;
}

static void found_is(const char *cluster, const char *socket, bool with_conf)
{
    assert_string_equal(found.cluster, cluster);
    assert_string_equal(found.socket, socket);
    assert_int_equal(!!found.conf, with_conf);
    find_free(&found);
    find_free(&found);
}

static void says(const char *part)
{
    if (!strstr(err.msg, part))
        fail_msg("%s\nis not in\n%s", part, err.msg);
}

static void nothing_there(void **state)
{
    (void)state;
    assert_int_equal(look(NULL, NULL), -ENOENT);
    says("name the configuration with -c FILE");
    assert_int_equal(look(NULL, "shop"), -ENOENT);
    says("cluster shop: there is neither ");
    assert_true(look("/nonexistent/file.yaml", NULL) < 0);
    says("/nonexistent/file.yaml");
}

static void the_only_file(void **state)
{
    (void)state;
    put_conf("shop.yaml", "shop");
    put(run, "other.sock", "");
    assert_int_equal(look(NULL, NULL), 0);
    found_is("shop", "/run/hamm/shop.sock", true);
    assert_int_equal(look(NULL, "shop"), 0);
    found_is("shop", "/run/hamm/shop.sock", true);
}

static void several_files(void **state)
{
    char path[200];

    (void)state;
    put_conf("shop.yaml", "shop");
    put_conf("blog.yaml", "blog");
    assert_int_equal(look(NULL, NULL), -EINVAL);
    says("has several clusters (blog, shop): say which with --cluster NAME");
    assert_int_equal(look(NULL, "blog"), 0);
    found_is("blog", "/run/hamm/blog.sock", true);
    snprintf(path, sizeof path, "%s/shop.yaml", etc);
    assert_int_equal(look(path, NULL), 0);
    found_is("shop", "/run/hamm/shop.sock", true);
    assert_int_equal(look(path, "blog"), -EINVAL);
    says("is the configuration of cluster shop, not of blog");
    assert_null(found.conf);
}

static void only_a_socket(void **state)
{
    char path[200];

    (void)state;
    put(run, "shop.sock", "");
    snprintf(path, sizeof path, "%s/shop.sock", run);
    assert_int_equal(look(NULL, NULL), 0);
    found_is("shop", path, false);
    put(run, "blog.sock", "");
    assert_int_equal(look(NULL, NULL), -EINVAL);
    says("has several clusters (blog, shop)");
    assert_int_equal(look(NULL, "shop"), 0);
    found_is("shop", path, false);
}

static void a_file_with_errors(void **state)
{
    (void)state;
    put(etc, "shop.yaml", "cluster: shop\nnonsense: 1\n");
    assert_int_equal(look(NULL, NULL), -EINVAL);
    says("shop.yaml cannot be used");
    assert_non_null(strstr(errors, "shop.yaml:2:1: "));
    assert_non_null(strstr(errors, "hosts is missing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_there, setup, teardown),
        cmocka_unit_test_setup_teardown(the_only_file, setup, teardown),
        cmocka_unit_test_setup_teardown(several_files, setup, teardown),
        cmocka_unit_test_setup_teardown(only_a_socket, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_with_errors, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
