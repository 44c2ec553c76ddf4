/* SPDX-License-Identifier: GPL-2.0-or-later
 * Connections between two sides that mean well: handshakes, keys, frames, queues, ends. */
#include "test_net_peer.h"

#include <sys/stat.h>

static void frames_flow_both_ways(void **state)
{
    static const char *const ip[] = {"127.0.0.1", "::1"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ip); i++) {
        struct world *w = world_new();
        struct end c;

        w->echo = true;
        world_listen(w, ip[i]);
        world_connect(w, &c, w->tls, 10000);
        assert_int_equal(peer_send(c.p, "early", 5), -ENOTCONN);
        world_until(w, c.ups && w->accepted);
        assert_int_equal(peer_send(c.p, "hello", 5), 0);
        world_until(w, c.frames);
        assert_string_equal(c.last, "hello");
        assert_string_equal(w->in[0].last, "hello");
        assert_int_equal(w->in[0].ups, 0);
        assert_int_equal(strncmp(peer_name(w->in[0].p), i ? "[::1]:" : "127.0.0.1:", i ? 6 : 10),
                         0);
        assert_true(peer_heard_ms(c.p) > 0 && peer_heard_ms(c.p) <= clock_boot_ms());
        assert_false(peer_creds(c.p, &(struct ucred){0}));
        world_hang_up(w, &c);
        assert_string_equal(c.why, "the test hangs up");
        world_until(w, w->in[0].downs);
        assert_string_equal(w->in[0].why, "the other side hung up");
        assert_int_equal(w->complaints, 0);
        world_free(w);
    }
}

static void many_and_long_frames_keep_their_order(void **state)
{
    struct world *w = world_new();
    static char big[FRAME_MAX];
    struct end c;
    size_t sent = 0;

    (void)state;
    w->echo = true;
    world_listen(w, "127.0.0.1");
    world_connect(w, &c, w->tls, 10000);
    world_until(w, c.ups);
    memset(big, 'x', sizeof big);
    for (int i = 0; i < 3000; i++) {
        size_t len = i % 500 == 0 ? sizeof big : 1 + (size_t)i % 3000;
        int n = snprintf(big, sizeof big, "%d ", i);

        big[n] = 'x';
        if (peer_send(c.p, big, len) == -ENOBUFS) {
            i--;
            uv_run(&w->loop, UV_RUN_ONCE);
            continue;
        }
        sent += len;
    }
    world_until(w, c.frames == 3000);
    assert_int_equal(c.bytes, sent);
    assert_int_equal(w->in[0].bytes, sent);
    assert_int_equal(strncmp(c.last, "2999 xxx", 8), 0);
    world_hang_up(w, &c);
    world_free(w);
}

static void another_key_is_refused_on_both_sides(void **state)
{
    struct world *w = world_new();
    struct net_tls *other = world_keys("shop", 2, -1), *place = world_keys("staging", 1, -1);
    struct end c;

    (void)state;
    world_listen(w, "127.0.0.1");
    world_connect(w, &c, other, 10000);
    world_until(w, c.downs && w->complaints);
    assert_int_equal(c.ups, 0);
    assert_non_null(strstr(c.why, "TLS handshake failed: the other side has another cluster key"));
    assert_non_null(strstr(w->complaint, "TLS handshake failed: it has another cluster key"));
    assert_string_equal(w->complainer, "127.0.0.1");
    for (int i = 0; i < 5; i++) { /* the same again is no news */
        world_connect(w, &c, place, 10000);
        world_until(w, c.downs);
        assert_non_null(strstr(c.why, "or is not of cluster staging"));
    }
    world_settle(w);
    assert_int_equal(w->complaints, 1);
    assert_int_equal(w->accepted, 0);
    tls_free(other);
    tls_free(place);
    world_free(w);
}

static void keys_can_be_changed_in_any_order(void **state)
{
    /* {client, server}: {first, second key} */
    static const int step[][2][2] = {
        {{2, 1}, {1, -1}}, {{1, -1}, {2, 1}}, {{2, 1}, {2, 1}},
        {{1, 2}, {2, 1}},  {{2, 1}, {2, -1}}, {{2, -1}, {2, 1}},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(step); i++) {
        struct world *w = world_new();
        struct net_tls *client = world_keys("shop", step[i][0][0], step[i][0][1]);
        struct end c;

        tls_free(w->tls);
        w->tls = world_keys("shop", step[i][1][0], step[i][1][1]);
        world_listen(w, "127.0.0.1");
        world_connect(w, &c, client, 10000);
        tls_free(client); /* a connection keeps what it needs */
        world_until(w, c.ups && w->accepted);
        assert_int_equal(peer_send(c.p, "x", 1), 0);
        world_until(w, w->in[0].frames);
        world_hang_up(w, &c);
        world_free(w);
    }
}

static void a_listener_learns_new_keys(void **state)
{
    struct world *w = world_new();
    struct net_tls *fresh = world_keys("shop", 7, -1);
    struct end c, d;

    (void)state;
    world_listen(w, "127.0.0.1");
    world_connect(w, &c, w->tls, 10000);
    world_until(w, c.ups && w->accepted == 1);
    listen_use(w->l, fresh);
    world_connect(w, &d, fresh, 10000);
    tls_free(fresh);
    world_until(w, d.ups && w->accepted == 2);
    assert_int_equal(peer_send(c.p, "still here", 10), 0);
    world_until(w, w->in[0].frames);
    world_hang_up(w, &c);
    world_hang_up(w, &d);
    world_free(w);
}

static void nobody_listens(void **state)
{
    struct world *w = world_new();
    struct end c;
    struct err e = {0};

    (void)state;
    world_listen(w, "127.0.0.1");
    world_stop(w);
    world_connect(w, &c, w->tls, 10000);
    world_until(w, c.downs);
    assert_non_null(strstr(c.why, "connection refused"));
    memset(&w->at, 0, sizeof w->at);
    assert_int_equal(peer_unix_addr((struct sockaddr_un *)&w->at, "/nowhere/x.sock", &e), 0);
    world_connect(w, &c, NULL, 10000);
    world_until(w, c.downs);
    assert_non_null(strstr(c.why, "there is no such socket"));
    /* a key for a unix socket, none for TCP: a mistake of the caller */
    assert_null(peer_connect(&w->loop, w->tls, (struct sockaddr *)&w->at, 0, &end_ops, &c, &e));
    assert_int_equal(e.code, -EINVAL);
    assert_true(peer_unix_addr((struct sockaddr_un *)&w->at,
                               "/a-path-that-is-far-too-long-for-a-socket-address-which-has-room-"
                               "for-one-hundred-and-seven-characters-and-no-more",
                               &e) == -ENAMETOOLONG);
    world_free(w);
}

static void no_answer_ends_at_the_deadline(void **state)
{
    struct world *w = world_new();
    struct end c;
    int mute = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at;
    socklen_t len = sizeof at;

    (void)state;
    world_ip(&w->at, "127.0.0.1", 0);
    assert_int_equal(bind(mute, (struct sockaddr *)&w->at, len), 0);
    assert_int_equal(listen(mute, 5), 0);
    assert_int_equal(getsockname(mute, (struct sockaddr *)&w->at, &len), 0);
    world_connect(w, &c, w->tls, 30);
    world_until(w, c.downs);
    assert_non_null(strstr(c.why, "no answer in the TLS handshake (waited "));
    world_connect(w, &c, w->tls, -1000); /* too late already */
    world_until(w, c.downs);
    assert_non_null(strstr(c.why, "no answer"));
    close(mute);
    world_free(w);
}

static void closing_at_any_moment(void **state)
{
    (void)state;
    for (int turns = 0; turns < 40; turns++) {
        struct world *w = world_new();
        struct net_tls *two = world_keys("shop", 9, 1); /* goes through a refused key as well */
        struct end c;

        world_listen(w, "127.0.0.1");
        world_connect(w, &c, two, 10000);
        for (int i = 0; i < turns / 2; i++)
            uv_run(&w->loop, UV_RUN_NOWAIT);
        if (turns % 2)
            world_stop(w);
        if (c.p) {
            peer_close(c.p, "changed my mind");
            assert_int_equal(c.downs, 0); /* never from inside */
            peer_close(c.p, "not twice");
            assert_int_equal(peer_send(c.p, "x", 1), -ENOTCONN);
            world_until(w, c.downs);
            assert_string_equal(c.why, "changed my mind");
        }
        tls_free(two);
        world_free(w);
    }
}

static void closing_from_inside_a_frame(void **state)
{
    struct world *w = world_new();
    struct end c;

    (void)state;
    world_listen(w, "127.0.0.1");
    world_connect(w, &c, w->tls, 10000);
    world_until(w, c.ups && w->accepted);
    w->in[0].close_at_frame = 2;
    for (int i = 0; i < 5; i++)
        assert_int_equal(peer_send(c.p, "frame", 5), 0);
    world_until(w, c.downs && w->in[0].downs);
    assert_int_equal(w->in[0].frames, 2);
    assert_string_equal(w->in[0].why, "enough");
    world_free(w);
}

static void stopping_from_inside_the_accept(void **state)
{
    struct world *w = world_new();
    char path[64];
    struct end c;

    (void)state;
    w->stop_in_accept = true;
    world_listen(w, "127.0.0.1");
    world_connect(w, &c, w->tls, 10000);
    world_until(w, c.ups && w->stopped);
    assert_int_equal(peer_send(c.p, "x", 1), 0);
    world_until(w, w->in[0].frames); /* accepted peers stay */
    world_hang_up(w, &c);
    w->stopped = 0;
    snprintf(path, sizeof path, "/tmp/hamm-test-stop-%d.sock", (int)getpid());
    world_listen_unix(w, path);
    world_connect(w, &c, NULL, 10000);
    world_until(w, c.ups && w->stopped);
    assert_int_equal(access(path, F_OK), -1);
    world_hang_up(w, &c);
    world_free(w);
}

static void a_peer_nobody_binds_is_closed(void **state)
{
    struct world *w = world_new();
    struct end c;

    (void)state;
    w->refuse = 1;
    world_listen(w, "127.0.0.1");
    world_connect(w, &c, w->tls, 10000);
    world_until(w, c.downs);
    world_free(w);
}

static void a_full_queue_says_so(void **state)
{
    static const char block[FRAME_MAX];
    struct world *w = world_new();
    char path[64];
    int raw, rc, n = 0;

    (void)state;
    snprintf(path, sizeof path, "/tmp/hamm-test-queue-%d.sock", (int)getpid());
    world_listen_unix(w, path);
    raw = world_raw(w); /* and never reads */
    world_until(w, w->accepted);
    while ((rc = peer_send(w->in[0].p, block, sizeof block)) == 0)
        assert_true(++n < 100);
    assert_int_equal(rc, -ENOBUFS);
    assert_true(n >= PEER_QUEUE_MAX / (FRAME_HEAD + FRAME_MAX));
    assert_true(peer_queued(w->in[0].p) <= PEER_QUEUE_MAX);
    assert_int_equal(w->in[0].downs, 0);
    peer_close(w->in[0].p, "it doesn't read");
    world_until(w, w->in[0].downs);
    close(raw);
    world_free(w);
}

static void a_slow_reader_gets_everything(void **state)
{
    static char block[30000];
    struct world *w = world_new();
    size_t want = 0, got = 0;
    char path[64];
    int raw;

    (void)state;
    snprintf(path, sizeof path, "/tmp/hamm-test-slow-%d.sock", (int)getpid());
    world_listen_unix(w, path);
    raw = world_raw(w);
    world_until(w, w->accepted);
    while (peer_send(w->in[0].p, block, sizeof block) == 0)
        want += FRAME_HEAD + sizeof block;
    while (got < want) {
        ssize_t n = recv(raw, block, 7001, MSG_DONTWAIT);

        assert_true(n > 0 || (n < 0 && errno == EAGAIN));
        got += n > 0 ? (size_t)n : 0;
        uv_run(&w->loop, UV_RUN_NOWAIT);
    }
    world_settle(w);
    assert_int_equal(got, want);
    assert_int_equal(peer_queued(w->in[0].p), 0);
    close(raw);
    world_until(w, w->in[0].downs);
    world_free(w);
}

static void the_unix_socket(void **state)
{
    struct world *w = world_new();
    struct ucred who = {0};
    struct listener *second;
    struct err e = {0};
    struct stat st;
    char path[64];
    struct end c;
    int stale;

    (void)state;
    w->echo = true;
    snprintf(path, sizeof path, "/tmp/hamm-test-unix-%d.sock", (int)getpid());
    assert_int_equal(peer_unix_addr((struct sockaddr_un *)&w->at, path, &e), 0);
    stale = socket(AF_UNIX, SOCK_STREAM, 0); /* left behind by a process that was killed */
    assert_int_equal(bind(stale, (struct sockaddr *)&w->at, sizeof(struct sockaddr_un)), 0);
    close(stale);
    w->limits.mode = 0640;
    world_listen_unix(w, path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    second = listen_start(&w->loop, NULL, (struct sockaddr *)&w->at, NULL, &world_ops, w, &e);
    assert_null(second);
    assert_non_null(strstr(e.msg, "is in use"));
    world_connect(w, &c, NULL, 10000);
    world_until(w, c.ups && w->accepted);
    assert_string_equal(peer_name(c.p), path);
    assert_true(peer_creds(w->in[0].p, &who));
    assert_int_equal(who.pid, getpid());
    assert_int_equal(who.uid, getuid());
    assert_int_equal(peer_send(c.p, "status", 6), 0);
    world_until(w, c.frames);
    assert_string_equal(c.last, "status");
    world_hang_up(w, &c);
    world_stop(w);
    assert_int_equal(access(path, F_OK), -1);
    world_free(w);
}

static void a_file_in_the_way_is_left_alone(void **state)
{
    struct world *w = world_new();
    struct err e = {0};
    char path[64];
    FILE *f;

    (void)state;
    snprintf(path, sizeof path, "/tmp/hamm-test-file-%d", (int)getpid());
    f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    assert_int_equal(peer_unix_addr((struct sockaddr_un *)&w->at, path, &e), 0);
    assert_null(listen_start(&w->loop, NULL, (struct sockaddr *)&w->at, NULL, &world_ops, w, &e));
    assert_non_null(strstr(e.msg, "is in the way and is not a socket"));
    assert_int_equal(unlink(path), 0);
    world_ip(&w->at, "192.0.2.1", 1);
    assert_null(listen_start(&w->loop, w->tls, (struct sockaddr *)&w->at, NULL, &world_ops, w, &e));
    assert_non_null(strstr(e.msg, "no interface of this host has that address"));
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_flow_both_ways),
        cmocka_unit_test(many_and_long_frames_keep_their_order),
        cmocka_unit_test(another_key_is_refused_on_both_sides),
        cmocka_unit_test(keys_can_be_changed_in_any_order),
        cmocka_unit_test(a_listener_learns_new_keys),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(no_answer_ends_at_the_deadline),
        cmocka_unit_test(closing_at_any_moment),
        cmocka_unit_test(closing_from_inside_a_frame),
        cmocka_unit_test(stopping_from_inside_the_accept),
        cmocka_unit_test(a_peer_nobody_binds_is_closed),
        cmocka_unit_test(a_full_queue_says_so),
        cmocka_unit_test(a_slow_reader_gets_everything),
        cmocka_unit_test(the_unix_socket),
        cmocka_unit_test(a_file_in_the_way_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
