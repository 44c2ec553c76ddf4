/* SPDX-License-Identifier: GPL-2.0-or-later
 * The listening socket itself: TCP on IPv4 or IPv6, or a unix socket with its file. For net/listen.
 */
#pragma once

#include "base/err.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

struct listen_socket {
    int fd;
    struct sockaddr_un at; /* sun_path "": TCP */
    dev_t dev;             /* which file is ours */
    ino_t ino;
};

/* `mode`: permissions of a unix socket's file, in force from its first moment. */
int listen_socket_open(struct listen_socket *s, const struct sockaddr *at, mode_t mode,
                       struct err *e) MUST_CHECK;
void listen_socket_close(struct listen_socket *s); /* and removes the file, if it is still ours */
unsigned listen_socket_port(const struct listen_socket *s);
