/* SPDX-License-Identifier: GPL-2.0-or-later
 * The checks as a table, and who judges them. Judges are pure: a survey in, findings out. */
#pragma once

#include "preflight/sheet.h"
#include "preflight/survey.h"

enum { ON_MARIADB = 1, ON_MYSQL = 2, ON_BOTH = 3 };

/* How a variable is set for good. */
enum how {
    HOW_RUNNING, /* at run time, and for the next start */
    HOW_RESTART, /* the server must be started anew */
    HOW_FILE,    /* the same, and only my.cnf can say it */
};

struct check {
    const char *name;
    unsigned flavours;
    enum question asks; /* whose answer is judged; without one the check is left out */
    void (*judge)(const struct check *c, const struct survey *s, const struct looked *h,
                  struct sheet *out);
    /* for judge_setting: the variable (name, or formerly), what it should be, what is wrong else */
    const char *formerly, *want;
    const char *file; /* for my.cnf, where that differs from want */
    enum how how;
    enum verdict verdict; /* if it isn't so */
    const char *why;
    /* for judge_try and judge_grant */
    enum account account;
    const char *privilege;
};

extern const struct check checks[];
extern const size_t n_checks;

/* Every host's checks in the order of the table. */
void judge_all(const struct survey *s, struct sheet *out);

void judge_login(const struct check *c, const struct survey *s, const struct looked *h,
                 struct sheet *out);
/* The server said to a statement that this account may do it, or not. */
void judge_try(const struct check *c, const struct survey *s, const struct looked *h,
               struct sheet *out);
/* SHOW GRANTS names the privilege. */
void judge_grant(const struct check *c, const struct survey *s, const struct looked *h,
                 struct sheet *out);
void judge_version(const struct check *c, const struct survey *s, const struct looked *h,
                   struct sheet *out);
void judge_clock(const struct check *c, const struct survey *s, const struct looked *h,
                 struct sheet *out);

void judge_setting(const struct check *c, const struct survey *s, const struct looked *h,
                   struct sheet *out);
void judge_read_only(const struct check *c, const struct survey *s, const struct looked *h,
                     struct sheet *out);
void judge_gtid_mode(const struct check *c, const struct survey *s, const struct looked *h,
                     struct sheet *out);
void judge_replication(const struct check *c, const struct survey *s, const struct looked *h,
                       struct sheet *out);
void judge_follows_by_gtid(const struct check *c, const struct survey *s, const struct looked *h,
                           struct sheet *out);
void judge_relay_log(const struct check *c, const struct survey *s, const struct looked *h,
                     struct sheet *out);
void judge_expiry(const struct check *c, const struct survey *s, const struct looked *h,
                  struct sheet *out);
void judge_events(const struct check *c, const struct survey *s, const struct looked *h,
                  struct sheet *out);

/* Among the hosts. */
void judge_server_id(const struct check *c, const struct survey *s, const struct looked *h,
                     struct sheet *out);
void judge_server_uuid(const struct check *c, const struct survey *s, const struct looked *h,
                       struct sheet *out);
void judge_domain(const struct check *c, const struct survey *s, const struct looked *h,
                  struct sheet *out);
void judge_auto_increment(const struct check *c, const struct survey *s, const struct looked *h,
                          struct sheet *out);
void judge_filters(const struct check *c, const struct survey *s, const struct looked *h,
                   struct sheet *out);
void judge_binlog_filters(const struct check *c, const struct survey *s, const struct looked *h,
                          struct sheet *out);

void judge_semi_sync(const struct check *c, const struct survey *s, const struct looked *h,
                     struct sheet *out);

/* "SET GLOBAL x = 1; in my.cnf: x = 1", as this server needs it. file: NULL: the same value. */
void fix_variable(struct sheet *out, const struct looked *h, const char *name, const char *value,
                  const char *file, enum how how);
