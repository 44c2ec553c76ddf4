/* SPDX-License-Identifier: GPL-2.0-or-later
 * Secrets: where they come from, who may read them, who gets to see them; and the two commands that
 * go with a configuration, `hamm check` and `hamm keygen`. */
#include "conf/check.h"
#include "conf/conf.h"
#include "conf/keygen.h"
#include "base/buf.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/test_conf_XXXXXX";

#define KEY "000102030405060708090a0B0C0D0E0Ff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"
#define FILE_WITH(key, monitor)                                                                    \
    "cluster: shop\nkey_file: " key "\nmonitors: { mon1: { address: 10.0.0.1 } }\nmysql:\n"        \
    "  monitor: { user: m, " monitor " }\n"                                                        \
    "  agent: { user: a, password_file: ./a.pw }\n"                                                \
    "  replication: { user: r, password_env: TEST_CONF_REPL }\n"                                   \
    "hosts: { db1: { address: 10.0.0.11, mode: master } }\n"                                       \
    "roles: { writer: { mode: exclusive, hosts: [db1], ips: [10.0.0.100/24, 10.0.0.101/24] } }\n"  \
    "active_master_role: writer\n"
#define USUAL FILE_WITH("key", "password_file: m.pw")

static const char *in_folder(const char *name)
{
    static char path[4][200];
    static unsigned next;
    char *p = path[next++ % 4];

    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

static void put_bytes(const char *name, const void *text, size_t len, mode_t mode)
{
    FILE *f = fopen(in_folder(name), "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    assert_int_equal(fchmod(fileno(f), mode), 0);
    fclose(f);
}

static void put(const char *name, const char *text, mode_t mode)
{
    put_bytes(name, text, strlen(text), mode);
}

static int set_up(void **state)
{
    (void)state;
    umask(022);
    if (!mkdtemp(folder))
        return -1;
    put("key", KEY "\n", 0600);
    put("old", "ff0102030405060708090a0b0c0d0e0ff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", 0400);
    put("m.pw", "secret of m\r\n", 0600);
    put("a.pw", "\xc3\xa9 #", 0400);
    setenv("TEST_CONF_REPL", "from env", 1);
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"key", "old", "m.pw", "a.pw", "bad", "c.yaml", "pipe"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        unlink(in_folder(names[i]));
    return rmdir(folder);
}

static struct conf *load(const char *text, unsigned secrets)
{
    struct conf_errors errs = {0};
    struct conf *c = NULL;

    put("c.yaml", text, 0600);
    if (conf_load_for(&c, in_folder("c.yaml"), secrets, &errs) < 0)
        conf_errors_write(&errs, stderr);
    assert_int_equal(errs.n, 0);
    assert_non_null(c);
    return c;
}

/* Exactly this error, which follows the name of the file; %s in it is the folder. */
static void refused(const char *text, mode_t mode, const char *fmt)
{
    struct conf_errors errs = {0};
    struct conf *c = NULL;
    char said[500];

    put("c.yaml", text, mode);
    snprintf(said, sizeof said, fmt, folder);
    assert_int_not_equal(conf_load(&c, in_folder("c.yaml"), &errs), 0);
    assert_null(c);
    assert_int_equal(errs.n, 1);
    assert_string_equal(errs.at[0].text + strlen(in_folder("c.yaml:")), said);
    conf_errors_free(&errs);
}

static void secrets_are_found(void **state)
{
    struct conf *c = load(USUAL, CONF_SECRET_ALL);
    const struct conf_mysql *m = &c->hosts[0].mysql;

    (void)state;
    assert_string_equal(m->monitor.password, "secret of m");
    assert_string_equal(m->agent.password, "\xc3\xa9 #");
    assert_string_equal(m->replication.login.password, "from env");
    assert_int_equal(c->n_keys, 1);
    assert_int_equal(c->keys[0][1], 1);
    assert_int_equal(c->keys[0][11], 0x0b);
    assert_int_equal(c->keys[0][31], 0xff);
    conf_free(c);
    c = load(FILE_WITH("[key, old]", "password: \"in the file\""), CONF_SECRET_ALL);
    assert_int_equal(c->n_keys, 2);
    assert_int_equal(c->keys[0][0], 0);
    assert_int_equal(c->keys[1][0], 0xff);
    assert_string_equal(c->hosts[0].mysql.monitor.password, "in the file");
    conf_free(c);
}

static void only_what_is_needed_is_read(void **state)
{
    struct conf *c =
        load(FILE_WITH("key", "password_file: absent"), CONF_SECRET_AGENT | CONF_SECRET_KEY);

    (void)state;
    assert_int_equal(c->n_keys, 1);
    assert_null(c->hosts[0].mysql.monitor.password);
    assert_string_equal(c->hosts[0].mysql.agent.password, "\xc3\xa9 #");
    assert_null(c->hosts[0].mysql.replication.login.password);
    conf_free(c);
    c = load(FILE_WITH("absent", "password_file: absent"), 0);
    assert_int_equal(c->n_keys, 0);
    conf_free(c);
}

static void secrets_others_can_read_are_refused(void **state)
{
    (void)state;
    put("bad", KEY, 0640);
    refused(FILE_WITH("bad", "password_file: m.pw"), 0644,
            "2:11: key_file: \"%s/bad\" holds a secret and its mode is 0640; \"chmod 600\" it");
    put("bad", KEY, 0604);
    refused(FILE_WITH("[key, bad]", "password_file: m.pw"), 0644,
            "2:17: key_file: \"%s/bad\" holds a secret and its mode is 0604; \"chmod 600\" it");
    refused(FILE_WITH("key", "password_file: bad"), 0644,
            "5:38: mysql.monitor.password_file: \"%s/bad\" holds a secret and its mode is 0604; "
            "\"chmod 600\" it");
    refused(FILE_WITH("key", "password: x"), 0640,
            "5:23: mysql.monitor.password: stands in a file that others can read (mode 0640); "
            "\"chmod 600 %s/c.yaml\", or use password_file");
    refused(
        FILE_WITH("key", "password_file: m.pw }\n  tls: { cert: c, key: bad"), 0644,
        "6:24: mysql.tls.key: \"%s/bad\" holds a secret and its mode is 0604; \"chmod 600\" it");
}

static void secrets_that_are_none(void **state)
{
    (void)state;
    put("bad", "\n", 0600);
    refused(FILE_WITH("key", "password_file: bad"), 0600,
            "5:38: mysql.monitor.password_file: \"%s/bad\" is empty; put the password into it");
    put("bad", "two\nlines\n", 0600);
    refused(
        FILE_WITH("key", "password_file: bad"), 0600,
        "5:38: mysql.monitor.password_file: \"%s/bad\" must hold the password and nothing else, "
        "in one line");
    put_bytes("bad", "a\0b", 3, 0600);
    refused(
        FILE_WITH("key", "password_file: bad"), 0600,
        "5:38: mysql.monitor.password_file: \"%s/bad\" must hold the password and nothing else, "
        "in one line");
    refused(FILE_WITH("key", "password_file: absent"), 0600,
            "5:38: mysql.monitor.password_file: \"%s/absent\" cannot be read: No such file or "
            "directory");
    refused(FILE_WITH("key", "password_file: /dev/null"), 0600,
            "5:38: mysql.monitor.password_file: \"/dev/null\" is not a regular file");
    assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
    refused(FILE_WITH("key", "password_file: pipe"), 0600, /* and nobody waits for a writer */
            "5:38: mysql.monitor.password_file: \"%s/pipe\" is not a regular file");
    refused(
        FILE_WITH("key", "password_env: TEST_CONF_ABSENT"), 0600,
        "5:37: mysql.monitor.password_env: the environment variable \"TEST_CONF_ABSENT\" is not "
        "set; export it before hamm starts");
    refused(FILE_WITH("m.pw", "password_file: m.pw"), 0600,
            "2:11: key_file: \"%s/m.pw\" is not a key of 64 hex digits; make one with \"hamm "
            "keygen\"");
    put("bad", KEY "0", 0600);
    refused(FILE_WITH("bad", "password_file: m.pw"), 0600,
            "2:11: key_file: \"%s/bad\" is not a key of 64 hex digits; make one with \"hamm "
            "keygen\"");
}

static void files_that_cannot_be_read(void **state)
{
    struct conf_errors errs = {0};
    struct conf *c = NULL;

    (void)state;
    assert_int_equal(conf_load(&c, "/nowhere/c.yaml", &errs), -2 /* ENOENT */);
    assert_string_equal(errs.at[0].text,
                        "/nowhere/c.yaml: cannot be read: No such file or directory");
    conf_errors_free(&errs);
    assert_int_not_equal(conf_load(&c, "/dev/zero", &errs), 0);
    assert_string_equal(errs.at[0].text, "/dev/zero: is not a regular file");
    conf_errors_free(&errs);
}

/* ---- commands ---- */

/* Runs a command with its stdout or stderr in `said`; the exit code. */
static int run(int (*command)(int, char **), int of, char *said, size_t max,
               const char *const *words)
{
    char *argv[8] = {0};
    int argc = 0, kept = dup(of), to = open(in_folder("bad"), O_RDWR | O_CREAT | O_TRUNC, 0600);
    int rc;
    ssize_t len;

    while (words[argc])
        argv[argc] = strdup(words[argc]), argc++;
    fflush(NULL);
    dup2(to, of);
    rc = command(argc, argv);
    fflush(NULL);
    dup2(kept, of);
    len = pread(to, said, max - 1, 0);
    assert_true(len >= 0);
    said[len] = 0;
    close(kept);
    close(to);
    while (argc)
        free(argv[--argc]);
    return rc;
}
#define RUN(command, of, said, ...)                                                                \
    run(command, of, said, sizeof said, (const char *const[]){__VA_ARGS__, NULL})

static void check_says_what_there_is(void **state)
{
    char said[2000];

    (void)state;
    put("c.yaml", USUAL "http: { listen: \"127.0.0.1:1\" }\n", 0644);
    assert_int_equal(RUN(check_main, 1, said, "check", "-c", in_folder("c.yaml")), 0);
    assert_memory_equal(said, "shop: 1 master, 0 replicas, 2 addresses in 1 role: ok\n/tmp/", 59);
    assert_non_null(strstr(said, "c.yaml:11:9: http.listen: is read, but"));
    put("c.yaml", "cluster: shop\n", 0644);
    assert_int_equal(RUN(check_main, 2, said, "check", "--config", in_folder("c.yaml")), 2);
    assert_non_null(strstr(said, "c.yaml:1:1: key_file is missing"));
    assert_non_null(strstr(said, "c.yaml:1:1: roles is missing"));
}

static void commands_say_how_they_are_called(void **state)
{
    char said[500];

    (void)state;
    assert_int_equal(RUN(check_main, 2, said, "check"), 2);
    assert_string_equal(said, "hamm check: which file? Name it with -c FILE\n");
    assert_int_equal(RUN(check_main, 2, said, "check", "-x"), 2);
    assert_string_equal(said, "hamm check: unknown option -x; see \"hamm check --help\"\n");
    assert_int_equal(RUN(check_main, 2, said, "check", "-c"), 2);
    assert_string_equal(said, "hamm check: -c needs the name of a file\n");
    assert_int_equal(RUN(check_main, 2, said, "check", "c.yaml"), 2);
    assert_int_equal(RUN(check_main, 2, said, "check", "-c", "a", "-c", "b"), 2);
    assert_int_equal(RUN(keygen_main, 2, said, "keygen", "x"), 2);
}

static void keygen_makes_a_key_that_is_accepted(void **state)
{
    char one[100], other[100];
    struct conf *c;

    (void)state;
    assert_int_equal(RUN(keygen_main, 1, one, "keygen"), 0);
    assert_int_equal(RUN(keygen_main, 1, other, "keygen"), 0);
    assert_int_equal(strlen(one), 65);
    assert_int_equal(strspn(one, "0123456789abcdef"), 64);
    assert_string_not_equal(one, other);
    put("bad", one, 0600);
    c = load(FILE_WITH("bad", "password_file: m.pw"), CONF_SECRET_ALL);
    assert_int_equal(c->n_keys, 1);
    conf_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_found),
        cmocka_unit_test(only_what_is_needed_is_read),
        cmocka_unit_test(secrets_others_can_read_are_refused),
        cmocka_unit_test(secrets_that_are_none),
        cmocka_unit_test(files_that_cannot_be_read),
        cmocka_unit_test(check_says_what_there_is),
        cmocka_unit_test(commands_say_how_they_are_called),
        cmocka_unit_test(keygen_makes_a_key_that_is_accepted),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
