/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/listen_socket.h"

#include "net/peer_text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

enum { LISTEN_BACKLOG = 512 };

/* A socket file left behind by a process that is gone refuses connections: it may be replaced. */
static int listen_socket_clear(const struct sockaddr_un *at, struct err *e)
{
    struct stat st;
    int fd, rc;

    if (lstat(at->sun_path, &st) < 0)
        return 0; /* nothing there, or bind will say it better */
    if (!S_ISSOCK(st.st_mode))
        return err_set(e, -EEXIST, "%s is in the way and is not a socket", at->sun_path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set(e, -errno, "socket: %s", strerror(errno));
    rc = connect(fd, (const struct sockaddr *)at, sizeof *at) < 0 ? -errno : 0;
    close(fd);
    if (rc != -ECONNREFUSED)
        return err_set(e, -EADDRINUSE, "%s is in use: another hamm runs for this cluster",
                       at->sun_path);
    unlink(at->sun_path);
    return 0;
}

static int listen_socket_options(int fd, const struct sockaddr *at, mode_t mode)
{
    int on = 1;

    if (at->sa_family == AF_UNIX)
        return fchmod(fd, mode); /* bind gives the file the socket's mode */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        return -1;
    return at->sa_family == AF_INET6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on)
                                     : 0;
}

static socklen_t listen_socket_len(const struct sockaddr *at)
{
    return at->sa_family == AF_INET    ? sizeof(struct sockaddr_in)
           : at->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                       : sizeof(struct sockaddr_un);
}

int listen_socket_open(struct listen_socket *s, const struct sockaddr *at, mode_t mode,
                       struct err *e)
{
    struct listen_socket made = {.fd = -1};
    char name[PEER_NAME_MAX];
    struct stat st;

    peer_text_addr(name, sizeof name, at);
    if (at->sa_family == AF_UNIX) {
        memcpy(&made.at, at, sizeof made.at);
        if (listen_socket_clear(&made.at, e) < 0)
            return e->code;
    }
    made.fd = socket(at->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (made.fd < 0)
        return err_set(e, -errno, "listen on %s: %s", name, strerror(errno));
    if (listen_socket_options(made.fd, at, mode) < 0 ||
        bind(made.fd, at, listen_socket_len(at)) < 0 || listen(made.fd, LISTEN_BACKLOG) < 0) {
        err_set(e, -errno, "listen on %s: %s%s", name, strerror(errno),
                errno == EADDRINUSE      ? "; does another hamm run here?"
                : errno == EADDRNOTAVAIL ? "; no interface of this host has that address"
                                         : "");
        close(made.fd);
        return e->code;
    }
    if (made.at.sun_path[0] && lstat(made.at.sun_path, &st) == 0) {
        made.dev = st.st_dev;
        made.ino = st.st_ino;
    }
    *s = made;
    return 0;
}

void listen_socket_close(struct listen_socket *s)
{
    struct stat st;

    close(s->fd);
    s->fd = -1;
    if (s->at.sun_path[0] && lstat(s->at.sun_path, &st) == 0 && st.st_dev == s->dev &&
        st.st_ino == s->ino)
        unlink(s->at.sun_path);
}

unsigned listen_socket_port(const struct listen_socket *s)
{
    struct sockaddr_storage at;
    socklen_t len = sizeof at;

    if (getsockname(s->fd, (struct sockaddr *)&at, &len) < 0)
        return 0;
    return at.ss_family == AF_INET    ? ntohs(((struct sockaddr_in *)&at)->sin_port)
           : at.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&at)->sin6_port)
                                      : 0;
}
