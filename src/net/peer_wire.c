/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/clock.h"
#include "loop/timer.h"
#include "net/peer_internal.h"

#include <errno.h>

enum {
    PEER_SHAKE_MAX = 16384, /* bytes of a handshake; ours have about 500 */
    PEER_KEEP = 65536,      /* a bigger send buffer is given back when it is empty */
};

/* --- sending ------------------------------------------------------------------------------- */

static void peer_trim(struct buf *b)
{
    if (!b->len && b->cap > PEER_KEEP)
        buf_free(b);
}

/* Frames -> bytes for the kernel: one TLS record (or as many as 16 KiB each need) for all of them.
 */
static int peer_fill_wire(struct peer *p)
{
    uint8_t chunk[PEER_READ];
    size_t n;

    if (!p->tls) {
        struct buf queued = p->queue;
        p->queue = p->wire;
        p->wire = queued;
        return 0;
    }
    if (p->queue.len) {
        struct err e = {0};
        if (tls_conn_write(p->conn, p->queue.at, p->queue.len, &e) < 0)
            return e.code;
        buf_drop(&p->queue, p->queue.len);
    }
    while ((n = tls_conn_out(p->conn, chunk, sizeof chunk)) > 0)
        buf_add(&p->wire, chunk, n);
    return p->wire.full ? -ENOMEM : 0;
}

static void peer_on_write(uv_write_t *req, int status)
{
    struct peer *p = req->data;

    if (p->state == PEER_CLOSE || p->state == PEER_AGAIN)
        return;
    buf_drop(&p->wire, p->wire.len);
    if (status == 0)
        status = peer_flush(p);
    if (status < 0)
        peer_fail(p, status);
}

int peer_flush(struct peer *p)
{
    uv_buf_t out;
    int rc;

    if (p->wire.len) /* one write at a time; what comes meanwhile goes with the next */
        return 0;
    rc = peer_fill_wire(p);
    if (rc < 0 || !p->wire.len)
        return rc;
    out = uv_buf_init(p->wire.at, (unsigned)p->wire.len);
    rc = uv_try_write(&p->io.stream, &out, 1);
    if (rc < 0 && rc != UV_EAGAIN)
        return rc;
    if (rc > 0)
        buf_drop(&p->wire, (size_t)rc);
    peer_trim(&p->queue);
    peer_trim(&p->wire);
    if (!p->wire.len)
        return 0;
    out = uv_buf_init(p->wire.at, (unsigned)p->wire.len);
    p->write.data = p;
    return uv_write(&p->write, &p->io.stream, &out, 1, peer_on_write);
}

int peer_send(struct peer *p, const void *data, size_t len)
{
    uint8_t head[FRAME_HEAD];
    int rc;

    frame_head(head, len);
    if (p->state != PEER_UP)
        return -ENOTCONN;
    if (peer_queued(p) + sizeof head + len > PEER_QUEUE_MAX)
        return -ENOBUFS;
    buf_add(&p->queue, head, sizeof head);
    buf_add(&p->queue, data, len);
    rc = p->queue.full ? -ENOMEM : peer_flush(p);
    if (rc < 0) {
        peer_fail(p, rc);
        return -ENOTCONN;
    }
    return 0;
}

/* A goodbye or an alert, if the kernel takes it at once; failure changes nothing any more. */
void peer_part(struct peer *p)
{
    if (!p->conn || p->wire.len)
        return;
    if (p->state == PEER_UP)
        tls_conn_end(p->conn);
    (void)peer_flush(p); /* it is over anyway */
}

/* --- receiving ----------------------------------------------------------------------------- */

/* From a frame's first byte its last one has a deadline. */
static void peer_watch_half(struct peer *p, bool got_frames)
{
    bool partial = frame_partial(&p->frames) || (p->conn && tls_conn_partial(p->conn));

    if (!partial)
        uv_timer_stop(&p->limit);
    else if (got_frames || !uv_is_active((uv_handle_t *)&p->limit)) {
        p->begun_ms = clock_boot_ms();
        timer_in(&p->limit, p->half_ms, peer_on_limit);
    }
}

/* Hands out the frames in `data`; false when the peer is going down. */
static bool peer_eat(struct peer *p, const uint8_t *data, size_t len, bool *got_frames)
{
    const uint8_t *frame;
    size_t frame_len;
    int rc;

    while ((rc = frame_next(&p->frames, &data, &len, &frame, &frame_len)) > 0) {
        *got_frames = true;
        p->heard_ms = clock_boot_ms();
        p->ops->on_frame(p, p->owner, frame, frame_len);
        if (p->state != PEER_UP)
            return false;
    }
    if (rc == 0)
        return true;
    err_set(&p->end, rc, "%s",
            rc == -EMSGSIZE  ? "it announced a frame over 64 KiB: that is not hamm's protocol"
            : rc == -EBADMSG ? "it sent an empty frame: that is not hamm's protocol"
                             : "no memory for a frame");
    peer_part(p);
    peer_shut(p);
    return false;
}

static void peer_run_tls(struct peer *p)
{
    uint8_t plain[PEER_READ];
    bool got_frames = false;
    struct err e = {0};
    int n;

    if (p->state == PEER_SHAKE)
        peer_shake(p);
    if (p->state != PEER_UP)
        return;
    while ((n = tls_conn_read(p->conn, plain, sizeof plain, &e)) > 0)
        if (!peer_eat(p, plain, (size_t)n, &got_frames))
            return;
    if (n == 0)
        n = peer_flush(p);
    if (n < 0) {
        if (e.code)
            p->end = e;
        else
            err_set(&p->end, n, "%s", peer_text_errno(n));
        peer_shut(p);
        return;
    }
    peer_watch_half(p, got_frames);
}

static void peer_on_alloc(uv_handle_t *h, size_t want, uv_buf_t *to)
{
    struct peer *p = h->data;

    (void)want;
    *to = uv_buf_init((char *)p->in, sizeof p->in);
}

static void peer_on_eof(struct peer *p, int code)
{
    if (p->state == PEER_UP) {
        peer_fail(p, code);
        return;
    }
    err_set(&p->end, -ECONNRESET, "%s",
            p->door ? "it hung up in the middle of the TLS handshake"
                    : "the other side hung up in the middle of the TLS handshake; is it hamm, and "
                      "not overrun with connections?");
    if (!p->shake_len)
        p->end.code = 0; /* a port check, say: worth no line */
    peer_shut(p);
}

static void peer_on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct peer *p = s->data;
    bool got_frames = false;

    (void)buf;
    if (n < 0)
        peer_on_eof(p, (int)n);
    else if (n > 0 && !p->tls) {
        if (peer_eat(p, p->in, (size_t)n, &got_frames))
            peer_watch_half(p, got_frames);
    } else if (n > 0) {
        if (p->state == PEER_SHAKE && p->shake_len > PEER_SHAKE_MAX) {
            err_set(&p->end, -EPROTO, "TLS handshake failed: it is endless");
            peer_shut(p);
            return;
        }
        p->shake_len += p->state == PEER_SHAKE ? (size_t)n : 0;
        if (tls_conn_feed(p->conn, p->in, (size_t)n))
            peer_run_tls(p);
        else
            peer_fail(p, -ENOMEM);
    }
}

int peer_read(struct peer *p)
{
    return uv_read_start(&p->io.stream, peer_on_alloc, peer_on_read);
}
