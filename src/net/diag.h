/* SPDX-License-Identifier: GPL-2.0-or-later
 * Ends TCP connections by their local address (SOCK_DESTROY over NETLINK_SOCK_DIAG). */
#pragma once

#include "base/err.h"
#include "net/ip.h"

#define DIAG_ONCE_MAX 1000 /* per call, so that the loop is not held for long */

/* Destroys TCP connections (not listeners) whose local address is this one; IPv4 connections of
 * dual-stack servers too. Returns how many; DIAG_ONCE_MAX: there may be more, call again.
 * -EOPNOTSUPP: this kernel has no SOCK_DESTROY (CONFIG_INET_DIAG_DESTROY). */
int diag_kill(const struct ip *local, struct err *e) MUST_CHECK;
