/* SPDX-License-Identifier: GPL-2.0-or-later
 * The monitor's side of ctl, over a real socket: answers, limits, rude guests. */
#include "base/clock.h"
#include "monitor/control.h"
#include "monitor/ring.h"
#include "monitor/status.h"
#include "net/peer.h"
#include "proto/codec.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static uv_loop_t loop;
static struct engine *engine;
static struct status_conf status;
static struct ring ring;
static struct control *control;
static char folder[] = "/tmp/test_control.XXXXXX", path[64];
static struct err err;
static bool stopped;

/* What the owner of the control was ordered. */
static struct engine_command ordered[64];
static unsigned n_ordered;
static bool refuse, answer_at_once;

static int on_order(void *owner, const struct engine_command *c, struct err *why)
{
    (void)owner;
    ordered[n_ordered++ % 64] = *c;
    if (refuse)
        return err_set(why, -EBUSY, "the journal does not answer");
    if (answer_at_once)
        control_answer(control, c->id, 0, false, "OK: at once");
    return 0;
}
static const struct control_ops ops = {.order = on_order};

/* --- a guest -------------------------------------------------------------------------------- */

struct guest {
    struct peer *peer;
    bool up, down, hello;
    unsigned answers;
    struct msg_answer last;
    struct buf text;
    char why[256];
};

static void say(struct guest *g, const struct msg *m)
{
    static const struct names none;
    char frame[MSG_FRAME_MAX];
    size_t len;

    assert_int_equal(msg_encode(m, &none, frame, sizeof frame, &len, &err), 0);
    (void)!peer_send(g->peer, frame, len);
}

static void on_up(struct peer *p, void *owner)
{
    struct guest *g = owner;

    (void)p;
    g->up = true;
}

static void on_frame(struct peer *p, void *owner, const void *data, size_t len)
{
    static const struct names none;
    struct guest *g = owner;
    struct msg m;

    (void)p;
    assert_int_equal(msg_decode(&m, &none, data, len, &err), 0);
    if (m.kind == MSG_HELLO) {
        assert_string_equal(m.hello.cluster, "shop");
        assert_int_equal(m.hello.speaker, SPEAKER_MONITOR);
        g->hello = true;
        return;
    }
    assert_int_equal(m.kind, MSG_ANSWER);
    g->answers++;
    g->last = m.answer;
    buf_addf(&g->text, "%s", m.answer.text);
}

static void on_down(struct peer *p, void *owner, const char *why)
{
    struct guest *g = owner;

    (void)p;
    g->down = true;
    snprintf(g->why, sizeof g->why, "%s", why);
}
static const struct peer_ops guest_ops = {on_up, on_frame, on_down};

/* Runs the loop until *what, at most two seconds. */
static void wake(uv_timer_t *t)
{
    (void)t;
}

static bool until(const bool *what)
{
    int64_t end = clock_boot_ms() + 2000;
    uv_timer_t t;

    uv_timer_init(&loop, &t);
    uv_timer_start(&t, wake, 20, 20);
    while (!*what && clock_boot_ms() < end)
        uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&t, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    return *what;
}

static bool answered(struct guest *g, unsigned n)
{
    int64_t end = clock_boot_ms() + 2000;
    bool never = false;
    uv_timer_t t;

    (void)never;
    uv_timer_init(&loop, &t);
    uv_timer_start(&t, wake, 20, 20);
    while (g->answers < n && clock_boot_ms() < end)
        uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&t, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    return g->answers >= n;
}

static void come(struct guest *g)
{
    struct sockaddr_un at;

    *g = (struct guest){.text = BUF(8 << 20)};
    assert_int_equal(peer_unix_addr(&at, path, &err), 0);
    g->peer = peer_connect(&loop, NULL, (struct sockaddr *)&at, clock_boot_ms() + 2000, &guest_ops,
                           g, &err);
    assert_non_null(g->peer);
    assert_true(until(&g->up));
}

static void greet(struct guest *g, const char *cluster)
{
    struct msg m = {.kind = MSG_HELLO, .hello = {.version = 1, .speaker = SPEAKER_CTL}};

    strcpy(m.hello.cluster, cluster);
    strcpy(m.hello.name, "ctl");
    say(g, &m);
}

static void enter(struct guest *g)
{
    come(g);
    greet(g, "shop");
    assert_true(until(&g->hello));
}

static void leave(struct guest *g)
{
    if (!g->down)
        peer_close(g->peer, "bye");
    assert_true(until(&g->down));
    buf_free(&g->text);
}

static void ask(struct guest *g, uint64_t id, const char *line)
{
    struct msg m = {.kind = MSG_COMMAND, .command = {.id = id}};
    char copy[256], *save = NULL;

    strcpy(copy, line);
    for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
        strcpy(m.command.word[m.command.n++], w);
    say(g, &m);
}

/* --- life ----------------------------------------------------------------------------------- */

static int setup(void **state)
{
    static char ip[1][ADDR_LEN] = {"10.77.0.100/24"};
    struct control_with with = {.engine = NULL, .status = &status, .ring = &ring};

    (void)state;
    net_init();
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/run/shop.sock", folder);
    engine = calloc(1, sizeof *engine);
    assert_non_null(engine);
    assert_int_equal(ring_init(&ring), 0);
    assert_int_equal(uv_loop_init(&loop), 0);
    strcpy(status.cluster, "shop");
    status.slot[0].n = 1;
    status.slot[0].ip = ip;
    strcpy(engine->conf.monitor, "mon1");
    engine->conf.names.hosts = 2;
    engine->conf.names.slots = engine->conf.roles = 1;
    strcpy(engine->conf.names.host[0], "db1");
    strcpy(engine->conf.names.host[1], "db2");
    strcpy(engine->conf.names.slot[0], "writer");
    strcpy(engine->conf.role[0].name, "writer");
    engine->conf.role[0].writable = engine->conf.role[0].exclusive = true;
    with.engine = engine;
    with.socket_path = path;
    engine->reign = REIGN_YES;
    stopped = refuse = answer_at_once = false;
    n_ordered = 0;
    control = control_start(&loop, &with, &ops, NULL, &err);
    if (!control)
        fail_msg("%s", err.msg);
    return 0;
}

static void on_stopped(void *owner)
{
    (void)owner;
    stopped = true;
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    control_stop(control, on_stopped);
    assert_true(until(&stopped));
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    ring_free(&ring);
    free(engine);
    assert_true(access(path, F_OK));
    snprintf(command, sizeof command, "%s/run", folder);
    (void)rmdir(command);
    (void)rmdir(folder);
    return 0;
}

/* --- the tests ------------------------------------------------------------------------------ */

static void reading(void **state)
{
    static struct guest g;

    (void)state;
    enter(&g);
    ask(&g, 1, "ping");
    assert_true(answered(&g, 1));
    assert_string_equal(g.last.text, "OK: Pinged successfully!");
    assert_int_equal(g.last.id, 1);
    assert_int_equal(g.last.code, 0);
    ask(&g, 2, "mode");
    assert_true(answered(&g, 2));
    assert_string_equal(g.last.text, "ACTIVE");
    ask(&g, 3, "status");
    assert_true(answered(&g, 3));
    assert_memory_equal(g.last.text, "{\"schema\":1,", 12);
    ask(&g, 4, "set-online dbx");
    assert_true(answered(&g, 4));
    assert_int_equal(g.last.code, 2);
    assert_string_equal(g.last.text, "ERROR: unknown host \"dbx\": the hosts are db1, db2");
    leave(&g);
}

static void a_long_status_comes_in_parts(void **state)
{
    static struct guest g;

    (void)state;
    engine->conf.names.hosts = HOSTS_MAX;
    for (int i = 0; i < HOSTS_MAX; i++) {
        snprintf(engine->conf.names.host[i], NAME_LEN, "db%d", i);
        memset(engine->host[i].report.gtid, '"', GTID_LEN - 1);
        engine->host[i].report.start_id = 1;
    }
    enter(&g);
    ask(&g, 1, "status");
    while (answered(&g, g.answers + 1) && g.last.more)
        ;
    assert_false(g.last.more);
    assert_true(g.answers > 5);
    assert_false(g.text.full);
    assert_int_equal(g.text.at[g.text.len - 1], '}');
    leave(&g);
}

static void orders_are_answered_later(void **state)
{
    static struct guest one, two;

    (void)state;
    enter(&one);
    enter(&two);
    ask(&one, 7, "move-role writer db2 --force --lost db1");
    ask(&two, 7, "set-online db1");
    ask(&two, 8, "ping");
    assert_true(answered(&two, 1));
    assert_int_equal(two.last.id, 8); /* nobody waits for somebody else's order */
    for (int i = 0; n_ordered < 2 && i < 100; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(n_ordered, 2);
    for (int i = 0; i < 2; i++)
        if (ordered[i].verb == VERB_MOVE_ROLE) {
            control_answer(control, ordered[i].id, 0, true, "0 ms: preflight\n");
            control_answer(control, ordered[i].id, 1, false, "ERROR: rolled back");
            control_answer(control, ordered[i].id, 0, false, "too late");
        } else {
            control_answer(control, ordered[i].id, 0, false, "OK: done");
        }
    control_answer(control, 0, 0, false, "for nobody");
    control_answer(control, 12345, 0, false, "for nobody");
    assert_true(answered(&one, 2));
    assert_true(answered(&two, 2));
    assert_string_equal(one.text.at, "0 ms: preflight\nERROR: rolled back");
    assert_int_equal(one.last.code, 1);
    assert_int_equal(one.last.id, 7);
    assert_string_equal(two.last.text, "OK: done");
    answer_at_once = true;
    ask(&one, 9, "mode manual");
    assert_true(answered(&one, 3));
    assert_string_equal(one.last.text, "OK: at once");
    refuse = true;
    answer_at_once = false;
    ask(&one, 10, "mode active");
    assert_true(answered(&one, 4));
    assert_string_equal(one.last.text, "ERROR: the journal does not answer");
    assert_int_equal(one.last.code, 1);
    leave(&one);
    leave(&two);
}

static void so_many_orders_and_no_more(void **state)
{
    static struct guest g;

    (void)state;
    enter(&g);
    for (int i = 0; i < CONTROL_ORDERS_MAX; i++)
        ask(&g, 100, "set-online db1");
    ask(&g, 200, "set-online db1");
    assert_true(answered(&g, 1));
    assert_int_equal(g.last.id, 200);
    assert_int_equal(g.last.code, 1);
    assert_int_equal(n_ordered, CONTROL_ORDERS_MAX);
    leave(&g);
    /* it takes them along, and late answers find nobody */
    control_answer(control, ordered[0].id, 0, false, "OK");
    enter(&g);
    answer_at_once = true;
    ask(&g, 1, "set-online db1");
    assert_true(answered(&g, 1));
    assert_int_equal(g.last.code, 0);
    leave(&g);
}

static void events(void **state)
{
    static struct guest g, slow;

    (void)state;
    ring_add(&ring, 1000, EVENT_NOTE, 0, "first");
    ring_add(&ring, 2000, EVENT_WARN, -1, "second");
    enter(&g);
    ask(&g, 1, "events -n 1");
    assert_true(answered(&g, 1));
    assert_string_equal(g.text.at, "1970-01-01T00:00:02.000Z  warn  second\n");
    assert_false(g.last.more);
    ask(&g, 2, "events -f -n 0");
    assert_true(answered(&g, 2));
    assert_true(g.last.more);
    ring_add(&ring, 3000, EVENT_INFO, 1, "third");
    assert_true(answered(&g, 3));
    assert_string_equal(g.last.text, "1970-01-01T00:00:03.000Z  info  db2: third\n");
    assert_int_equal(g.last.id, 2);
    enter(&slow);
    ask(&slow, 1, "events -f");
    assert_true(answered(&slow, 1));
    for (int i = 0; i < 20000; i++) /* nobody runs the loop: nothing is read */
        ring_add(&ring, 4000, EVENT_INFO, -1, "and another one, and another one, and another one");
    assert_null(ring.followers); /* both were too slow */
    leave(&slow);
    leave(&g);
}

static void a_full_ring_fits_an_answer(void **state)
{
    static char text[EVENT_LEN];
    static struct guest g;

    (void)state;
    memset(text, 'x', sizeof text - 1);
    for (int i = 0; i < RING_MAX; i++)
        ring_add(&ring, i, EVENT_INFO, -1, text);
    enter(&g);
    ask(&g, 1, "events -n 1000");
    while (answered(&g, g.answers + 1) && g.last.more)
        ;
    assert_int_equal(g.last.code, 0);
    assert_true(g.text.len > 400 * 1024);
    assert_memory_equal(g.text.at + g.text.len - 2, "x\n", 2);
    leave(&g);
}

static void rude_guests(void **state)
{
    static struct guest g;
    struct msg m = {.kind = MSG_BEAT};

    (void)state;
    come(&g);
    ask(&g, 1, "ping"); /* without a hello */
    assert_true(until(&g.down));
    assert_int_equal(g.answers, 0);
    leave(&g);
    come(&g);
    (void)!peer_send(g.peer, "{}", 2);
    assert_true(until(&g.down));
    leave(&g);
    come(&g);
    greet(&g, "other");
    assert_true(until(&g.down));
    assert_int_equal(g.answers, 1);
    assert_string_equal(g.last.text, "ERROR: this is the monitor of cluster shop, not of other");
    leave(&g);
    enter(&g);
    say(&g, &m);
    assert_true(until(&g.down));
    leave(&g);
    enter(&g); /* and it still answers */
    ask(&g, 1, "ping");
    assert_true(answered(&g, 1));
    leave(&g);
}

static void so_many_guests_and_no_more(void **state)
{
    static struct guest g[CONTROL_PEERS_MAX], more;

    (void)state;
    for (int i = 0; i < CONTROL_PEERS_MAX; i++)
        enter(&g[i]);
    come(&more);
    assert_true(until(&more.down));
    leave(&more);
    for (int i = 0; i < CONTROL_PEERS_MAX; i++)
        leave(&g[i]);
    enter(&more);
    leave(&more);
}

static void guests_at_the_end(void **state)
{
    static struct guest g;

    (void)state;
    enter(&g);
    ask(&g, 1, "events -f");
    assert_true(answered(&g, 1));
    ask(&g, 2, "set-online db1");
    for (int i = 0; !n_ordered && i < 100; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    control_stop(control, on_stopped);
    assert_true(until(&stopped));
    leave(&g);
    stopped = false;
    struct control_with with = {
        .engine = engine, .status = &status, .ring = &ring, .socket_path = path};
    control = control_start(&loop, &with, &ops, NULL, &err);
    assert_non_null(control);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reading, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_status_comes_in_parts, setup, teardown),
        cmocka_unit_test_setup_teardown(orders_are_answered_later, setup, teardown),
        cmocka_unit_test_setup_teardown(so_many_orders_and_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(events, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_ring_fits_an_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(rude_guests, setup, teardown),
        cmocka_unit_test_setup_teardown(so_many_guests_and_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(guests_at_the_end, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
