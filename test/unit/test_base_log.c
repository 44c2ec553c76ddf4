/* SPDX-License-Identifier: GPL-2.0-or-later
 * A log that nobody reads any more stops nobody. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct log_who who = {"agent", "db1"};

/* Nobody reads for a while, then everything: how many lines came, and what the last ones say. */
static void unread(int write_end, int read_end)
{
    static char text[4 << 20];
    size_t len = 0;
    int stderr_was = dup(STDERR_FILENO);

    alarm(5); /* a line that waits ends the test */
    assert_true(dup2(write_end, STDERR_FILENO) >= 0);
    for (unsigned i = 0; i < 20000; i++)
        log_warn(&who, "line %u", i);
    assert_int_equal(fcntl(read_end, F_SETFL, O_NONBLOCK), 0);
    for (ssize_t n; (n = read(read_end, text + len, sizeof text - len - 1)) > 0;)
        len += (size_t)n;
    log_warn(&who, "read again");
    for (ssize_t n; (n = read(read_end, text + len, sizeof text - len - 1)) > 0;)
        len += (size_t)n;
    assert_true(dup2(stderr_was, STDERR_FILENO) >= 0);
    close(stderr_was);
    alarm(0);
    text[len] = 0;
    assert_non_null(strstr(text, "<4>agent db1: line 0\n<4>agent db1: line 1\n"));
    assert_null(strstr(text, "line 19999"));
    assert_non_null(strstr(text, "lines were lost here\n<4>agent db1: read again\n"));
    close(write_end);
    close(read_end);
}

static void a_full_pipe(void **state)
{
    int fd[2];

    (void)state;
    assert_int_equal(pipe(fd), 0);
    unread(fd[1], fd[0]);
}

static void a_full_socket(void **state)
{
    int fd[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    unread(fd[1], fd[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_pipe),
        cmocka_unit_test(a_full_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
