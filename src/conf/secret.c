/* SPDX-License-Identifier: GPL-2.0-or-later
 * Secrets come from files that nobody else can read, or from the environment. */
#include "conf/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECRET_MAX = 4096, PRIVATE = 0077 };

static void secret_open_to_others(struct reader *r, const struct tree *t, const char *path,
                                  mode_t mode)
{
    settings_bad(r, t, "%s holds a secret and its mode is %04o; \"chmod 600\" it", QUOTED(path),
                 (unsigned)mode & 07777);
}

/* Reads at most max bytes; the length or -1 with an error. Never waits: pipes are refused. */
static ssize_t secret_slurp(struct reader *r, const struct tree *t, const char *path, char *to,
                            size_t max)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    ssize_t len = -1;

    if (fd < 0 || fstat(fd, &st) < 0)
        settings_bad(r, t, "%s cannot be read: %s", QUOTED(path), strerror(errno));
    else if (!S_ISREG(st.st_mode))
        settings_bad(r, t, "%s is not a regular file", QUOTED(path));
    else if (st.st_mode & PRIVATE)
        secret_open_to_others(r, t, path, st.st_mode);
    else if (st.st_size > (off_t)max)
        settings_bad(r, t, "%s has more than %zu bytes; is it the right file?", QUOTED(path), max);
    else if ((len = read(fd, to, max)) < 0)
        settings_bad(r, t, "%s cannot be read: %s", QUOTED(path), strerror(errno));
    if (fd >= 0)
        close(fd);
    return len;
}

void secret_is_private(struct reader *r, const struct tree *t, const char *path)
{
    struct stat st;

    if (stat(path, &st) == 0 && st.st_mode & PRIVATE)
        secret_open_to_others(r, t, path, st.st_mode);
}

const char *secret_from_file(struct reader *r, const struct tree *t)
{
    const char *path = settings_path(r, t->text), *found = NULL;
    char text[SECRET_MAX];
    ssize_t len = secret_slurp(r, t, path, text, sizeof text);

    if (len < 0)
        return NULL;
    while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    if (!len)
        settings_bad(r, t, "%s is empty; put the password into it", QUOTED(path));
    else if (memchr(text, 0, (size_t)len) || memchr(text, '\n', (size_t)len))
        settings_bad(r, t, "%s must hold the password and nothing else, in one line", QUOTED(path));
    else
        found = pool_text(r->pool, text, (size_t)len);
    explicit_bzero(text, sizeof text);
    return found;
}

const char *secret_from_env(struct reader *r, const struct tree *t)
{
    const char *value = getenv(t->text);

    if (value && *value)
        return pool_text(r->pool, value, strlen(value));
    settings_bad(r, t, "the environment variable %s is %s; export it before hamm starts",
                 QUOTED(t->text), value ? "empty" : "not set");
    return NULL;
}

static int secret_nibble(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

bool secret_key(struct reader *r, const struct tree *t, uint8_t key[CONF_KEY_LEN])
{
    const char *path = settings_path(r, t->text);
    char text[SECRET_MAX];
    ssize_t len = secret_slurp(r, t, path, text, sizeof text);
    bool good;

    if (len < 0)
        return false;
    while (len && strchr(" \t\r\n", text[len - 1]) && text[len - 1])
        len--;
    good = len == 2 * CONF_KEY_LEN;
    for (size_t i = 0; good && i < CONF_KEY_LEN; i++) {
        int high = secret_nibble(text[2 * i]), low = secret_nibble(text[2 * i + 1]);

        good = high >= 0 && low >= 0;
        if (good)
            key[i] = (uint8_t)(high << 4 | low);
    }
    explicit_bzero(text, sizeof text);
    if (!good)
        settings_bad(r, t, "%s is not a key of %d hex digits; make one with \"hamm keygen\"",
                     QUOTED(path), 2 * CONF_KEY_LEN);
    return good;
}
