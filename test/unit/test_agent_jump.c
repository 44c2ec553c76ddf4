/* SPDX-License-Identifier: GPL-2.0-or-later
 * Jumps of the wall clock against the boot clock. */
#include "agent/jump.h"

#include "base/clock.h"
#include "loop/timer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define WALL0 1790000000000LL

static void steady_clocks_never_jump(void **state)
{
    struct jump j = {0};

    (void)state;
    for (int64_t boot = 5000; boot < 10000000; boot += 97)
        assert_int_equal(jump_seen(&j, WALL0 + boot, boot), 0);
}

static void a_step_is_told_once_with_its_size(void **state)
{
    struct jump j = {0};

    (void)state;
    assert_int_equal(jump_seen(&j, WALL0, 1000), 0);
    assert_int_equal(jump_seen(&j, WALL0 + 100 + 5000, 1100), 5000);
    assert_int_equal(jump_seen(&j, WALL0 + 200 + 5000, 1200), 0);
    assert_int_equal(jump_seen(&j, WALL0 + 300, 1300), -5000);
    assert_int_equal(jump_seen(&j, WALL0 + 400, 1400), 0);
    assert_int_equal(jump_seen(&j, WALL0 + 500 + 201, 1500), 201);
}

static void two_hundred_ms_are_none(void **state)
{
    struct jump j = {0};

    (void)state;
    assert_int_equal(jump_seen(&j, WALL0, 1000), 0);
    assert_int_equal(jump_seen(&j, WALL0 + 100 + 200, 1100), 0);
    assert_int_equal(jump_seen(&j, WALL0 + 200 + 200, 1200), 0);
}

static void small_steps_count_together(void **state)
{
    struct jump j = {0};

    (void)state;
    assert_int_equal(jump_seen(&j, WALL0, 1000), 0);
    assert_int_equal(jump_seen(&j, WALL0 + 100 + 150, 1100), 0);
    assert_int_equal(jump_seen(&j, WALL0 + 200 + 300, 1200), 299); /* 0.05 ms forgiven */
}

static void slow_drift_is_none(void **state)
{
    (void)state;
    for (int sign = -1; sign <= 1; sign += 2) {
        struct jump j = {0};
        int64_t boot = 1000;

        for (int64_t i = 0; i < 500000; i++, boot += 100) /* 14 hours at 500 ppm: 25 s */
            assert_int_equal(jump_seen(&j, WALL0 + boot + sign * i * 100 * 500 / 1000000, boot), 0);
    }
}

static void a_late_tick_is_none(void **state)
{
    struct jump j = {0};

    (void)state;
    assert_int_equal(jump_seen(&j, WALL0, 1000), 0);
    /* an hour without a tick, 1.7 s of drift in it */
    assert_int_equal(jump_seen(&j, WALL0 + 3600000 + 1700, 1000 + 3600000), 0);
    assert_int_equal(jump_seen(&j, WALL0 + 7200000 + 1700 + 2100, 1000 + 7200000), 2100);
}

static void this_machine_is_steady(void **state)
{
    struct timespec nap = {.tv_nsec = 10000000};
    struct jump j = {0};

    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(jump_tick(&j), 0);
        nanosleep(&nap, NULL);
    }
    j.offset_us -= 1000000; /* as if the wall clock had gone ahead */
    assert_in_range(jump_tick(&j), 990, 1010);
    assert_int_equal(jump_tick(&j), 0);
}

static unsigned n_set, n_stopped;

static void on_set(struct jump_notice *n)
{
    (void)n;
    n_set++;
}

static void on_stopped(struct jump_notice *n)
{
    (void)n;
    n_stopped++;
}

static void on_enough(uv_timer_t *t)
{
    uv_stop(t->loop);
}

/* Sets the wall clock by one nanosecond: nothing for anybody, but a set clock. */
static bool nudge(long ns)
{
    struct timex t = {.modes = ADJ_SETOFFSET | ADJ_NANO};

    t.time.tv_sec = ns < 0 ? -1 : 0;
    t.time.tv_usec = ns < 0 ? 1000000000 + ns : ns; /* nanoseconds, with ADJ_NANO */
    return clock_adjtime(CLOCK_REALTIME, &t) >= 0;
}

static void run_ms(uv_loop_t *loop, uv_timer_t *t, int64_t ms)
{
    timer_in(t, ms, on_enough);
    uv_run(loop, UV_RUN_DEFAULT);
}

static void a_set_clock_is_noticed_at_once(void **state)
{
    struct err e = {0};
    struct jump_notice n;
    uv_timer_t t;
    uv_loop_t loop;

    (void)state;
    uv_loop_init(&loop);
    uv_timer_init(&loop, &t);
    assert_int_equal(jump_notice_start(&n, &loop, NULL, on_set, &e), 0);
    run_ms(&loop, &t, 50);
    if (!nudge(1)) {
        print_message("may not set the clock: only start and stop were tried\n");
    } else {
        unsigned before = n_set;

        run_ms(&loop, &t, 50);
        assert_true(n_set > before);
        before = n_set;
        assert_true(nudge(-1));
        run_ms(&loop, &t, 50);
        assert_true(n_set > before);
    }
    jump_notice_stop(&n, on_stopped);
    uv_close((uv_handle_t *)&t, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(n_stopped, 1);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void pauses_between_two_lives_are_seen(void **state)
{
    (void)state;
    assert_int_equal(jump_between(WALL0, 5000, WALL0 + 3000, 8000), 0);
    assert_int_equal(jump_between(WALL0, 5000, WALL0 + 3000 + 60000, 8000), 60000);
    assert_int_equal(jump_between(WALL0, 5000, WALL0 + 3000 - 900, 8000), -900);
    assert_int_equal(jump_between(0, 0, 0, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steady_clocks_never_jump),
        cmocka_unit_test(a_step_is_told_once_with_its_size),
        cmocka_unit_test(two_hundred_ms_are_none),
        cmocka_unit_test(small_steps_count_together),
        cmocka_unit_test(slow_drift_is_none),
        cmocka_unit_test(a_late_tick_is_none),
        cmocka_unit_test(pauses_between_two_lives_are_seen),
        cmocka_unit_test(this_machine_is_steady),
        cmocka_unit_test(a_set_clock_is_noticed_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
