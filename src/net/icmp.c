/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/icmp.h"

#include <errno.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define ICMP_BURST_MAX 256    /* packets read before the loop gets its turn */
#define ICMP_READ_MAX  256    /* an IPv4 header with options, and our echo */
#define ICMP_ECHO_LEN  16     /* header and 8 bytes that switches may look at */
#define ICMP_RCVBUF    262144 /* all hosts' answers while the loop is busy elsewhere */

static int64_t icmp_now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static unsigned get16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* RFC 1071; for IPv6 the kernel computes it. */
static unsigned icmp_sum(const uint8_t *at, size_t len)
{
    unsigned long sum = 0;

    for (size_t i = 0; i + 1 < len; i += 2)
        sum += get16(at + i);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return ~(unsigned)sum & 0xffff;
}

/* --- answers --- */

static void icmp_match(struct icmp *i, const struct ip *from, unsigned seq)
{
    struct icmp_out *o = &i->out[seq % ICMP_OUT_MAX];
    int64_t rtt_us = icmp_now_us() - o->sent_us;

    if (!o->waiting || o->seq != seq || !ip_same(&o->to, from))
        return;
    o->waiting = false;
    if (rtt_us <= (int64_t)ICMP_AGE_MAX_MS * 1000)
        i->on_reply(i->owner, o->id, rtt_us);
}

/* The echo answer in what was read: NULL if there is none, or it is to somebody else's ping. */
static const uint8_t *icmp_echo(const struct icmp *i, const struct icmp_socket *s,
                                const uint8_t *at, size_t len)
{
    bool v4 = s == &i->v4;

    if (v4 && s->raw) { /* only then the IP header comes with it */
        size_t head = len > 0 ? (size_t)(at[0] & 15) * 4 : 0;

        if (head < 20 || len < head)
            return NULL;
        at += head;
        len -= head;
    }
    if (len < 8 || at[0] != (v4 ? ICMP_ECHOREPLY : ICMPV6_ECHO_REPLY) || at[1] != 0)
        return NULL;
    /* A datagram socket's identifier is its port, and the kernel sorts by it. */
    if (s->raw && get16(at + 4) != i->ident)
        return NULL;
    return at;
}

static void icmp_on_poll(uv_poll_t *poll, int status, int events)
{
    struct icmp *i = poll->data;
    struct icmp_socket *s = poll == &i->v4.poll ? &i->v4 : &i->v6;
    uint8_t room[ICMP_READ_MAX];

    (void)events;
    /* An error about an earlier ping: libuv has stopped polling, reading takes the error. */
    if (status < 0)
        CHECK(uv_poll_start(poll, UV_READABLE, icmp_on_poll) == 0);
    for (unsigned n = 0; n < ICMP_BURST_MAX && s->fd >= 0; n++) {
        struct sockaddr_storage from;
        socklen_t from_len = sizeof from;
        ssize_t got =
            recvfrom(s->fd, room, sizeof room, MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
        const uint8_t *echo;
        struct ip ip;

        if (got < 0 && errno == EAGAIN)
            return;
        if (got < 0)
            continue;
        echo = icmp_echo(i, s, room, (size_t)got);
        ip = ip_of_sockaddr((struct sockaddr *)&from);
        if (echo)
            icmp_match(i, &ip, get16(echo + 6));
    }
}

/* --- pings --- */

int icmp_send(struct icmp *i, const struct sockaddr *to, unsigned id, struct err *e)
{
    uint8_t packet[ICMP_ECHO_LEN] = {0};
    struct ip ip = ip_of_sockaddr(to);
    struct icmp_socket *s = ip.family == AF_INET ? &i->v4 : &i->v6;
    struct icmp_out *o = &i->out[++i->seq % ICMP_OUT_MAX];
    struct sockaddr_storage sa;
    socklen_t len;
    char text[IP_TEXT_MAX];

    if (ip.family == 0)
        return err_set(e, -EAFNOSUPPORT, "ping: neither an IPv4 nor an IPv6 address");
    o->waiting = false;
    if (s->fd < 0)
        return err_set(e, s->why.code, "%s", s->why.msg);
    len = ip_to_sockaddr(&ip, &sa);
    if (ip.family == AF_INET6 && to->sa_family == AF_INET6) /* link-local needs its interface */
        ((struct sockaddr_in6 *)&sa)->sin6_scope_id =
            ((const struct sockaddr_in6 *)to)->sin6_scope_id;
    packet[0] = ip.family == AF_INET ? ICMP_ECHO : ICMPV6_ECHO_REQUEST;
    put16(packet + 4, i->ident);
    put16(packet + 6, i->seq);
    if (ip.family == AF_INET)
        put16(packet + 2, icmp_sum(packet, sizeof packet));
    *o = (struct icmp_out){
        .waiting = true, .seq = i->seq, .id = id, .sent_us = icmp_now_us(), .to = ip};
    if (sendto(s->fd, packet, sizeof packet, MSG_DONTWAIT, (struct sockaddr *)&sa, len) < 0) {
        o->waiting = false;
        return err_set(e, -errno, "ping %s: %s", ip_text(&ip, text), strerror(errno));
    }
    return 0;
}

/* --- start and stop --- */

/* Raw sockets would hand us every ICMP message of the host. */
static int icmp_only_replies(const struct icmp_socket *s, int family)
{
    struct icmp_filter v4 = {.data = ~(1u << ICMP_ECHOREPLY)};
    struct icmp6_filter v6;

    if (!s->raw)
        return 0;
    if (family == AF_INET)
        return setsockopt(s->fd, SOL_RAW, ICMP_FILTER, &v4, sizeof v4);
    memset(&v6, 0xff, sizeof v6); /* set: blocked */
    v6.data[ICMPV6_ECHO_REPLY / 32] &= ~(1u << ICMPV6_ECHO_REPLY % 32);
    return setsockopt(s->fd, IPPROTO_ICMPV6, ICMPV6_FILTER, &v6, sizeof v6);
}

static void icmp_open(struct icmp_socket *s, int family)
{
    int protocol = family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    const int buffer = ICMP_RCVBUF;
    int raw_errno;

    *s = (struct icmp_socket){.raw = true};
    s->fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
    if (s->fd < 0) {
        raw_errno = errno;
        s->raw = false;
        s->fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
        if (s->fd < 0) {
            err_set(&s->why, -raw_errno,
                    "no %s: raw socket: %s (CAP_NET_RAW), datagram socket: %s "
                    "(net.ipv4.ping_group_range)",
                    family == AF_INET ? "ICMP" : "ICMPv6", strerror(raw_errno), strerror(errno));
            return;
        }
    }
    if (icmp_only_replies(s, family) < 0) {
        err_set(&s->why, -errno, "ICMP filter: %s", strerror(errno));
        close(s->fd);
        s->fd = -1;
        return;
    }
    (void)setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer); /* as far as allowed */
}

static void icmp_listen(struct icmp *i, struct icmp_socket *s, uv_loop_t *loop)
{
    if (s->fd < 0)
        return;
    CHECK(uv_poll_init(loop, &s->poll, s->fd) == 0);
    s->poll.data = i;
    CHECK(uv_poll_start(&s->poll, UV_READABLE, icmp_on_poll) == 0);
    closer_add(&i->closer);
}

int icmp_start(struct icmp *i, uv_loop_t *loop,
               void (*on_reply)(void *owner, unsigned id, int64_t rtt_us), void *owner,
               struct err *e)
{
    uint16_t random[2];

    *i = (struct icmp){.on_reply = on_reply, .owner = owner};
    i->closer.owner = i;
    if (getrandom(random, sizeof random, GRND_NONBLOCK) != sizeof random) {
        random[0] = (uint16_t)getpid();
        random[1] = (uint16_t)icmp_now_us();
    }
    i->ident = random[0];
    i->seq = random[1];
    icmp_open(&i->v4, AF_INET);
    icmp_open(&i->v6, AF_INET6);
    if (i->v4.fd < 0 && i->v6.fd < 0) {
        *e = i->v4.why;
        return e->code;
    }
    icmp_listen(i, &i->v4, loop);
    icmp_listen(i, &i->v6, loop);
    return 0;
}

static void icmp_on_closed(struct closer *c)
{
    struct icmp *i = c->owner;

    if (i->done)
        i->done(i);
}

static void icmp_socket_stop(struct icmp *i, struct icmp_socket *s)
{
    if (s->fd < 0)
        return;
    uv_poll_stop(&s->poll);
    close(s->fd);
    s->fd = -1;
    closer_handle(&i->closer, (uv_handle_t *)&s->poll);
}

void icmp_stop(struct icmp *i, void (*done)(struct icmp *i))
{
    i->done = done;
    icmp_socket_stop(i, &i->v4);
    icmp_socket_stop(i, &i->v6);
    closer_end(&i->closer, icmp_on_closed);
}
