/* SPDX-License-Identifier: GPL-2.0-or-later
 * What arrives at the service manager's socket, named by a path and in the abstract namespace. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "loop/notify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void arrives_at(const char *name)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    char got[64];
    ssize_t n;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    memcpy(at.sun_path, name, len);
    if (*name == '@')
        at.sun_path[0] = '\0';
    assert_int_equal(
        bind(fd, (struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
        0);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    assert_int_equal(notify_send("READY=1"), 0);
    n = recv(fd, got, sizeof got, 0);
    assert_int_equal(n, 7);
    assert_memory_equal(got, "READY=1", 7);
    close(fd);
    if (*name != '@')
        unlink(name);
}

static void by_path(void **state)
{
    char path[64];

    (void)state;
    snprintf(path, sizeof path, "/tmp/hamm-notify-%ld", (long)getpid());
    arrives_at(path);
}

static void in_the_abstract_namespace(void **state)
{
    char name[64];

    (void)state;
    snprintf(name, sizeof name, "@hamm-notify-%ld", (long)getpid());
    arrives_at(name);
}

static void nobody_asked_or_nobody_there(void **state)
{
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    assert_int_equal(notify_send("READY=1"), 0);
    setenv("NOTIFY_SOCKET", "", 1);
    assert_int_equal(notify_send("READY=1"), 0);
    setenv("NOTIFY_SOCKET", "relative", 1);
    assert_int_equal(notify_send("READY=1"), -EINVAL);
    setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
    assert_int_equal(notify_send("READY=1"), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_path),
        cmocka_unit_test(in_the_abstract_namespace),
        cmocka_unit_test(nobody_asked_or_nobody_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
