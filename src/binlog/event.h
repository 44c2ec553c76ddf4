/* SPDX-License-Identifier: GPL-2.0-or-later
 * What events say about transactions: which one begins, how it ends, what a file begins with. */
#pragma once

#include "binlog/reader.h"

/* The set a file begins with (Previous_gtids; MariaDB's Gtid_list), as `flavour`. */
bool event_is_start_set(const struct reader *r, const struct event *ev);
int event_start_set(const struct reader *r, const struct event *ev, enum gtid_flavour flavour,
                    struct gtid_set *set, struct err *e) MUST_CHECK;

/* Does a MySQL transaction begin with it? */
bool event_is_mysql_gtid(const struct event *ev);

enum group_step {
    GROUP_NONE,   /* the event belongs to no transaction */
    GROUP_BEGINS, /* a transaction begins with it */
    GROUP_GOES_ON,
    GROUP_ENDS, /* and with this one it is complete */
};

/* The transaction that is being read; zeroed: none. */
struct group {
    bool open;
    uint64_t at; /* where it begins in its file */
    bool known;  /* it has a GTID; MySQL without GTID: no */
    struct gtid_range gtid;
    bool one_statement; /* MariaDB: it ends with its first statement */
    bool begun;         /* MySQL: BEGIN or XA START was there */
    bool incident;      /* the event says that events were lost */
};
/* -EBADMSG: no such event can come here. */
int group_feed(struct group *g, const struct reader *r, const struct event *ev,
               struct err *e) MUST_CHECK;
