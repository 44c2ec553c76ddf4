/* SPDX-License-Identifier: GPL-2.0-or-later
 * What libmariadb and the server say went wrong -> what it means, and a sentence. Pure. */
#pragma once

#include "mysql/db.h"

struct db_problem {
    enum db_error error;
    unsigned number; /* the server's or libmariadb's; 0: ours */
    char text[512];
};

/* What went wrong in a call that libmariadb finished. connecting: it was making the connection;
 * via_socket: through a unix socket; tls: TLS is in use. where: "10.0.0.1:3306", for the sentence.
 */
void db_problem_from(struct db_problem *p, unsigned number, const char *said, bool connecting,
                     bool via_socket, bool tls, const char *where);
/* One of ours: no number. */
void db_problem_set(struct db_problem *p, enum db_error error, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* Did the connection itself end with this (as against a statement that was refused)? */
bool db_problem_ends_connection(unsigned number);
/* The system's errno that libmariadb puts in its text: "... (111)"; 0 if none. */
int db_problem_errno(const char *said);
