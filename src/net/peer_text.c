/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/peer_text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/un.h>
#include <uv.h>

void peer_text_ip(char *to, size_t size, const struct sockaddr *a)
{
    const void *ip = a->sa_family == AF_INET
                         ? (const void *)&((const struct sockaddr_in *)a)->sin_addr
                         : &((const struct sockaddr_in6 *)a)->sin6_addr;

    if (a->sa_family == AF_UNIX)
        snprintf(to, size, "%s", ((const struct sockaddr_un *)a)->sun_path);
    else if (!inet_ntop(a->sa_family, ip, to, (socklen_t)size))
        snprintf(to, size, "?");
}

void peer_text_addr(char *to, size_t size, const struct sockaddr *a)
{
    char ip[PEER_NAME_MAX];

    peer_text_ip(ip, sizeof ip, a);
    if (a->sa_family == AF_INET)
        snprintf(to, size, "%s:%u", ip, ntohs(((const struct sockaddr_in *)a)->sin_port));
    else if (a->sa_family == AF_INET6)
        snprintf(to, size, "[%s]:%u", ip, ntohs(((const struct sockaddr_in6 *)a)->sin6_port));
    else
        snprintf(to, size, "%s", ip);
}

const char *peer_text_errno(int code)
{
    switch (code) {
    case -ECONNREFUSED:
        return "connection refused: the host is up, but hamm does not listen there";
    case -ENOENT:
        return "there is no such socket: is hamm running here?";
    case -EACCES:
    case -EPERM:
        return "permission denied: the socket is for its owner";
    case -ETIMEDOUT:
        return "nothing is acknowledged any more: the host or the network is gone";
    case -EHOSTUNREACH:
    case -ENETUNREACH:
        return "no way to that host: the host is down or a route is missing";
    case -ECONNRESET:
    case -EPIPE:
        return "connection reset by the other side";
    case -EMFILE:
    case -ENFILE:
        return "too many open files: raise LimitNOFILE";
    case UV_EOF:
        return "the other side hung up";
    default:
        return uv_strerror(code);
    }
}
