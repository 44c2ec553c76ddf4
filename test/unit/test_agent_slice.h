/* SPDX-License-Identifier: GPL-2.0-or-later
 * Around what a dead server's binary log holds on its way (tail.c, serve.c, fetch.c): the rest of
 * the agent is played here. No file and no descriptor may be left, however it went. */
#pragma once

#include "agent/agentd.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define ALL_MARIADB "0-1-28,2-7-1,3-1-5"
enum { LINK = 7, OTHER_LINK = 8, PLENTY_MS = 10000 };

static struct agentd d;
static struct conf_host hosts[3] = {{.name = "db1"}, {.name = "db2"}, {.name = "db3"}};
static struct conf conf = {.cluster = "shop", .hosts = hosts, .n_hosts = 3};
static char dir[64], run_dir[80]; /* state_dir, and the place in memory */
static unsigned fds_before;

/* ---- the rest of the agent ---- */

static struct msg sent; /* the last one */
static int sent_to;     /* link, or host of a question */
static unsigned sents, ended, tails;
static bool ended_hopeless;
static char ended_why[WHY_LEN], tail_gtid[GTID_LEN], tail_why[WHY_LEN];
static bool tail_ok;
static int64_t tail_died;

void agentd_links_send(struct agentd *a, int number)
{
    sent = a->out;
    sent_to = number;
    sents++;
}

void agentd_asks_send(struct agentd *a, int host)
{
    agentd_links_send(a, host);
}

void agentd_job_fetched(struct agentd *a, const char *why, bool hopeless)
{
    (void)a;
    ended++;
    ended_hopeless = hopeless;
    snprintf(ended_why, sizeof ended_why, "%s", why ? why : "");
}

void agentd_record(struct agentd *a)
{
    (void)a;
}

void agentd_feed(struct agentd *a, struct agent_event *ev)
{
    (void)a;
    assert_int_equal(ev->kind, AE_TAIL);
    tails++;
    tail_ok = ev->tail.ok;
    tail_died = ev->tail.died;
    snprintf(tail_gtid, sizeof tail_gtid, "%s", ev->tail.gtid);
    snprintf(tail_why, sizeof tail_why, "%s", ev->tail.why);
}

/* ---- the place ---- */

static unsigned names_in(const char *path, const char *end)
{
    unsigned n = 0;
    DIR *at = opendir(path);

    assert_non_null(at);
    for (struct dirent *entry; (entry = readdir(at));) {
        size_t len = strlen(entry->d_name), tail = strlen(end);

        n += len >= tail && strcmp(entry->d_name + len - tail, end) == 0;
    }
    closedir(at);
    return n;
}

static void put(const char *name, const void *data, size_t len)
{
    char path[512];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    fclose(f);
}

static size_t get(const char *name, unsigned char *to, size_t size)
{
    char path[512];
    size_t n;
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "r");
    assert_non_null(f);
    n = fread(to, 1, size, f);
    fclose(f);
    return n;
}

/* A MariaDB's binary log of three files. */
static void place_log(void)
{
    static unsigned char data[1 << 16];
    char from[512], to[32];

    for (int i = 1; i <= 3; i++) {
        FILE *f;
        size_t len;

        snprintf(from, sizeof from, "%s/ma.00000%d", BINLOG_CORPUS, i);
        f = fopen(from, "r");
        assert_non_null(f);
        len = fread(data, 1, sizeof data, f);
        fclose(f);
        snprintf(to, sizeof to, "bin.00000%d", i);
        put(to, data, len);
    }
    put("bin.index", "./bin.000001\n./bin.000002\n./bin.000003\n", 39);
}

/* Mounts of our own, before there are threads. */
static void own_mounts(void)
{
    static bool done;

    if (done || geteuid() != 0)
        return;
    done = true;
    assert_int_equal(unshare(CLONE_NEWNS), 0);
    assert_int_equal(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
}

static int setup(void **state)
{
    (void)state;
    own_mounts();
    alarm(30); /* what is waited for never came */
    memset(&d, 0, sizeof d);
    sents = ended = tails = 0;
    strcpy(dir, "/dev/shm/hamm-tail-XXXXXX");
    assert_non_null(mkdtemp(dir));
    assert_int_equal(uv_loop_init(&d.loop), 0); /* the first opens what stays for all */
    assert_int_equal(uv_loop_close(&d.loop), 0);
    fds_before = names_in("/proc/self/fd", "");
    assert_int_equal(uv_loop_init(&d.loop), 0);
    closer_add(&d.closer); /* the agent itself */
    d.conf = &conf;
    d.state_dir = dir;
    d.run_dir = run_dir;
    snprintf(run_dir, sizeof run_dir, "%s/run", dir);
    assert_int_equal(mkdir(run_dir, 0700), 0);
    d.agent.tail.state = TAIL_READY;
    d.tail.place = (struct tail_place){.server_id = 3, .version = "10.11.6-MariaDB-log"};
    snprintf(d.tail.place.index, sizeof d.tail.place.index, "%s/bin.index", dir);
    place_log();
    return 0;
}

/* Nothing may be left, however it went: no file, no descriptor, no request. */
static int teardown(void **state)
{
    char command[128];

    (void)state;
    agentd_tail_stop(&d);
    agentd_serve_stop(&d);
    agentd_fetch_end(&d);
    d.stopping = true;
    while (d.closer.open > 1)
        uv_run(&d.loop, UV_RUN_ONCE);
    assert_int_equal(names_in(dir, ".tail") + names_in(run_dir, ".tail"), 0);
    assert_int_equal(names_in(dir, ".fetched") + names_in(run_dir, ".fetched"), 0);
    assert_int_equal(uv_loop_close(&d.loop), 0);
    assert_int_equal(names_in("/proc/self/fd", ""), fds_before);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static void run_until(const unsigned *counter, unsigned n)
{
    while (*counter < n)
        uv_run(&d.loop, UV_RUN_ONCE);
}

static void run_out(void)
{
    while (d.closer.open > 1 && !d.fetch.source)
        uv_run(&d.loop, UV_RUN_ONCE);
}

/* Files end after so many bytes, as on a full disk. */
static void disk_of(rlim_t bytes)
{
    struct rlimit r;

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &r), 0);
    r.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &r), 0);
}

/* A disk of 64 KiB, all of it used, as state_dir, until the end of the test. False: only root may.
 */
static bool full_state_dir(void)
{
    static char at[80], path[96], block[4096];
    FILE *f;

    if (geteuid() != 0)
        return false;
    snprintf(at, sizeof at, "%s/full", dir);
    assert_int_equal(mkdir(at, 0700), 0);
    assert_int_equal(mount("none", at, "tmpfs", 0, "size=64k"), 0);
    snprintf(path, sizeof path, "%s/filler", at);
    f = fopen(path, "w");
    assert_non_null(f);
    setvbuf(f, NULL, _IONBF, 0);
    while (fwrite(block, 1, sizeof block, f) == sizeof block)
        ;
    fclose(f);
    d.state_dir = at;
    return true;
}

/* Nothing was left on it. */
static void full_state_dir_ends(void)
{
    assert_int_equal(names_in(d.state_dir, ".tail") + names_in(d.state_dir, ".fetched"), 0);
    assert_int_equal(umount(d.state_dir), 0);
    d.state_dir = dir;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
