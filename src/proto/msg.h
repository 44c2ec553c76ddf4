/* SPDX-License-Identifier: GPL-2.0-or-later
 * Every message between monitor, agents and ctl, as plain data. The codec (proto/codec.h) turns
 * them into one JSON object a frame and back; the engine uses the same structs, so that a message
 * is described once. Hosts and slots travel by name and are indices here: both ends have the same
 * configuration, a name that this side doesn't know is an error of decoding.
 *
 * A slot is what is held as one: all addresses of an exclusive role, or one address of a balanced
 * one. Durations and moments are ms; moments are of the sender's CLOCK_BOOTTIME and mean something
 * only to the one who stamped them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    HOSTS_MAX = 64,
    SLOTS_MAX = 64,
    NAME_LEN = 33,     /* host, monitor, cluster: 32 characters and the zero */
    SLOT_LEN = 80,     /* "writer" or "reader/10.77.0.103" */
    IDENTITY_LEN = 56, /* "mon1.3f9ac2d1e5f60718": monitor's name and the random id of its state */
    ADDR_LEN = 64,     /* a numeric address */
    PLACE_LEN = 144,   /* a place in a binary log, gtid/place.h */
    GTID_LEN = 4096,   /* longer sets are reported as unknown, with the reason in `problem` */
    ASIDE_LEN = 1024,  /* transactions to be set aside; more are not */
    WHY_LEN = 256,
    PROBLEM_LEN = 512,
    ANSWER_LEN = 48 * 1024,
    CHUNK_BYTES = 36000, /* of a file, in one message: four thirds of that as text */
    WORDS_MAX = 16,
    WORD_LEN = 256,
    PROTOCOL_VERSION = 1,
};

typedef uint64_t hostset; /* bit i: host i */
typedef uint64_t slotset; /* bit i: slot i */

enum msg_kind {
    MSG_HELLO,   /* both ways, first */
    MSG_BEAT,    /* monitor -> agent: I am here, in my epoch */
    MSG_ORDER,   /* monitor -> agent: what shall be true */
    MSG_GRANT,   /* monitor -> agent: leases */
    MSG_REFUSAL, /* agent -> monitor: somebody deposed you */
    MSG_REPORT,  /* agent -> monitor: what is true */
    MSG_LEASE,   /* agent -> monitor: please, leases */
    MSG_ASK,     /* agent -> agent: promise not to take these */
    MSG_PROMISE, /* agent -> agent: the answer */
    MSG_SLICE,   /* agent -> agent: what your dead server logged and I lack, from this byte on */
    MSG_CHUNK,   /* agent -> agent: a piece of it */
    MSG_COMMAND, /* ctl -> monitor */
    MSG_ANSWER,  /* monitor -> ctl */
    MSG_N
};

enum speaker { SPEAKER_MONITOR, SPEAKER_AGENT, SPEAKER_CTL, SPEAKER_N };
enum following { FOLLOW_KEEP, FOLLOW_NONE, FOLLOW_SOURCE, FOLLOW_N };
enum hold { HOLD_NONE, HOLD_WANTED, HOLD_HELD, HOLD_LEAVING, HOLD_N };
enum mysqld { MYSQLD_UNKNOWN, MYSQLD_UP, MYSQLD_DEAD, MYSQLD_N };
/* What is made of a binary log, as far as it got: its agent reads that of a dead server that held
 * the writable slot, or sets aside transactions that nobody else has. */
enum tail { TAIL_NONE, TAIL_READING, TAIL_READY, TAIL_FAILED, TAIL_N };
enum gate_kind { GATE_NFT, GATE_LIFETIME, GATE_N };
enum receiver { RECEIVER_NO, RECEIVER_CONNECTING, RECEIVER_YES, RECEIVER_N };

/* What a server is like beside its transactions, as bits of traits.bits; none of them: as it should
 * be, without semi-synchronous replication. */
enum trait {
    TRAIT_NO_BINLOG = 1 << 0,     /* log_bin is off */
    TRAIT_NO_UPDATES = 1 << 1,    /* what it applies doesn't go into its binary log */
    TRAIT_BROKEN = 1 << 2,        /* its applier stopped on an error */
    TRAIT_SEMI_SOURCE = 1 << 3,   /* semi-sync: its commits shall wait for acknowledgements */
    TRAIT_SEMI_ACTIVE = 1 << 4,   /* and do; else it fell back to asynchronous */
    TRAIT_SEMI_AFTER = 1 << 5,    /* the wait point is AFTER_COMMIT: others see it before */
    TRAIT_SEMI_HASTY = 1 << 6,    /* it doesn't wait while too few replicas are connected */
    TRAIT_SEMI_REPLICA = 1 << 7,  /* semi-sync as a replica is switched on */
    TRAIT_SEMI_RECEIVER = 1 << 8, /* and its receiver acknowledges */
    TRAIT_CUT_OFF = 1 << 9,       /* its receiver stopped on an error */
    TRAIT_ALL = (1 << 10) - 1,
};
struct traits { /* no padding: compared as bytes */
    unsigned bits;
    unsigned delay_s; /* how far behind its source the DBA wants it */
    uint64_t filters; /* what its replication or its binary log leaves out: bits from FILTERS_SHIFT
                         on say which kinds of filters, below is a checksum; 0 nothing */
    unsigned semi_clients, semi_wait_for; /* replicas that acknowledge; how many must */
    int64_t semi_timeout_ms;
};
enum { FILTERS_SHIFT = 52 };

struct msg_hello {
    unsigned version;
    enum speaker speaker;
    char cluster[NAME_LEN];
    char name[NAME_LEN];
    char monitor[IDENTITY_LEN]; /* a monitor: its own identity; an agent: whom it obeys, "" nobody
                                   yet */
    uint64_t epoch;             /* a monitor: its own; an agent: the highest accepted */
    uint64_t start_id;          /* an agent: of this life */
    int64_t heard_ms; /* an agent: since the obeyed monitor was heard; -1 not in this life */
};

struct msg_beat {
    uint64_t epoch;
    char monitor[IDENTITY_LEN];
    bool passive; /* it orders nothing, so nobody need wait for an order */
};

struct msg_refusal {
    uint64_t epoch; /* the epoch the agent obeys */
    char monitor[IDENTITY_LEN];
};

struct msg_order {
    uint64_t epoch;
    char monitor[IDENTITY_LEN];
    uint64_t serial;   /* ever higher; the epoch is in its upper 32 bits */
    uint64_t start_id; /* void for any other life of the agent */
    slotset hold;      /* these, and no others */
    enum following follow;
    int source; /* host, with FOLLOW_SOURCE; else -1 */
    bool tail;  /* the server of `source` is dead: fetch up to `reach` from its binary log, which
                   its agent hands over */
    int64_t may_start; /* the death (`died` of its report) after which this host's server may be
                          started again; 0 none */
    bool fence;        /* what is not held any more is let go at once, not in good order */
    bool as_is;    /* what was received and can't be applied is given up: the operator's force */
    bool hear;     /* with FOLLOW_NONE: nobody knows how far the source got, and it may still be
                      sending: it is heard to the end first */
    bool probe;    /* ask the network whether somebody still answers before an address is shown */
    uint64_t look; /* look once what stands in the way of a planned move: a number never given
                      before, back in the report's `looked`; 0 nobody asks */
    /* Without GTID, "" else. With FOLLOW_SOURCE: where in the source's log, and where this server
     * has to stand for that ("": it goes on where it stands); with FOLLOW_NONE: behind which place
     * of its own log it is to look for transactions of its own. */
    char at[PLACE_LEN], from[PLACE_LEN], behind[PLACE_LEN];
    char aside[ASIDE_LEN]; /* transactions of this server's own, which are to be kept in a file;
                              "" none. A text as of a difference (gtid/gtid.h) */
    char reach[GTID_LEN];  /* have applied this before writes open; "" nothing in particular */
};

struct grant_slot {
    int slot;
    uint64_t serial;
    uint64_t electorate; /* its number */
    hostset members;
};
struct msg_grant {
    uint64_t epoch;
    char monitor[IDENTITY_LEN];
    int64_t sent_ms;  /* the request's stamp, given back */
    int64_t lease_ms; /* the lease runs to sent_ms + lease_ms */
    unsigned n;
    struct grant_slot slot[SLOTS_MAX];
};

struct lease_slot {
    int slot;
    uint64_t serial;
    uint64_t electorate; /* the newest this agent was told: acknowledges it */
};
struct msg_lease {
    uint64_t epoch;
    uint64_t start_id;
    int64_t sent_ms;
    unsigned n;
    struct lease_slot slot[SLOTS_MAX];
};

struct report_slot {
    int slot;
    enum hold hold;
    uint64_t serial;     /* of the order it is or was last held under; 0 never in this life */
    uint64_t ended;      /* every serial up to this one is over for good */
    int64_t promised_ms; /* cannot take it for this long: promised to a peer, or just started */
    int64_t lease_ms;    /* what is left of the lease; 0 none */
    uint64_t electorate; /* newest known number and members, for a monitor without memory */
    hostset members;
};

struct msg_report {
    uint64_t epoch;           /* of the monitor it obeys */
    char obeys[IDENTITY_LEN]; /* "" nobody yet */
    int64_t heard_ms;         /* since that monitor was heard; -1 not in this life */
    uint64_t start_id;
    uint64_t serial;  /* of the last accepted order */
    uint64_t settled; /* everything an order up to this serial said is true, and the facts below are
                         from after that */
    int64_t uptime_s; /* of the machine */
    enum gate_kind gate;
    unsigned n; /* every slot this host is a candidate of */
    struct report_slot slot[SLOTS_MAX];

    enum mysqld mysqld;
    int64_t pid;
    char mysqld_why[WHY_LEN]; /* the proof, with MYSQLD_DEAD: "mysqld (pid 123) is exiting" */

    int64_t died;   /* names the death of a server that held the writable slot: its moment; 0 none,
                       or a new one is up */
    enum tail tail; /* of that server: READY: `gtid` is all that its binary log holds */
    char tail_why[WHY_LEN];   /* TAIL_FAILED: why it cannot be read */
    bool unsalvaged;          /* fetching from a tail was ordered and failed for good */
    bool disk_full;           /* no room where the server writes its binary log: commits wait */
    enum tail aside;          /* the file with what the order's `aside` names, and */
    char aside_text[WHY_LEN]; /* READY: its path on this host; FAILED: why there is none */

    bool facts;         /* the server was asked since it started; the rest means something */
    int64_t facts_ms;   /* how long ago it was asked last */
    bool mysql_flavour; /* else MariaDB: how to read gtid */
    bool read_only;
    uint64_t server_id;  /* 0 not known */
    char gtid[GTID_LEN]; /* everything executed (or, see `tail`, logged): MariaDB per domain and
                            server, MySQL gtid_executed */
    char source_host[ADDR_LEN]; /* "" no source configured */
    unsigned source_port;
    int source; /* the host that is; -1 none or a stranger */
    enum receiver receiver;
    bool applier;
    struct traits traits;
    int64_t lag_ms;         /* -1 unknown (NULL) */
    uint64_t looked;        /* the last order's look that was carried out; 0 none */
    char obstacle[WHY_LEN]; /* what was found then: who would hold up a planned move, or what
                               this agent's account may not do; "" nothing */
    /* A server without GTID (MySQL), "" else: the end of its own binary log, and up to where it has
     * its source's; as it was when it became the writer; and what of its own it has behind
     * `seen_behind`: "" nothing. */
    char own[PLACE_LEN], applied[PLACE_LEN];
    char turn_from[PLACE_LEN], turn_own[PLACE_LEN];
    char seen_behind[PLACE_LEN], own_more[WHY_LEN];
    char problem[PROBLEM_LEN]; /* what keeps this agent from doing as ordered, with the next step;
                                  "" nothing */
};

struct msg_ask {
    int64_t round;      /* the asker's send time, given back */
    int64_t promise_ms; /* out(lease) of the asker: how long the promise must hold */
    slotset slots;
};
struct msg_promise {
    int64_t round;
    slotset yes; /* of those asked for; a missing one is refused for now */
    char why[WHY_LEN];
};

struct msg_slice {
    uint64_t id;         /* the asker's number for the file; another one: made anew */
    int64_t offset;      /* of the piece */
    char have[GTID_LEN]; /* what the asker has, as it reports it */
};
struct msg_chunk {
    uint64_t id;
    int64_t offset, size; /* size: of the whole file */
    uint64_t server_id;   /* of the dead server, and what else a replica asks of its source */
    char why[WHY_LEN];    /* why there is none; "" there is */
    bool hopeless;        /* then: and asking again does not help */
    char version[64];
    char server_uuid[64];
    char reach[GTID_LEN]; /* applied when all of the file is: a position (MariaDB), a set (MySQL) */
    char data[ANSWER_LEN]; /* base64 */
};

struct msg_command {
    uint64_t id;
    bool json;
    unsigned n;
    char word[WORDS_MAX][WORD_LEN];
};
struct msg_answer {
    uint64_t id;
    int code;  /* exit code of hamm ctl */
    bool more; /* another answer to the same command follows; texts are joined */
    char text[ANSWER_LEN];
};

struct msg {
    enum msg_kind kind;
    union {
        struct msg_hello hello;
        struct msg_beat beat;
        struct msg_order order;
        struct msg_grant grant;
        struct msg_refusal refusal;
        struct msg_report report;
        struct msg_lease lease;
        struct msg_ask ask;
        struct msg_promise promise;
        struct msg_slice slice;
        struct msg_chunk chunk;
        struct msg_command command;
        struct msg_answer answer;
    };
};

/* Texts of messages are long and mostly empty. `to` has room for whatever fits in `from`. */
static inline void msg_text(char *to, const char *from)
{
    if (from[0])
        memcpy(to, from, strlen(from) + 1);
    else
        to[0] = 0;
}

/* The names behind the indices, from the configuration; the order is the file's. */
struct names {
    unsigned hosts, slots;
    char host[HOSTS_MAX][NAME_LEN];
    char slot[SLOTS_MAX][SLOT_LEN];
};
