/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 *   GREETED -> (PROVING) -> COMMANDS -> STREAM        any failure -> guest_end
 *
 * Streaming: read a piece of the file in libuv's threads, make packets of it, write them, and only
 * when the replica has taken them the next piece. At the end heartbeats. A replica that asks for
 * the binary log ends whoever did so before: it is the same one that has reconnected. */
#include "mysql/source.h"

#include "loop/closer.h"
#include "loop/timer.h"
#include "mysql/source_answer.h"
#include "mysql/source_tail.h"
#include "mysql/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GUESTS_MAX       4
#define PACKET_MAX       (1u << 20) /* of a replica; a GTID set is the longest */
#define PIECE            65536
#define PIECE_MAX        (4u * PIECE) /* as packets */
#define TALK_MS          10000        /* for each step of a conversation */
#define TAKE_MS          30000        /* for taking a piece */
#define HEARTBEAT_MIN_MS 50

enum command {
    COM_QUIT = 1,
    COM_QUERY = 3,
    COM_PING = 14,
    COM_BINLOG_DUMP = 18,
    COM_REGISTER_SLAVE = 21,
    COM_BINLOG_DUMP_GTID = 30,
};

enum guest_state { GUEST_GREETED, GUEST_PROVING, GUEST_COMMANDS, GUEST_STREAM, GUEST_ENDED };

/* A connection. */
struct guest {
    struct source *source;
    enum guest_state state;
    uv_tcp_t tcp;
    uv_timer_t limit;
    struct closer closer;
    struct buf in;
    char piece_in[4096];
    uint8_t salt[WIRE_SALT];
    uint8_t sequence; /* of the next packet */
    struct source_guest said;
    /* what is being written */
    uv_write_t write;
    bool writing, ends; /* ends: when it is written */
    struct buf out;
    /* STREAM */
    struct tail tail;
    uv_fs_t read;
    bool reading, sent;
    uint8_t *piece;
};

struct source {
    uv_loop_t *loop;
    struct source_params params; /* texts owned */
    int fd;
    bool crc;
    unsigned port;
    uint32_t connections;
    uv_tcp_t listener;
    struct closer closer;
    struct guest *guest[GUESTS_MAX];
    void (*closed)(void *owner);
};

static void guest_read_on(struct guest *g);

/* ---- the end of a connection ---- */

static void guest_on_closed(struct closer *c)
{
    struct guest *g = c->owner;
    struct source *s = g->source;

    for (unsigned i = 0; i < GUESTS_MAX; i++)
        if (s->guest[i] == g)
            s->guest[i] = NULL;
    buf_free(&g->in);
    buf_free(&g->out);
    free(g->piece);
    free(g);
    closer_sub(&s->closer);
}

static void guest_end(struct guest *g)
{
    if (g->state == GUEST_ENDED)
        return;
    g->state = GUEST_ENDED;
    closer_handle(&g->closer, (uv_handle_t *)&g->tcp);
    closer_handle(&g->closer, (uv_handle_t *)&g->limit);
    closer_end(&g->closer, guest_on_closed);
}

static void source_tell(struct source *s, enum source_news news, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

static void source_tell(struct source *s, enum source_news news, const char *fmt, ...)
{
    char text[700];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (!s->closer.closing && s->params.on_news)
        s->params.on_news(s, news, text);
}

static void guest_fail(struct guest *g, const char *why)
{
    struct source *s = g->source;

    if (g->state == GUEST_ENDED)
        return;
    guest_end(g);
    source_tell(s, SOURCE_FAILED, "the replica's connection to the salvaged binary log: %s", why);
}

static void guest_on_limit(uv_timer_t *t)
{
    struct guest *g = t->data;

    guest_fail(g, g->state == GUEST_STREAM ? "it took nothing for 30 s" : "it was silent for 10 s");
}

/* ---- writing ---- */

static void guest_on_written(uv_write_t *w, int status)
{
    struct guest *g = w->data;

    g->writing = false;
    g->out.len = 0; /* the memory stays for the next piece */
    if (g->state != GUEST_ENDED) {
        if (status < 0)
            guest_fail(g, uv_strerror(status));
        else if (g->ends)
            guest_end(g);
        else
            guest_read_on(g);
    }
    closer_sub(&g->closer);
}

static void guest_write(struct guest *g)
{
    uv_buf_t b = uv_buf_init(g->out.at, (unsigned)g->out.len);
    int rc;

    if (g->out.full) {
        guest_fail(g, "an answer would be too long");
        return;
    }
    g->writing = true;
    g->write.data = g;
    closer_add(&g->closer);
    rc = uv_write(&g->write, (uv_stream_t *)&g->tcp, &b, 1, guest_on_written);
    if (rc < 0) {
        g->writing = false;
        guest_fail(g, uv_strerror(rc));
        closer_sub(&g->closer);
    }
}

static void guest_refuse(struct guest *g, unsigned number, const char *state, const char *text)
{
    struct source *s = g->source;

    wire_error(&g->out, &g->sequence, number, state, text);
    g->ends = true;
    guest_write(g);
    source_tell(s, SOURCE_FAILED, "a connection to the salvaged binary log was refused: %s", text);
}

/* ---- streaming ---- */

static void guest_beat(uv_timer_t *t)
{
    struct guest *g = t->data;

    if (g->writing) {
        guest_fail(g, "it took no heartbeat");
        return;
    }
    tail_heartbeat(&g->tail, &g->out);
    guest_write(g);
}

static void guest_all_sent(struct guest *g)
{
    int64_t every = g->said.heartbeat_ms / 2;

    uv_timer_stop(&g->limit);
    if (g->said.heartbeat_ms)
        timer_every(&g->limit, every > HEARTBEAT_MIN_MS ? every : HEARTBEAT_MIN_MS, guest_beat);
    if (!g->sent) {
        g->sent = true;
        source_tell(g->source, SOURCE_SENT, "everything salvaged was sent to the replica");
    }
}

static void guest_stream_piece(struct guest *g, size_t len)
{
    struct err e;
    int64_t taken = tail_bytes(&g->tail, g->piece, len, &g->out, &e);

    if (taken < 0)
        guest_fail(g, e.msg);
    else if (taken == 0)
        guest_fail(g, "what is to be served ends within an event");
    else if (g->out.len)
        guest_write(g);
    else
        guest_read_on(g);
}

static void guest_on_read(uv_fs_t *fs)
{
    struct guest *g = fs->data;
    ssize_t n = fs->result;

    uv_fs_req_cleanup(fs);
    g->reading = false;
    if (g->state == GUEST_ENDED)
        ;
    else if (n < 0)
        guest_fail(g, uv_strerror((int)n));
    else if (n == 0)
        guest_all_sent(g);
    else
        guest_stream_piece(g, (size_t)n);
    closer_sub(&g->closer);
}

static void guest_stream_on(struct guest *g)
{
    uv_buf_t b = uv_buf_init((char *)g->piece, PIECE);

    if (g->sent)
        return;
    timer_in(&g->limit, TAKE_MS, guest_on_limit);
    g->read.data = g;
    g->reading = true;
    closer_add(&g->closer);
    CHECK(uv_fs_read(g->source->loop, &g->read, g->source->fd, &b, 1, (int64_t)g->tail.at,
                     guest_on_read) == 0);
}

static void guest_stream(struct guest *g, uint64_t from)
{
    struct source *s = g->source;
    struct err e;

    for (unsigned i = 0; i < GUESTS_MAX; i++)
        if (s->guest[i] && s->guest[i] != g && s->guest[i]->state == GUEST_STREAM)
            guest_end(s->guest[i]);
    g->state = GUEST_STREAM;
    g->tail = (struct tail){
        .crc = s->crc,
        .server_id = s->params.server_id,
        .by_gtid = g->said.by_gtid,
        .from = g->said.by_gtid ? 0 : from,
        .sequence = g->sequence,
    };
    if (g->said.by_gtid && gtid_parse(g->said.state, GTID_MARIADB_POS, &g->tail.had, &e) < 0) {
        guest_refuse(g, 1236, "HY000", e.msg);
        return;
    }
    g->piece = malloc(PIECE);
    CHECK(g->piece);
    tail_begin(&g->tail, &g->out);
    timer_in(&g->limit, TAKE_MS, guest_on_limit);
    guest_write(g);
    source_tell(s, SOURCE_ASKED, "the replica asked for the salvaged binary log");
}

/* ---- commands ---- */

/* Position 4, flags 2, server 4, name. */
static void guest_dump(struct guest *g, const uint8_t *at, size_t len)
{
    if (len < 10)
        guest_fail(g, "a request for the binary log that can't be read");
    else
        guest_stream(g, wire_number(at, 4));
}

static void guest_command(struct guest *g, char *packet, size_t len)
{
    switch ((uint8_t)packet[0]) {
    case COM_QUIT:
        guest_end(g);
        return;
    case COM_QUERY:
        source_answer(&g->source->params, g->source->crc, packet + 1, &g->said, &g->out,
                      &g->sequence);
        break;
    case COM_PING:
    case COM_REGISTER_SLAVE:
        wire_ok(&g->out, &g->sequence);
        break;
    case COM_BINLOG_DUMP:
        guest_dump(g, (const uint8_t *)packet + 1, len - 1);
        return;
    case COM_BINLOG_DUMP_GTID: /* what it has already its applier skips by itself */
        guest_stream(g, TAIL_FIRST);
        return;
    default:
        wire_error(&g->out, &g->sequence, 1047, "08S01", "this server only serves a replica");
    }
    guest_write(g);
}

/* ---- log in ---- */

static void guest_check(struct guest *g, const uint8_t *proof, size_t len)
{
    const struct source_params *p = &g->source->params;

    if (!wire_proves(p->mariadb, g->salt, p->password, proof, len)) {
        guest_refuse(g, 1045, "28000", "Access denied: the one-time password is wrong");
        return;
    }
    if (!p->mariadb)
        wire_fast_ok(&g->out, &g->sequence);
    wire_ok(&g->out, &g->sequence);
    g->state = GUEST_COMMANDS;
    guest_write(g);
}

/* The account, or the one that remembers that TLS was on (source.h). */
static bool guest_is_expected(const struct source_params *p, const char *user)
{
    size_t len = strlen(p->user);

    return strncmp(user, p->user, len) == 0 &&
           (!user[len] || strcmp(user + len, SOURCE_TLS_MARK) == 0);
}

static void guest_login(struct guest *g, const uint8_t *packet, size_t len)
{
    const struct source_params *p = &g->source->params;
    const char *plugin = wire_plugin(p->mariadb);
    struct wire_login login;

    if (!wire_read_login(packet, len, &login))
        guest_refuse(g, 1043, "08S01", "a log in that can't be read");
    else if (!guest_is_expected(p, login.user))
        guest_refuse(g, 1045, "28000", "Access denied: not the one-time account");
    else if (login.plugin[0] && strcmp(login.plugin, plugin) != 0) {
        wire_ask_again(&g->out, &g->sequence, g->salt, plugin);
        g->state = GUEST_PROVING;
        guest_write(g);
    } else {
        guest_check(g, login.proof, login.proof_len);
    }
}

/* ---- reading ---- */

static void guest_packet(struct guest *g, char *packet, size_t len)
{
    if (g->state == GUEST_GREETED)
        guest_login(g, (const uint8_t *)packet, len);
    else if (g->state == GUEST_PROVING)
        guest_check(g, (const uint8_t *)packet, len);
    else if (len > 0)
        guest_command(g, packet, len);
    else
        guest_fail(g, "an empty command");
}

/* One packet is taken, answered, and when the answer is written the next. */
static void guest_read_on(struct guest *g)
{
    size_t len;
    char *packet;

    if (g->state == GUEST_STREAM) {
        guest_stream_on(g);
        return;
    }
    timer_in(&g->limit, TALK_MS, guest_on_limit);
    if (g->in.len < 4)
        return;
    len = (size_t)wire_number((const uint8_t *)g->in.at, 3);
    if (len + 4 > PACKET_MAX) {
        guest_fail(g, "a packet that is too long");
        return;
    }
    if (g->in.len < len + 4)
        return;
    packet = malloc(len + 1);
    CHECK(packet);
    memcpy(packet, g->in.at + 4, len);
    packet[len] = 0;
    g->sequence = (uint8_t)(g->in.at[3] + 1);
    buf_drop(&g->in, len + 4);
    guest_packet(g, packet, len);
    explicit_bzero(packet, len);
    free(packet);
}

static void guest_on_alloc(uv_handle_t *h, size_t size, uv_buf_t *b)
{
    struct guest *g = h->data;

    (void)size;
    *b = uv_buf_init(g->piece_in, sizeof g->piece_in);
}

static void guest_on_data(uv_stream_t *stream, ssize_t n, const uv_buf_t *b)
{
    struct guest *g = stream->data;

    if (n < 0 && (g->state == GUEST_STREAM || g->state == GUEST_COMMANDS) && n == UV_EOF) {
        guest_end(g); /* the receiver was stopped */
        return;
    }
    if (n < 0) {
        guest_fail(g, uv_strerror((int)n));
        return;
    }
    if (n == 0 || g->ends)
        return;
    buf_add(&g->in, b->base, (size_t)n);
    if (g->in.full)
        guest_fail(g, "it says too much at once");
    else if (!g->writing && g->state != GUEST_STREAM)
        guest_read_on(g);
}

/* ---- connections ---- */

static void guest_greet(struct guest *g)
{
    const struct source_params *p = &g->source->params;
    char version[80];

    snprintf(version, sizeof version, "%s%s", p->mariadb ? "5.5.5-" : "", p->version);
    if (!wire_salt(g->salt)) {
        guest_fail(g, "no random numbers");
        return;
    }
    wire_greeting(&g->out, &g->sequence, version, ++g->source->connections, g->salt,
                  wire_plugin(p->mariadb));
    guest_write(g);
}

static void source_on_connection(uv_stream_t *listener, int status)
{
    struct source *s = listener->data;
    struct guest *g = calloc(1, sizeof *g);
    unsigned i = 0;

    CHECK(g);
    g->source = s;
    g->in = BUF(PACKET_MAX);
    g->out = BUF(PIECE_MAX);
    g->closer.owner = g;
    CHECK(uv_tcp_init(s->loop, &g->tcp) == 0 && uv_timer_init(s->loop, &g->limit) == 0);
    g->tcp.data = g->limit.data = g;
    closer_add(&g->closer);
    closer_add(&g->closer);
    closer_add(&s->closer);
    while (i < GUESTS_MAX && s->guest[i])
        i++;
    if (status < 0 || uv_accept(listener, (uv_stream_t *)&g->tcp) < 0 || i == GUESTS_MAX) {
        guest_end(g);
        return;
    }
    s->guest[i] = g;
    uv_tcp_nodelay(&g->tcp, 1);
    if (uv_read_start((uv_stream_t *)&g->tcp, guest_on_alloc, guest_on_data) < 0)
        guest_fail(g, "it can't be read from");
    else
        guest_greet(g);
}

/* ---- life ---- */

static int source_listen(struct source *s, struct err *e)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int len = sizeof a, rc = uv_tcp_bind(&s->listener, (struct sockaddr *)&a, 0);

    if (rc == 0)
        rc = uv_listen((uv_stream_t *)&s->listener, GUESTS_MAX, source_on_connection);
    if (rc == 0)
        rc = uv_tcp_getsockname(&s->listener, (struct sockaddr *)&a, &len);
    if (rc < 0)
        return err_set(e, rc, "listen on 127.0.0.1: %s", uv_strerror(rc));
    s->port = ntohs(a.sin_port);
    return 0;
}

/* The kind of checksum: the byte before the format description's own. */
static int source_open(struct source *s, struct err *e)
{
    const char *path = s->params.path;
    uint8_t head[512];
    ssize_t n;
    size_t len;

    s->fd = open(path, O_RDONLY | O_CLOEXEC);
    n = s->fd < 0 ? -1 : pread(s->fd, head, sizeof head, 0);
    if (n < 0)
        return err_set(e, -errno, "open %s: %s", path, strerror(errno));
    len = n < TAIL_FIRST + 19 ? 0 : (size_t)wire_number(head + TAIL_FIRST + 9, 4);
    if (len < 19 + 57 + 5 || TAIL_FIRST + len > (size_t)n ||
        memcmp(head,
               "\xfe"
               "bin",
               4) != 0)
        return err_set(e, -EBADMSG, "%s is no binary log", path);
    s->crc = head[TAIL_FIRST + len - 5] == 1;
    return 0;
}

static void source_free(struct source *s)
{
    if (s->fd >= 0)
        close(s->fd);
    explicit_bzero((char *)s->params.password, strlen(s->params.password));
    free((char *)s->params.version);
    free((char *)s->params.server_uuid);
    free((char *)s->params.user);
    free((char *)s->params.password);
    free((char *)s->params.path);
    free(s);
}

static void source_on_closed(struct closer *c)
{
    struct source *s = c->owner;
    void (*closed)(void *owner) = s->closed;
    void *owner = s->params.owner;

    source_free(s);
    if (closed)
        closed(owner);
}

static const char *source_text(const char *text)
{
    char *copy = strdup(text ? text : "");

    CHECK(copy);
    return copy;
}

int source_start(uv_loop_t *loop, const struct source_params *params, struct source **out,
                 struct err *e)
{
    struct source *s = calloc(1, sizeof *s);
    int rc;

    CHECK(s);
    s->loop = loop;
    s->params = *params;
    s->params.version = source_text(params->version);
    s->params.server_uuid = source_text(params->server_uuid);
    s->params.user = source_text(params->user);
    s->params.password = source_text(params->password);
    s->params.path = source_text(params->path);
    s->closer.owner = s;
    rc = source_open(s, e);
    if (rc < 0) {
        source_free(s);
        return rc;
    }
    CHECK(uv_tcp_init(loop, &s->listener) == 0);
    s->listener.data = s;
    closer_add(&s->closer);
    rc = source_listen(s, e);
    if (rc < 0)
        source_stop(s, NULL);
    else
        *out = s;
    return rc;
}

unsigned source_port(const struct source *s)
{
    return s->port;
}

void *source_owner(const struct source *s)
{
    return s->params.owner;
}

void source_stop(struct source *s, void (*closed)(void *owner))
{
    CHECK(!s->closer.closing);
    s->closed = closed;
    for (unsigned i = 0; i < GUESTS_MAX; i++)
        if (s->guest[i])
            guest_end(s->guest[i]);
    closer_handle(&s->closer, (uv_handle_t *)&s->listener);
    closer_end(&s->closer, source_on_closed);
}
