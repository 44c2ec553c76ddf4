/* SPDX-License-Identifier: GPL-2.0-or-later
 * Connections from a world that means harm, or knows no better. */
#include "test_net_peer.h"

#include <fcntl.h>
#include <sys/resource.h>

static void raw_send(struct world *w, int fd, const void *data, size_t len)
{
    assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
    world_settle(w);
}

static bool raw_is_closed(int fd)
{
    char byte[256];
    ssize_t n = recv(fd, byte, sizeof byte, MSG_DONTWAIT);

    return n == 0 || (n < 0 && errno != EAGAIN);
}

static void unix_path(char *to, size_t size, const char *what)
{
    snprintf(to, size, "/tmp/hamm-test-%s-%d.sock", what, (int)getpid());
}

/* A client with the key that can send TLS byte by byte. */
struct slow {
    int fd;
    struct tls_conn *tls;
};

static void slow_flush(struct world *w, struct slow *s, size_t keep)
{
    uint8_t out[4096];
    size_t n = tls_conn_out(s->tls, out, sizeof out);

    for (size_t i = 0; i + keep < n; i++) {
        assert_int_equal(send(s->fd, out + i, 1, MSG_NOSIGNAL), 1);
        uv_run(&w->loop, UV_RUN_NOWAIT);
    }
}

static void slow_connect(struct world *w, struct slow *s)
{
    struct err e = {0};
    char in[4096];
    int rc;

    s->fd = world_raw(w);
    s->tls = tls_conn_new(w->tls, false, 0);
    while ((rc = tls_conn_shake(s->tls, &e)) == 0) {
        ssize_t n;

        slow_flush(w, s, 0);
        n = recv(s->fd, in, sizeof in, MSG_DONTWAIT);
        if (n > 0)
            assert_true(tls_conn_feed(s->tls, in, (size_t)n));
        world_settle(w);
    }
    assert_int_equal(rc, 1);
    slow_flush(w, s, 0);
    world_until(w, w->accepted);
}

static void slow_close(struct slow *s)
{
    tls_conn_free(s->tls);
    close(s->fd);
}

static void tls_byte_by_byte(void **state)
{
    static const char frames[] = "\0\0\0\5hello\0\0\0\1x";
    struct world *w = world_new();
    struct err e = {0};
    struct slow s;

    (void)state;
    world_listen(w, "127.0.0.1");
    slow_connect(w, &s);
    for (size_t cut = 0; cut <= sizeof frames - 1; cut++) { /* two records, each byte by byte */
        w->in[0].frames = 0;
        if (cut)
            assert_int_equal(tls_conn_write(s.tls, frames, cut, &e), 0);
        slow_flush(w, &s, 0);
        if (cut < sizeof frames - 1)
            assert_int_equal(tls_conn_write(s.tls, frames + cut, sizeof frames - 1 - cut, &e), 0);
        slow_flush(w, &s, 0);
        world_until(w, w->in[0].frames == 2);
        assert_string_equal(w->in[0].last, "x");
    }
    assert_int_equal(w->in[0].downs, 0);
    slow_close(&s);
    world_until(w, w->in[0].downs);
    world_free(w);
}

static void plain_cut_at_each_byte(void **state)
{
    static const char frames[] = "\0\0\0\5hello\0\0\0\1x";
    struct world *w = world_new();
    char path[64];
    int raw;

    (void)state;
    unix_path(path, sizeof path, "cut");
    world_listen_unix(w, path);
    raw = world_raw(w);
    world_until(w, w->accepted);
    for (size_t cut = 1; cut < sizeof frames - 1; cut++) {
        w->in[0].frames = 0;
        raw_send(w, raw, frames, cut);
        assert_int_equal(w->in[0].frames, cut >= 9);
        raw_send(w, raw, frames + cut, sizeof frames - 1 - cut);
        assert_int_equal(w->in[0].frames, 2);
    }
    close(raw);
    world_until(w, w->in[0].downs);
    world_free(w);
}

static void bad_frames_end_only_their_connection(void **state)
{
    static const struct {
        const char *bytes, *why;
    } bad[] = {
        {"\0\1\0\1", "it announced a frame over 64 KiB"},
        {"\377\377\377\377", "it announced a frame over 64 KiB"},
        {"GET ", "it announced a frame over 64 KiB"},
        {"\0\0\0\0", "it sent an empty frame"},
    };
    struct world *w = world_new();
    struct err e = {0};
    struct slow s;
    struct end good;
    char path[64];

    (void)state;
    unix_path(path, sizeof path, "bad");
    world_listen_unix(w, path);
    world_connect(w, &good, NULL, 10000);
    world_until(w, good.ups && w->accepted == 1);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int raw = world_raw(w);

        raw_send(w, raw, bad[i].bytes, 4);
        world_until(w, w->in[1 + i].downs);
        assert_non_null(strstr(w->in[1 + i].why, bad[i].why));
        assert_true(raw_is_closed(raw));
        close(raw);
    }
    assert_int_equal(peer_send(good.p, "ok", 2), 0);
    world_until(w, w->in[0].frames);
    world_hang_up(w, &good);
    world_free(w);

    w = world_new(); /* the same with the key */
    world_listen(w, "127.0.0.1");
    slow_connect(w, &s);
    assert_int_equal(tls_conn_write(s.tls, "\0\1\0\1", 4, &e), 0);
    slow_flush(w, &s, 0);
    world_until(w, w->in[0].downs);
    assert_non_null(strstr(w->in[0].why, "it announced a frame over 64 KiB"));
    slow_close(&s);
    world_free(w);
}

static void half_a_frame_has_a_deadline(void **state)
{
    struct world *w = world_new();
    struct err e = {0};
    struct slow s;
    char path[64];
    int raw;

    (void)state;
    w->limits.half_ms = 30;
    unix_path(path, sizeof path, "half");
    world_listen_unix(w, path);
    raw = world_raw(w);
    raw_send(w, raw, "\0\0\0\5hel", 7);
    world_until(w, w->in[0].downs);
    assert_non_null(strstr(w->in[0].why, "half a frame, the rest did not come"));
    close(raw);
    world_free(w);

    for (int half_record = 0; half_record <= 1; half_record++) {
        w = world_new();
        w->limits.half_ms = 200; /* more than the handshake below takes */
        world_listen(w, "127.0.0.1");
        slow_connect(w, &s);
        assert_int_equal(tls_conn_write(s.tls, "\0\0\0\5hel", 7, &e), 0);
        slow_flush(w, &s, half_record ? 3 : 0);
        world_until(w, w->in[0].downs);
        assert_non_null(strstr(w->in[0].why, "half a frame"));
        slow_close(&s);
        world_free(w);
    }
}

static void a_silent_peer_may_be_silent(void **state)
{
    struct world *w = world_new();
    struct end c;
    int64_t until;

    (void)state;
    w->limits.half_ms = 10;
    w->limits.shake_ms = 400;
    world_listen(w, "127.0.0.1");
    world_connect(w, &c, w->tls, 10000);
    world_until(w, c.ups && w->accepted);
    until = clock_boot_ms() + 600; /* no deadline is left over from the handshake or a frame */
    assert_int_equal(peer_send(c.p, "x", 1), 0);
    world_until(w, clock_boot_ms() > until);
    assert_int_equal(c.downs + w->in[0].downs, 0);
    world_hang_up(w, &c);
    world_free(w);
}

static void strangers_are_complained_about_once(void **state)
{
    static const char hello[] = "GET / HTTP/1.1\r\n\r\n";
    struct world *w = world_new();

    (void)state;
    w->limits.shake_ms = 30;
    world_listen(w, "127.0.0.1");
    for (int i = 0; i < 10; i++) {
        int raw = world_raw(w);

        world_settle(w);
        raw_send(w, raw, hello, sizeof hello - 1);
        world_until(w, raw_is_closed(raw));
        close(raw);
    }
    assert_int_equal(w->complaints, 1);
    assert_string_equal(w->complaint, "TLS handshake failed: the other side does not speak TLS");
    for (int i = 0; i < 3; i++) { /* says nothing: another kind */
        int raw = world_raw(w);

        world_until(w, raw_is_closed(raw));
        close(raw);
    }
    assert_int_equal(w->complaints, 2);
    assert_non_null(strstr(w->complaint, "no TLS handshake came (waited "));
    close(world_raw(w)); /* a port check is worth no line */
    world_settle(w);
    assert_int_equal(w->complaints, 2);
    assert_int_equal(w->accepted, 0);
    world_free(w);
}

static void an_endless_handshake_ends(void **state)
{
    static const char record[5 + 16384] = "\x16\x03\x01\x40\x00\x01\xff\xff\xff";
    struct world *w = world_new();
    int raw;

    (void)state;
    world_listen(w, "127.0.0.1");
    raw = world_raw(w);
    world_settle(w);
    for (int i = 0; i < 10 && !w->complaints; i++) {
        send(raw, record, sizeof record, MSG_NOSIGNAL);
        world_settle(w);
    }
    world_until(w, w->complaints);
    world_until(w, raw_is_closed(raw));
    close(raw);
    world_free(w);
}

static void garbage_of_every_kind(void **state)
{
    struct world *w = world_new();
    unsigned seed = 1;
    struct end c;

    (void)state;
    w->limits.shake_ms = 20;
    world_listen(w, "127.0.0.1");
    for (int i = 0; i < 300; i++) {
        unsigned char junk[600] = {0x16, 3, 1, 0, (unsigned char)(i * 7), 1};
        int raw = world_raw(w);

        for (size_t j = 6; j < sizeof junk; j++)
            junk[j] = (unsigned char)(seed = seed * 1103515245 + 12345);
        send(raw, junk, 1 + (size_t)i, MSG_NOSIGNAL);
        uv_run(&w->loop, UV_RUN_NOWAIT);
        close(raw);
    }
    world_connect(w, &c, w->tls, 10000);
    world_until(w, c.ups || c.downs);
    assert_int_equal(c.ups, 1);
    world_hang_up(w, &c);
    world_free(w);
}

static void idle_crowds_keep_nobody_out(void **state)
{
    enum { CROWD = 2000 };
    static int crowd[CROWD];
    struct rlimit was, more;
    struct world *w = world_new();
    int left = 0;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
    more = was;
    more.rlim_cur = more.rlim_max < CROWD + 500 ? more.rlim_max : CROWD + 500;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &more), 0);
    world_listen(w, "127.0.0.1");
    for (int i = 0; i < CROWD; i++) {
        struct sockaddr_in from = {.sin_family = AF_INET};

        /* from 127.0.1.x: 100 addresses, more than fit in all */
        from.sin_addr.s_addr = htonl(0x7f000101u + (unsigned)i % 100);
        crowd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(crowd[i] >= 0);
        assert_int_equal(bind(crowd[i], (struct sockaddr *)&from, sizeof from), 0);
        assert_int_equal(connect(crowd[i], (struct sockaddr *)&w->at, sizeof from), 0);
        if (i % 100 == 99) {
            struct end c;

            world_connect(w, &c, w->tls, 10000);
            world_until(w, c.ups || c.downs);
            assert_int_equal(c.ups, 1);
            world_hang_up(w, &c);
        }
    }
    world_settle(w);
    for (int i = 0; i < CROWD; i++)
        left += !raw_is_closed(crowd[i]);
    assert_true(left <= 64);
    assert_true(left > 0);
    assert_int_equal(w->accepted, CROWD / 100);
    for (int i = 0; i < CROWD; i++)
        close(crowd[i]);
    world_settle(w);
    world_free(w);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
}

static void one_address_has_its_own_limit(void **state)
{
    struct world *w = world_new();
    int raw[40], left = 0;

    (void)state;
    world_listen(w, "127.0.0.1");
    for (size_t i = 0; i < ARRAY_LEN(raw); i++) {
        raw[i] = world_raw(w);
        world_settle(w);
    }
    for (size_t i = 0; i < ARRAY_LEN(raw); i++) {
        bool closed = raw_is_closed(raw[i]);

        assert_int_equal(closed, i < ARRAY_LEN(raw) - 16); /* the oldest had to go */
        left += !closed;
    }
    assert_int_equal(left, 16);
    assert_non_null(strstr(w->complaint, "too many connections without a finished handshake"));
    for (size_t i = 0; i < ARRAY_LEN(raw); i++)
        close(raw[i]);
    world_free(w);
}

static void authenticated_peers_have_a_limit_too(void **state)
{
    struct world *w = world_new();
    struct end c[4];

    (void)state;
    w->limits.peers_max = 3;
    world_listen(w, "127.0.0.1");
    for (int i = 0; i < 4; i++) {
        world_connect(w, &c[i], w->tls, 10000);
        world_until(w, c[i].downs || w->accepted == i + 1);
    }
    assert_int_equal(w->accepted, 3);
    assert_string_equal(w->complaint, "refused: there are 3 connections already, the most allowed");
    world_hang_up(w, &c[0]);
    world_until(w, w->in[0].downs);
    world_connect(w, &c[0], w->tls, 10000);
    world_until(w, w->accepted == 4);
    for (int i = 0; i < 3; i++)
        world_hang_up(w, &c[i]);
    world_free(w);
}

/* How often the loop turns while there is no descriptor left. */
static void no_descriptors_no_spinning(void **state)
{
    struct world *w = world_new();
    int waiting, top, turns = 0;
    struct rlimit was, few;
    int64_t until;
    struct end c;

    (void)state;
    uv_timer_stop(&w->tick);
    timer_every(&w->tick, 50, world_on_tick);
    world_listen(w, "127.0.0.1");
    world_connect(w, &c, w->tls, 10000);
    world_until(w, c.ups && w->accepted);
    waiting = world_raw(w);
    top = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(top);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
    few = was;
    few.rlim_cur = (rlim_t)top;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    until = clock_boot_ms() + 500;
    while (clock_boot_ms() < until) {
        uv_run(&w->loop, UV_RUN_ONCE);
        turns++;
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
    assert_true(turns < 100);
    assert_int_equal(w->complaints, 1);
    assert_non_null(strstr(w->complaint, "cannot accept a connection: too many open files"));
    assert_non_null(strstr(w->complainer, "127.0.0.1:"));
    assert_int_equal(peer_send(c.p, "x", 1), 0); /* who is in works on */
    world_until(w, w->in[0].frames);
    world_hang_up(w, &c);
    world_connect(w, &c, w->tls, 10000); /* and afterwards all is well */
    world_until(w, c.ups);
    world_hang_up(w, &c);
    close(waiting);
    world_free(w);
}

/* With no descriptor left a stranger makes room for the next. */
static void a_stranger_goes_for_want_of_descriptors(void **state)
{
    struct world *w = world_new();
    struct rlimit was, few;
    int stranger, top;
    struct end c;

    (void)state;
    world_listen(w, "127.0.0.1");
    stranger = world_raw(w);
    world_settle(w);
    world_connect(w, &c, w->tls, 10000); /* our own side has its descriptor */
    top = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(top);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
    few = was;
    few.rlim_cur = (rlim_t)top;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    world_until(w, c.ups || c.downs);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
    assert_int_equal(c.ups, 1);
    assert_true(raw_is_closed(stranger));
    close(stranger);
    world_hang_up(w, &c);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tls_byte_by_byte),
        cmocka_unit_test(plain_cut_at_each_byte),
        cmocka_unit_test(bad_frames_end_only_their_connection),
        cmocka_unit_test(half_a_frame_has_a_deadline),
        cmocka_unit_test(a_silent_peer_may_be_silent),
        cmocka_unit_test(strangers_are_complained_about_once),
        cmocka_unit_test(an_endless_handshake_ends),
        cmocka_unit_test(garbage_of_every_kind),
        cmocka_unit_test(idle_crowds_keep_nobody_out),
        cmocka_unit_test(one_address_has_its_own_limit),
        cmocka_unit_test(authenticated_peers_have_a_limit_too),
        cmocka_unit_test(no_descriptors_no_spinning),
        cmocka_unit_test(a_stranger_goes_for_want_of_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
