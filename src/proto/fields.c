/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proto/fields.h"

#include "proto/codec.h"

#include <limits.h>

#define AT(member)        .key = #member, .at = offsetof(struct THIS, member)
#define IN(outer, member) .key = #member, .at = offsetof(struct THIS, outer.member)
#define ROOM(member)      .size = sizeof(((struct THIS *)0)->member)
#define U64(member)                                                                                \
    {                                                                                              \
        AT(member), .type = F_U64                                                                  \
    }
#define MS(member)                                                                                 \
    {                                                                                              \
        AT(member), .type = F_MS                                                                   \
    }
#define UINT(member, most)                                                                         \
    {                                                                                              \
        AT(member), .type = F_UINT, .max = (most)                                                  \
    }
#define BOOL(member)                                                                               \
    {                                                                                              \
        AT(member), .type = F_BOOL                                                                 \
    }
#define TEXT(member)                                                                               \
    {                                                                                              \
        AT(member), .type = F_TEXT, ROOM(member)                                                   \
    }
#define HOST(member)                                                                               \
    {                                                                                              \
        AT(member), .type = F_HOST                                                                 \
    }
#define SLOT(member)                                                                               \
    {                                                                                              \
        AT(member), .type = F_SLOT                                                                 \
    }
#define SLOTSET(member)                                                                            \
    {                                                                                              \
        AT(member), .type = F_SLOTSET                                                              \
    }
#define HOSTSET(member)                                                                            \
    {                                                                                              \
        AT(member), .type = F_HOSTSET                                                              \
    }
#define ENUM(member, list)                                                                         \
    {                                                                                              \
        AT(member), .type = F_ENUM, .max = ARRAY_LEN(list), .words = (list)                        \
    }
#define LIST(member, what)                                                                         \
    {                                                                                              \
        AT(member), .type = F_LIST, .size = sizeof(((struct THIS *)0)->member[0]),                 \
                    .n_at = offsetof(struct THIS, n),                                              \
                    .max = ARRAY_LEN(((struct THIS *)0)->member), .fields = (what)                 \
    }

/* The enums are read and written as unsigned. */
_Static_assert(sizeof(enum hold) == sizeof(unsigned), "an enum is as big as an unsigned");

const char *const msg_kind_names[MSG_N] = {
    [MSG_HELLO] = "hello",   [MSG_BEAT] = "beat",       [MSG_ORDER] = "order",
    [MSG_GRANT] = "grant",   [MSG_REFUSAL] = "refusal", [MSG_REPORT] = "report",
    [MSG_LEASE] = "lease",   [MSG_ASK] = "ask",         [MSG_PROMISE] = "promise",
    [MSG_SLICE] = "slice",   [MSG_CHUNK] = "chunk",     [MSG_COMMAND] = "command",
    [MSG_ANSWER] = "answer",
};
static const char *const speaker_words[SPEAKER_N] = {
    [SPEAKER_MONITOR] = "monitor",
    [SPEAKER_AGENT] = "agent",
    [SPEAKER_CTL] = "ctl",
};
static const char *const follow_words[FOLLOW_N] = {
    [FOLLOW_KEEP] = "keep",
    [FOLLOW_NONE] = "none",
    [FOLLOW_SOURCE] = "source",
};
static const char *const hold_words[HOLD_N] = {
    [HOLD_NONE] = "none",
    [HOLD_WANTED] = "wanted",
    [HOLD_HELD] = "held",
    [HOLD_LEAVING] = "leaving",
};
static const char *const mysqld_words[MYSQLD_N] = {
    [MYSQLD_UNKNOWN] = "unknown",
    [MYSQLD_UP] = "up",
    [MYSQLD_DEAD] = "dead",
};
static const char *const tail_words[TAIL_N] = {
    [TAIL_NONE] = "none",
    [TAIL_READING] = "reading",
    [TAIL_READY] = "ready",
    [TAIL_FAILED] = "failed",
};
static const char *const gate_words[GATE_N] = {
    [GATE_NFT] = "nft",
    [GATE_LIFETIME] = "lifetime",
};
static const char *const receiver_words[RECEIVER_N] = {
    [RECEIVER_NO] = "no",
    [RECEIVER_CONNECTING] = "connecting",
    [RECEIVER_YES] = "yes",
};

#define THIS msg_hello
static const struct field hello_fields[] = {
    UINT(version, 1000000),
    ENUM(speaker, speaker_words),
    TEXT(cluster),
    TEXT(name),
    TEXT(monitor),
    U64(epoch),
    U64(start_id),
    MS(heard_ms),
    {0},
};
#undef THIS

#define THIS msg_beat
static const struct field beat_fields[] = {U64(epoch), TEXT(monitor), BOOL(passive), {0}};
#undef THIS

#define THIS msg_refusal
static const struct field refusal_fields[] = {U64(epoch), TEXT(monitor), {0}};
#undef THIS

#define THIS msg_order
static const struct field order_fields[] = {
    U64(epoch),    TEXT(monitor), U64(serial),
    U64(start_id), SLOTSET(hold), ENUM(follow, follow_words),
    HOST(source),  BOOL(tail),    MS(may_start),
    BOOL(fence),   BOOL(as_is),   BOOL(hear),
    BOOL(probe),   U64(look),     TEXT(at),
    TEXT(from),    TEXT(behind),  TEXT(aside),
    TEXT(reach),   {0},
};
#undef THIS

#define THIS grant_slot
static const struct field grant_slot_fields[] = {
    SLOT(slot), U64(serial), U64(electorate), HOSTSET(members), {0},
};
#undef THIS
#define THIS msg_grant
static const struct field grant_fields[] = {
    U64(epoch), TEXT(monitor), MS(sent_ms), MS(lease_ms), LIST(slot, grant_slot_fields), {0},
};
#undef THIS

#define THIS lease_slot
static const struct field lease_slot_fields[] = {
    SLOT(slot),
    U64(serial),
    U64(electorate),
    {0},
};
#undef THIS
#define THIS msg_lease
static const struct field lease_fields[] = {
    U64(epoch), U64(start_id), MS(sent_ms), LIST(slot, lease_slot_fields), {0},
};
#undef THIS

#define THIS report_slot
static const struct field report_slot_fields[] = {
    SLOT(slot),   ENUM(hold, hold_words), U64(serial),      U64(ended), MS(promised_ms),
    MS(lease_ms), U64(electorate),        HOSTSET(members), {0},
};
#undef THIS
#define THIS msg_report
static const struct field report_fields[] = {
    U64(epoch),
    TEXT(obeys),
    MS(heard_ms),
    U64(start_id),
    U64(serial),
    U64(settled),
    MS(uptime_s),
    ENUM(gate, gate_words),
    LIST(slot, report_slot_fields),
    ENUM(mysqld, mysqld_words),
    MS(pid),
    TEXT(mysqld_why),
    MS(died),
    ENUM(tail, tail_words),
    TEXT(tail_why),
    BOOL(unsalvaged),
    BOOL(disk_full),
    ENUM(aside, tail_words),
    TEXT(aside_text),
    BOOL(facts),
    MS(facts_ms),
    BOOL(mysql_flavour),
    BOOL(read_only),
    U64(server_id),
    TEXT(gtid),
    TEXT(source_host),
    UINT(source_port, 65535),
    HOST(source),
    ENUM(receiver, receiver_words),
    BOOL(applier),
    {.key = "traits",
     .at = offsetof(struct msg_report, traits.bits),
     .type = F_UINT,
     .max = TRAIT_ALL},
    {IN(traits, delay_s), .type = F_UINT, .max = UINT_MAX},
    {IN(traits, filters), .type = F_U64},
    {IN(traits, semi_clients), .type = F_UINT, .max = UINT_MAX},
    {IN(traits, semi_wait_for), .type = F_UINT, .max = UINT_MAX},
    {IN(traits, semi_timeout_ms), .type = F_MS},
    MS(lag_ms),
    U64(looked),
    TEXT(obstacle),
    TEXT(own),
    TEXT(applied),
    TEXT(turn_from),
    TEXT(turn_own),
    TEXT(seen_behind),
    TEXT(own_more),
    TEXT(problem),
    {0},
};
#undef THIS

#define THIS msg_ask
static const struct field ask_fields[] = {MS(round), MS(promise_ms), SLOTSET(slots), {0}};
#undef THIS

#define THIS msg_promise
static const struct field promise_fields[] = {MS(round), SLOTSET(yes), TEXT(why), {0}};
#undef THIS

#define THIS msg_slice
static const struct field slice_fields[] = {U64(id), MS(offset), TEXT(have), {0}};
#undef THIS

#define THIS msg_chunk
static const struct field chunk_fields[] = {
    U64(id),       MS(offset),        MS(size),    U64(server_id), TEXT(why), BOOL(hopeless),
    TEXT(version), TEXT(server_uuid), TEXT(reach), TEXT(data),     {0},
};
#undef THIS

#define THIS msg_command
static const struct field command_fields[] = {
    U64(id),
    BOOL(json),
    {AT(word), .type = F_TEXTS, .size = WORD_LEN, .n_at = offsetof(struct THIS, n),
     .max = WORDS_MAX},
    {0},
};
#undef THIS

#define THIS msg_answer
static const struct field answer_fields[] = {
    U64(id), UINT(code, 255), BOOL(more), TEXT(text), {0},
};
#undef THIS

const struct field *const msg_fields[MSG_N] = {
    [MSG_HELLO] = hello_fields,   [MSG_BEAT] = beat_fields,       [MSG_ORDER] = order_fields,
    [MSG_GRANT] = grant_fields,   [MSG_REFUSAL] = refusal_fields, [MSG_REPORT] = report_fields,
    [MSG_LEASE] = lease_fields,   [MSG_ASK] = ask_fields,         [MSG_PROMISE] = promise_fields,
    [MSG_SLICE] = slice_fields,   [MSG_CHUNK] = chunk_fields,     [MSG_COMMAND] = command_fields,
    [MSG_ANSWER] = answer_fields,
};
