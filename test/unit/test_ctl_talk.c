/* SPDX-License-Identifier: GPL-2.0-or-later
 * `hamm ctl` against monitors that behave, and against ones that don't. The monitor here is a child
 * process that plays a script on a unix socket. */
#include "base/clock.h"
#include "ctl/ctl.h"
#include "ctl/talk.h"
#include "net/peer.h"
#include "proto/codec.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/test_talk.XXXXXX", path[64], config[64], out[64];
static pid_t monitor;
static struct err err;

/* --- the monitor's part --------------------------------------------------------------------- */

static void take(int fd)
{
    uint32_t len;
    char frame[MSG_FRAME_MAX];

    if (recv(fd, &len, 4, MSG_WAITALL) != 4 ||
        recv(fd, frame, ntohl(len), MSG_WAITALL) != (ssize_t)ntohl(len))
        _exit(1);
}

static void give(int fd, const void *frame, size_t len)
{
    uint32_t head = htonl((uint32_t)len);

    if (send(fd, &head, 4, MSG_NOSIGNAL) != 4 || send(fd, frame, len, MSG_NOSIGNAL) != (ssize_t)len)
        _exit(1);
}

static void give_msg(int fd, const struct msg *m)
{
    static const struct names none;
    char frame[MSG_FRAME_MAX];
    size_t len = 0;

    if (msg_encode(m, &none, frame, sizeof frame, &len, &err))
        _exit(1);
    give(fd, frame, len);
}

static void answer(int fd, uint64_t id, int code, bool more, const char *text)
{
    struct msg m = {.kind = MSG_ANSWER, .answer = {.id = id, .code = code, .more = more}};

    strcpy(m.answer.text, text);
    give_msg(fd, &m);
}

static void greet(int fd)
{
    struct msg m = {.kind = MSG_HELLO, .hello = {.version = 1, .speaker = SPEAKER_MONITOR}};

    take(fd);
    give_msg(fd, &m);
}

static void play(void (*script)(int fd))
{
    struct sockaddr_un at;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_int_equal(peer_unix_addr(&at, path, &err), 0);
    (void)unlink(path);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 4), 0);
    monitor = fork();
    if (!monitor) {
        alarm(20);
        script(accept(fd, NULL, NULL));
        pause();
        _exit(0);
    }
    close(fd);
}

static int over(void **state)
{
    (void)state;
    if (monitor) {
        kill(monitor, SIGKILL);
        waitpid(monitor, NULL, 0);
        monitor = 0;
    }
    (void)unlink(path);
    return 0;
}

/* --- ctl's part ----------------------------------------------------------------------------- */

struct heard {
    unsigned n, enough;
    struct msg_answer last;
};

static bool on_answer(void *owner, const struct msg_answer *a)
{
    struct heard *h = owner;

    h->last = *a;
    return ++h->n != h->enough;
}

static int talk_to(unsigned places, int64_t patience_ms, struct heard *h)
{
    static struct talk_place place[2];
    static struct msg_command command = {.n = 1, .word = {"ping"}};
    struct talk_with with = {.place = place,
                             .places = places,
                             .cluster = "shop",
                             .command = &command,
                             .patience_ms = patience_ms,
                             .on_answer = on_answer,
                             .owner = h};

    memset(place, 0, sizeof place);
    assert_int_equal(peer_unix_addr((struct sockaddr_un *)&place[places - 1].at, path, &err), 0);
    strcpy(place[places - 1].name, "the monitor");
    if (places == 2) {
        assert_int_equal(peer_unix_addr((struct sockaddr_un *)&place[0].at, "/nonexistent", &err),
                         0);
        strcpy(place[0].name, "nobody");
    }
    memset(h, 0, sizeof *h);
    return talk(&with, &err);
}

static void says(const char *part)
{
    if (!strstr(err.msg, part))
        fail_msg("%s\nis not in\n%s", part, err.msg);
}

static void in_two_parts(int fd)
{
    greet(fd);
    take(fd);
    answer(fd, 1, 0, true, "one ");
    answer(fd, 1, 1, false, "two");
}

static void a_conversation(void **state)
{
    struct heard h;

    (void)state;
    play(in_two_parts);
    assert_int_equal(talk_to(1, 0, &h), 0);
    assert_int_equal(h.n, 2);
    assert_string_equal(h.last.text, "two");
    assert_int_equal(h.last.code, 1);
    over(NULL);
    play(in_two_parts); /* the second place is as good as the first */
    assert_int_equal(talk_to(2, 0, &h), 0);
    assert_int_equal(h.n, 2);
}

static void nobody_there(void **state)
{
    struct heard h;

    (void)state;
    assert_int_equal(talk_to(2, 0, &h), -EHOSTUNREACH);
    says("nobody: ");
    says("\n  the monitor: ");
    assert_int_equal(h.n, 0);
}

static void turned_away(int fd)
{
    answer(fd, 0, 4, false, "ERROR: not authorised");
}

static void at_the_door(void **state)
{
    struct heard h;

    (void)state;
    play(turned_away);
    assert_int_equal(talk_to(1, 0, &h), 0);
    assert_int_equal(h.last.code, 4);
}

static void hangs_up(int fd)
{
    greet(fd);
    take(fd);
    close(fd);
}

static void says_nothing(int fd)
{
    greet(fd);
    take(fd);
}

static void stutters(int fd)
{
    greet(fd);
    take(fd);
    answer(fd, 1, 0, true, "it is being done");
}

static void no_answer(void **state)
{
    int64_t began;
    struct heard h;

    (void)state;
    play(hangs_up);
    assert_int_equal(talk_to(1, 0, &h), -EIO);
    says("no answer to the command");
    over(NULL);
    play(says_nothing);
    began = clock_boot_ms();
    assert_int_equal(talk_to(1, 300, &h), -EIO);
    says("waited 300 ms");
    assert_in_range(clock_boot_ms() - began, 300, 2000);
    over(NULL);
    play(stutters);
    assert_int_equal(talk_to(1, 300, &h), -EIO);
    assert_int_equal(h.n, 1);
}

static void garbles(int fd)
{
    take(fd);
    give(fd, "HTTP/1.1 400", 12);
}

static void knows_only_beats(int fd)
{
    struct msg m = {.kind = MSG_BEAT};

    take(fd);
    give_msg(fd, &m);
}

static void no_monitor_at_all(void **state)
{
    struct heard h;

    (void)state;
    play(garbles);
    assert_int_equal(talk_to(1, 0, &h), -EHOSTUNREACH);
    says("not JSON");
    over(NULL);
    play(knows_only_beats);
    assert_int_equal(talk_to(1, 0, &h), -EHOSTUNREACH);
    says("it does not talk like a monitor");
}

/* --- the whole command ---------------------------------------------------------------------- */

static const char *printed(void)
{
    static char text[4096];
    FILE *f = fopen(out, "r");
    size_t n = fread(text, 1, sizeof text - 1, f);

    fclose(f);
    text[n] = 0;
    return text;
}

/* stdout goes to a file for the time of the call. */
static int ctl(const char *line)
{
    char copy[256], *argv[WORDS_MAX + 4] = {"ctl", "-c", config}, *save = NULL;
    int argc = 3, was = dup(1), rc;
    int to = open(out, O_CREAT | O_TRUNC | O_WRONLY, 0600);

    strcpy(copy, line);
    for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    fflush(stdout);
    dup2(to, 1);
    close(to);
    rc = ctl_main(argc, argv);
    fflush(stdout);
    dup2(was, 1);
    close(was);
    return rc;
}

static void good_status(int fd)
{
    greet(fd);
    take(fd);
    answer(fd, 1, 0, true, "{\"schema\":1,\"cluster\":\"shop\",\"health\":");
    answer(fd, 1, 0, false, "\"degraded\",\"why\":[\"x\"]}");
}

static void refusal(int fd)
{
    greet(fd);
    take(fd);
    answer(fd, 1, 1, false, "ERROR: no");
}

static void exit_codes(void **state)
{
    (void)state;
    play(good_status);
    assert_int_equal(ctl("status"), 0);
    assert_non_null(strstr(printed(), "DEGRADED: x\n"));
    over(NULL);
    play(good_status);
    assert_int_equal(ctl("status --exit-code"), 10);
    over(NULL);
    play(good_status);
    assert_int_equal(ctl("--json status"), 0);
    assert_string_equal(printed(), "{\"schema\":1,\"cluster\":\"shop\",\"health\":\"degraded\","
                                   "\"why\":[\"x\"]}\n");
    over(NULL);
    play(refusal);
    assert_int_equal(ctl("set_online db1 --json"), 1);
    assert_string_equal(printed(), "{\"code\":1,\"text\":\"ERROR: no\"}\n");
    over(NULL);
    play(in_two_parts);
    assert_int_equal(ctl("move-role writer db2"), 1);
    over(NULL);
    play(hangs_up);
    assert_int_equal(ctl("mode active"), 1);
    over(NULL);
    assert_int_equal(ctl("ping"), 2); /* no socket, and the key cannot be read */
    assert_int_equal(ctl("pong"), 2);
    assert_int_equal(ctl("move-role writer"), 2);
    assert_int_equal(ctl(""), 2);
    assert_int_equal(ctl("--help"), 0);
    assert_non_null(
        strstr(printed(), "\n  move-role [--force [--lost OLD] [--accept-loss OLD]] ROLE HOST\n"));
}

static void words(int fd)
{
    greet(fd);
    take(fd);
    answer(fd, 1, 0, false, "a line\n");
}

static void as_mmm_prints(void **state)
{
    (void)state;
    play(words);
    assert_int_equal(ctl("show"), 0);
    assert_string_equal(printed(), "a line\n\n");
    over(NULL);
    play(words);
    assert_int_equal(ctl("events -n 1"), 0);
    assert_string_equal(printed(), "a line\n");
}

static int setup(void **state)
{
    FILE *f;

    (void)state;
    net_init();
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/shop.sock", folder);
    snprintf(config, sizeof config, "%s/shop.yaml", folder);
    snprintf(out, sizeof out, "%s/out", folder);
    f = fopen(config, "w");
    assert_non_null(f);
    fprintf(f,
            "cluster: shop\nkey_file: /nonexistent/key\ncontrol_socket: %s\n"
            "monitors:\n  mon1: { address: 127.0.0.1, port: 1 }\n"
            "mysql:\n  monitor: { user: m, password_file: /nonexistent/m }\n"
            "  agent: { user: a, password_file: /nonexistent/a }\n"
            "  replication: { user: r, password_file: /nonexistent/r }\n"
            "hosts:\n  db1: { address: 127.0.0.2, mode: master, peer: db2 }\n"
            "  db2: { address: 127.0.0.3, mode: master, peer: db1 }\n"
            "roles:\n  writer: { mode: exclusive, hosts: [db1, db2], ips: [10.77.0.100/24] }\n"
            "active_master_role: writer\n",
            path);
    fclose(f);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink(config);
    (void)unlink(out);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_conversation, over),
        cmocka_unit_test_teardown(nobody_there, over),
        cmocka_unit_test_teardown(at_the_door, over),
        cmocka_unit_test_teardown(no_answer, over),
        cmocka_unit_test_teardown(no_monitor_at_all, over),
        cmocka_unit_test_teardown(exit_codes, over),
        cmocka_unit_test_teardown(as_mmm_prints, over),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
