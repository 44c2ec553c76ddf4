/* SPDX-License-Identifier: GPL-2.0-or-later
 * Addresses and errors of connections as text for people. Pure. */
#pragma once

#include <stddef.h>
#include <sys/socket.h>

enum { PEER_NAME_MAX = 128 }; /* longest: a unix socket's path */

void peer_text_addr(char *to, size_t size, const struct sockaddr *a); /* "[fd00::1]:4242" */
void peer_text_ip(char *to, size_t size, const struct sockaddr *a);   /* "fd00::1" */
/* What a negative errno of connect, read or write means for somebody who wants it to work. */
const char *peer_text_errno(int code);
