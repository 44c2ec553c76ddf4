/* SPDX-License-Identifier: GPL-2.0-or-later
 * Transactions kept in a file, from binary logs that real servers wrote: test_binlog_files.c has
 * which ones are in them. */
#include "agent/aside.h"
#include "binlog/binlog.h"
#include "gtid/gtid.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define UUID   "5e4119bf-eb4b-11f1-bcc8-02fc00000001"
#define PLENTY (1ull << 20)

static char dir[64], list[96], path[ASIDE_PATH_MAX];
static struct err e;
static bool found;

static void copy(const char *from_name, const char *to_name)
{
    char data[1 << 16], name[512];
    size_t len;
    FILE *f;

    snprintf(name, sizeof name, "%s/%s", BINLOG_CORPUS, from_name);
    f = fopen(name, "r");
    assert_non_null(f);
    len = fread(data, 1, sizeof data, f);
    fclose(f);
    snprintf(name, sizeof name, "%s/%s", dir, to_name);
    f = fopen(name, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    fclose(f);
}

/* The files from first to 3 of a server, and their index. */
static void place(const char *flavour, int first)
{
    FILE *f = fopen(list, "w");

    assert_non_null(f);
    for (int i = first; i <= 3; i++) {
        char from[32], to[32];

        snprintf(from, sizeof from, "%s.00000%d", flavour, i);
        snprintf(to, sizeof to, "bin.00000%d", i);
        copy(from, to);
        fprintf(f, "./%s\n", to);
    }
    fclose(f);
}

static int setup(void **state)
{
    (void)state;
    memset(&e, 0, sizeof e);
    snprintf(dir, sizeof dir, "%s/hamm-aside-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(dir));
    snprintf(list, sizeof list, "%s/bin.index", dir);
    return 0;
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static struct aside_ask mariadb(const char *set)
{
    return (struct aside_ask){.state_dir = dir,
                              .cluster = "shop",
                              .host = "db1",
                              .index = list,
                              .set = set,
                              .own = "0-1-28,2-7-1,3-1-5",
                              .bytes_max = PLENTY};
}

static struct aside_ask mysql(const char *set)
{
    struct aside_ask ask = mariadb(set);

    ask.mysql_flavour = true;
    ask.own = UUID ":1-28:tag_a:1-3";
    return ask;
}

static int keep(struct aside_ask ask)
{
    memset(&e, 0, sizeof e);
    return aside_keep(&ask, path, &found, &e);
}

static unsigned files(void)
{
    char name[128];
    unsigned n = 0;
    DIR *d;

    snprintf(name, sizeof name, "%s/quarantine", dir);
    d = opendir(name);
    for (struct dirent *entry; d && (entry = readdir(d));)
        n += entry->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

/* What is in the file at `path`, read as a server's only binary log. */
static const char *inside(enum gtid_flavour flavour)
{
    static struct binlog_slice all;
    char index[512], to[512];
    FILE *f;

    snprintf(index, sizeof index, "%s/kept.index", dir);
    snprintf(to, sizeof to, "%s/again", dir);
    f = fopen(index, "w");
    assert_non_null(f);
    fprintf(f, "%s\n", path);
    fclose(f);
    /* what comes before is said at its beginning, and not in it */
    assert_int_equal(binlog_slice(index, flavour, "", to, PLENTY, &all, &e), -ENODATA);
    assert_int_equal(
        binlog_slice(index, flavour,
                     flavour == GTID_MYSQL ? UUID ":1-26:tag_a:1-3" : "0-1-26,2-7-1,3-1-5", to,
                     PLENTY, &all, &e),
        0);
    return all.gtid;
}

static void exactly_these_are_kept(void **state)
{
    struct stat st;

    (void)state;
    place("ma", 1);
    assert_int_equal(keep(mariadb("0-1-27..28")), 0);
    assert_false(found);
    assert_string_equal(inside(GTID_MARIADB_STATE), "0-1-27..28");
    assert_non_null(strstr(path, "/quarantine/shop-db1-2"));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    place("my", 1);
    assert_int_equal(keep(mysql(UUID ":27-28")), 0);
    assert_string_equal(inside(GTID_MYSQL), UUID ":27-28");
    assert_int_equal(files(), 4); /* and which ones they are, beside each */
}

static void twice_the_same_is_one_file(void **state)
{
    char first[ASIDE_PATH_MAX];

    (void)state;
    place("ma", 1);
    assert_int_equal(keep(mariadb("0-1-27..28")), 0);
    memcpy(first, path, sizeof first);
    assert_int_equal(keep(mariadb("0-1-27..28")), 0);
    assert_true(found);
    assert_string_equal(path, first);
    assert_int_equal(files(), 2);
    /* more of them, within the same second: another file, the first stays */
    assert_int_equal(keep(mariadb("0-1-26..28")), 0);
    assert_false(found);
    assert_string_not_equal(path, first);
    assert_int_equal(files(), 4);
    assert_int_equal(access(first, F_OK), 0);
}

/* The agent was killed in the middle: the name is there, half of the file too. */
static void half_a_file_is_made_anew(void **state)
{
    char first[ASIDE_PATH_MAX], half[ASIDE_PATH_MAX];
    size_t stem;

    (void)state;
    place("ma", 1);
    assert_int_equal(keep(mariadb("0-1-27..28")), 0);
    memcpy(first, path, sizeof first);
    stem = strlen(first) - strlen(".binlog");
    snprintf(half, sizeof half, "%.*s.part", (int)stem, first);
    assert_int_equal(rename(first, half), 0);
    assert_int_equal(truncate(half, 100), 0);
    assert_int_equal(keep(mariadb("0-1-27..28")), 0);
    assert_false(found);
    assert_string_equal(path, first);
    assert_string_equal(inside(GTID_MARIADB_STATE), "0-1-27..28");
    assert_int_equal(files(), 2);
}

static void refused(struct aside_ask ask, int code, const char *why)
{
    assert_int_equal(keep(ask), code);
    assert_non_null(strstr(e.msg, why));
    assert_int_equal(files(), 0);
}

static void why_not_is_said(void **state)
{
    struct aside_ask ask = mariadb("0-1-27..28");

    (void)state;
    place("ma", 1);
    ask.bytes_max = 400;
    refused(ask, -EFBIG, "400 bytes");
    refused(mariadb("0-1-29..30"), -ENODATA, "lacks 0-1-29..30");
    ask = mariadb("0-1-27..28");
    ask.index = "";
    refused(ask, -ENOENT, "no binary log");
    place("ma", 3);
    refused(mariadb("0-1-1..28"), -ENODATA, "purged");
}

static void what_is_beyond_the_set(void **state)
{
    char to[256];

    (void)state;
    assert_int_equal(
        aside_have(false, "0-1-28,0-2-9,3-1-5", "0-1-20..22,3-1-1..5", to, sizeof to, &e), 0);
    assert_string_equal(to, "0-1-19,0-2-9");
    assert_int_equal(aside_have(true, UUID ":1-28", UUID ":5:9-10", to, sizeof to, &e), 0);
    assert_string_equal(to, UUID ":1-4:6-8:11-28");
    assert_int_equal(aside_have(true, UUID ":1-28", "0-1-5", to, sizeof to, &e), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(exactly_these_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(twice_the_same_is_one_file, setup, teardown),
        cmocka_unit_test_setup_teardown(half_a_file_is_made_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(why_not_is_said, setup, teardown),
        cmocka_unit_test(what_is_beyond_the_set),
    };

    return cmocka_run_group_tests_name("agent/aside", tests, NULL, NULL);
}
