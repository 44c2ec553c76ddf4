/* SPDX-License-Identifier: GPL-2.0-or-later
 * Before anything starts: which of the configured hosts this machine is, and whether this process
 * may do what an agent does. */
#include "agent/agentd.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { HOSTS_TEXT_MAX = 400 };

struct search {
    const struct conf *conf;
    unsigned found; /* CONF_NONE so far */
    unsigned n;
    struct buf local;
};

static void hosts_on_addr(void *ctx, const struct rtnl_addr *a)
{
    struct search *s = ctx;
    char text[IP_TEXT_MAX];

    buf_addf(&s->local, "%s%s", s->local.len ? ", " : "", ip_text(&a->ip, text));
    for (unsigned i = 0; i < s->conf->n_hosts; i++) {
        struct ip ip = ip_make(s->conf->hosts[i].address.family, s->conf->hosts[i].address.at);

        if (!ip_same(&ip, &a->ip) || s->found == i)
            continue;
        s->found = i;
        s->n++;
    }
}

static void hosts_write(const struct conf *c, struct buf *to)
{
    for (size_t i = 0; i < c->n_hosts; i++)
        buf_addf(to, "%s%s %s", i ? ", " : "", c->hosts[i].name, c->hosts[i].address.text);
}

static int hosts_by_name(const struct conf *c, const char *name, unsigned *self, struct err *e)
{
    auto_buf known = BUF(HOSTS_TEXT_MAX);
    unsigned i = conf_host_find(c, name);

    if (i == CONF_NONE) {
        hosts_write(c, &known);
        return err_set(e, -ENOENT, "--host %s: %s names no such host; it has %s", name, c->path,
                       known.len ? known.at : "none");
    }
    *self = i;
    return 0;
}

int agentd_host_find(const struct conf *c, const char *name, unsigned *self, struct err *e)
{
    auto_buf known = BUF(HOSTS_TEXT_MAX);
    struct search s = {.conf = c, .found = CONF_NONE, .local = BUF(HOSTS_TEXT_MAX)};
    struct rtnl r;
    int rc;

    if (name)
        return hosts_by_name(c, name, self, e);
    if (rtnl_open(&r, e) < 0)
        return e->code;
    rc = rtnl_list(&r, hosts_on_addr, &s, e);
    rtnl_close(&r);
    hosts_write(c, &known);
    if (rc < 0)
        err_wrap(e, "which host is this");
    else if (s.n == 1)
        *self = s.found;
    else if (s.n == 0)
        rc = err_set(e, -ENOENT,
                     "none of this machine's addresses (%.200s) is one of a host in %s (%.200s); "
                     "say which it is with --host NAME",
                     s.local.len ? s.local.at : "none", c->path, known.len ? known.at : "none");
    else
        rc = err_set(e, -ENOTUNIQ,
                     "this machine has the addresses of %u hosts (%.200s); say which it is with "
                     "--host NAME",
                     s.n, known.len ? known.at : "none");
    buf_free(&s.local);
    return rc;
}

static bool hosts_capable(const struct __user_cap_data_struct *caps, unsigned cap)
{
    return caps[cap / 32].effective >> cap % 32 & 1;
}

int agentd_may_run(struct err *e)
{
    static const struct {
        unsigned cap;
        const char *name, *what;
    } needed[] = {
        {CAP_NET_ADMIN, "CAP_NET_ADMIN", "to set addresses and the gate"},
        {CAP_NET_RAW, "CAP_NET_RAW", "to announce addresses"},
    };
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3] = {0};

    if (syscall(SYS_capget, &head, caps) < 0)
        return err_set(e, -errno, "read this process's capabilities: %s", strerror(errno));
    for (unsigned i = 0; i < ARRAY_LEN(needed); i++)
        if (!hosts_capable(caps, needed[i].cap))
            return err_set(e, -EPERM,
                           "%s is missing (needed %s): run as root, or set "
                           "AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW CAP_KILL in the unit, or "
                           "--cap-add NET_ADMIN --cap-add NET_RAW for a container",
                           needed[i].name, needed[i].what);
    return 0;
}
