/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "conf/keygen.h"
#include "conf/conf.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

int keygen_main(int argc, char **argv)
{
    uint8_t key[CONF_KEY_LEN];
    char text[2 * CONF_KEY_LEN + 1];
    bool written;

    if (argc > 1) {
        fprintf(stderr, "hamm keygen: \"%s\" is too much; it prints a key and takes nothing\n",
                argv[1]);
        return 2;
    }
    if (getrandom(key, sizeof key, 0) != sizeof key) {
        fprintf(stderr, "hamm keygen: no random numbers from the kernel: %s\n", strerror(errno));
        return 1;
    }
    for (size_t i = 0; i < sizeof key; i++)
        snprintf(text + 2 * i, 3, "%02x", key[i]);
    written = printf("%s\n", text) > 0 && fflush(stdout) == 0;
    explicit_bzero(key, sizeof key);
    explicit_bzero(text, sizeof text);
    if (!written)
        fprintf(stderr, "hamm keygen: the key could not be written: %s\n", strerror(errno));
    return written ? 0 : 1;
}
