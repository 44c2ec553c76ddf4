/* SPDX-License-Identifier: GPL-2.0-or-later
 * Tells the service manager how we are, as sd_notify(3) documents it: one datagram to the socket
 * named in NOTIFY_SOCKET. Never waits. */
#pragma once

/* "READY=1", "STOPPING=1", "STATUS=..."; several separated by newlines. 0, also where nobody asked
 * to be told; else a negative errno, which nobody needs to act on. */
int notify_send(const char *state);
