/* SPDX-License-Identifier: GPL-2.0-or-later
 * One IPv4 or IPv6 address as a plain value. Pure: no names are resolved, nothing is asked. */
#pragma once

#include "base/check.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct ip {
    int family;     /* AF_INET or AF_INET6; 0: none */
    uint8_t at[16]; /* network byte order; IPv4 uses the first four, the rest is zero */
};

#define IP_TEXT_MAX INET6_ADDRSTRLEN

/* 0 or -EINVAL. Numeric addresses only, without prefix or scope. */
int ip_parse(struct ip *ip, const char *text) MUST_CHECK;
/* Writes into text and returns it. */
const char *ip_text(const struct ip *ip, char text[IP_TEXT_MAX]);
/* 4 or 16. */
unsigned ip_len(const struct ip *ip);
bool ip_same(const struct ip *a, const struct ip *b);
/* Both of one family and equal in their first `prefix` bits. */
bool ip_same_net(const struct ip *a, const struct ip *b, unsigned prefix);
struct ip ip_make(int family, const void *bytes);
/* family 0 if the address is neither IPv4 nor IPv6; a v4-mapped IPv6 address becomes IPv4. */
struct ip ip_of_sockaddr(const struct sockaddr *sa);
socklen_t ip_to_sockaddr(const struct ip *ip, struct sockaddr_storage *to);
