/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/ip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

struct ip ip_make(int family, const void *bytes)
{
    struct ip ip = {.family = family};

    memcpy(ip.at, bytes, ip_len(&ip));
    return ip;
}

int ip_parse(struct ip *ip, const char *text)
{
    uint8_t bytes[16];

    if (inet_pton(AF_INET, text, bytes) == 1)
        *ip = ip_make(AF_INET, bytes);
    else if (inet_pton(AF_INET6, text, bytes) == 1)
        *ip = ip_make(AF_INET6, bytes);
    else
        return -EINVAL;
    return 0;
}

const char *ip_text(const struct ip *ip, char text[IP_TEXT_MAX])
{
    if (!inet_ntop(ip->family, ip->at, text, IP_TEXT_MAX))
        memcpy(text, "none", 5);
    return text;
}

unsigned ip_len(const struct ip *ip)
{
    return ip->family == AF_INET ? 4 : 16;
}

bool ip_same(const struct ip *a, const struct ip *b)
{
    return a->family == b->family && memcmp(a->at, b->at, ip_len(a)) == 0;
}

bool ip_same_net(const struct ip *a, const struct ip *b, unsigned prefix)
{
    unsigned whole = prefix / 8, rest = prefix % 8;

    if (a->family != b->family || prefix > ip_len(a) * 8 || memcmp(a->at, b->at, whole) != 0)
        return false;
    return rest == 0 || (a->at[whole] ^ b->at[whole]) >> (8 - rest) == 0;
}

struct ip ip_of_sockaddr(const struct sockaddr *sa)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (sa->sa_family == AF_INET) {
        memcpy(&v4, sa, sizeof v4);
        return ip_make(AF_INET, &v4.sin_addr);
    }
    if (sa->sa_family == AF_INET6) {
        memcpy(&v6, sa, sizeof v6);
        if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
            return ip_make(AF_INET, &v6.sin6_addr.s6_addr[12]);
        return ip_make(AF_INET6, &v6.sin6_addr);
    }
    return (struct ip){0};
}

socklen_t ip_to_sockaddr(const struct ip *ip, struct sockaddr_storage *to)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)to;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;

    memset(to, 0, sizeof *to);
    to->ss_family = (sa_family_t)ip->family;
    if (ip->family == AF_INET) {
        memcpy(&v4->sin_addr, ip->at, 4);
        return sizeof *v4;
    }
    memcpy(&v6->sin6_addr, ip->at, 16);
    return sizeof *v6;
}
