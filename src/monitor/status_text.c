/* SPDX-License-Identifier: GPL-2.0-or-later
 * What scripts written for MMM read: its `show` and `checks`, byte for byte. */
#include "base/buf.h"
#include "monitor/status_internal.h"
#include "proto/codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TEXT_MAX = 512 * 1024, ROLE_TEXT = NAME_LEN + ADDR_LEN + 2 };

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Every line of it a remark. */
static void remark(struct buf *b, const char *text)
{
    buf_addf(b, "# ");
    for (; *text; text++) {
        buf_add(b, text, 1);
        if (*text == '\n')
            buf_addf(b, "# ");
    }
    buf_addf(b, "\n");
}

static void show_passive(struct buf *b, const struct engine *e)
{
    char cause[sizeof e->passive_why + 40] = "Cause: ";

    if (e->reign == REIGN_YES && e->mode != MODE_PASSIVE)
        return;
    remark(b, "--- Monitor is in PASSIVE MODE ---");
    strcat(cause,
           *engine_why_passive(e) ? engine_why_passive(e) : "Admin switched to passive mode.");
    msg_clean_text(cause);
    remark(b, cause);
}

/* MMM sorts roles as text. */
static void show_roles(struct buf *b, const struct engine *e, const struct status_conf *s, int host)
{
    unsigned n = 0, most = 0;
    char(*text)[ROLE_TEXT], ip[ADDR_LEN];

    for (unsigned i = 0; i < e->conf.names.slots; i++)
        most += status_holder(e, (int)i) == host ? s->slot[i].n : 0;
    text = calloc(most ? most : 1, sizeof *text);
    if (!text) {
        b->full = true;
        return;
    }
    for (unsigned i = 0; i < e->conf.names.slots; i++)
        for (unsigned k = 0; status_holder(e, (int)i) == host && k < s->slot[i].n; k++)
            snprintf(text[n++], ROLE_TEXT, "%s(%s)", e->conf.role[e->conf.slot_role[i]].name,
                     status_ip(ip, s->slot[i].ip[k]));
    qsort(text, n, sizeof *text, compare);
    for (unsigned i = 0; i < n; i++)
        buf_addf(b, "%s%s", i ? ", " : "", text[i]);
    free(text);
}

static void show_preferences(struct buf *b, const struct engine *e)
{
    for (unsigned s = 0; s < e->conf.names.slots; s++) {
        int r = e->conf.slot_role[s], holder;
        const char *role = e->conf.role[r].name, *host;
        if (!e->conf.role[r].exclusive || e->conf.role[r].prefer < 0)
            continue;
        host = e->conf.names.host[e->conf.role[r].prefer];
        holder = status_holder(e, (int)s);
        if (holder == e->conf.role[r].prefer)
            buf_addf(b, "# Role %s is assigned to it's preferred host %s.\n", role, host);
        else if (holder >= 0)
            buf_addf(b,
                     "# Role %s has %s configured as it's preferred host but is assigned to %s at "
                     "the moment.\n",
                     role, host, e->conf.names.host[holder]);
        else
            buf_addf(b, "# Role %s has %s configured as it's preferred host.\n", role, host);
    }
}

static void hosts_by_name(const struct engine *e, int sorted[HOSTS_MAX])
{
    for (int i = 0; i < (int)e->conf.names.hosts; i++) {
        int at = i;
        for (; at > 0 && strcmp(e->conf.names.host[sorted[at - 1]], e->conf.names.host[i]) > 0;
             at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = i;
    }
}

char *status_show(const struct engine *e, const struct status_conf *s)
{
    struct buf b = BUF(TEXT_MAX);
    int sorted[HOSTS_MAX];
    unsigned n = e->conf.names.hosts;

    hosts_by_name(e, sorted);
    show_passive(&b, e);
    for (unsigned i = 0; i < n; i++)
        if (!e->host[sorted[i]].linked)
            buf_addf(&b, "# Warning: agent on host %s is not reachable\n",
                     e->conf.names.host[sorted[i]]);
    for (unsigned i = 0; i < n; i++) {
        int h = sorted[i];
        buf_addf(&b, "  %s(%s) %s/%s. Roles: ", e->conf.names.host[h], s->address[h],
                 e->conf.host[h].master ? "master" : "slave", host_state_names[e->host[h].state]);
        show_roles(&b, e, s, h);
        buf_addf(&b, "\n");
    }
    show_preferences(&b, e);
    return buf_take(&b);
}

/* --- checks --------------------------------------------------------------------------------- */

static void check_line(struct buf *b, const struct engine *e, int host, int host_width, int check,
                       int check_width)
{
    const struct check_state *c = &e->host[host].check[check];
    time_t changed = (time_t)(c->changed_wall_ms / 1000);
    char when[32] = "never", message[sizeof c->message];
    struct tm tm;

    if (changed && localtime_r(&changed, &tm))
        strftime(when, sizeof when, "%Y/%m/%d %H:%M:%S", &tm);
    memccpy(message, c->message, 0, sizeof message);
    msg_clean_text(message);
    buf_addf(b, "%-*s  %-*s  [last change: %s]  %s", host_width, e->conf.names.host[host],
             check_width, check_names[check], when, message);
}

char *status_checks(const struct engine *e, int host, int check)
{
    struct buf b = BUF(TEXT_MAX);
    int width = 0;

    if (host >= 0 && check >= 0) {
        check_line(&b, e, host, 0, check, 0);
        return buf_take(&b);
    }
    for (int i = 0; host < 0 && i < (int)e->conf.names.hosts; i++)
        if (width < (int)strlen(e->conf.names.host[i]))
            width = (int)strlen(e->conf.names.host[i]);
    for (int i = 0; i < (int)e->conf.names.hosts; i++)
        for (int c = 0; c < CK_N; c++) {
            if ((host >= 0 && host != i) || (check >= 0 && check != c))
                continue;
            check_line(&b, e, i, width, c, check < 0 ? 11 : 0);
            buf_addf(&b, "\n");
        }
    return buf_take(&b);
}
