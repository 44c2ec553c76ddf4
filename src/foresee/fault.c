/* SPDX-License-Identifier: GPL-2.0-or-later
 * The words of faults. One row of the table for each; a row's `args` is a pattern:
 *   h host   o host or `monitor`, may be left out   d duration   c check   r result   t text, may
 * be left out   s a server's trait   u up|down   f full|room   k ok|failed   b reboot or duration
 *   m mode   v move-role's   i set-ip's
 */
#include "foresee/fault.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_LEN = 400 };

static const struct fault_row {
    const char *name, *args;
    enum fault_kind kind;
    int verb; /* FAULT_COMMAND */
    const char *takes, *does;
} rows[] = {
    {"kill", "h", FAULT_KILL, -1, "HOST", "its mysqld dies"},
    {"start", "h", FAULT_START, -1, "HOST", "its mysqld is started; a host that is off boots"},
    {"hang", "h", FAULT_HANG, -1, "HOST", "its mysqld stops answering"},
    {"resume", "h", FAULT_RESUME, -1, "HOST", "what hung or was frozen there goes on"},
    {"cut", "ho", FAULT_CUT, -1, "HOST [HOST|monitor]", "its network, or between the two"},
    {"heal", "ho", FAULT_HEAL, -1, "HOST [HOST|monitor]",
     "ends cut, lag, break-replication, obstruct"},
    {"lag", "hd", FAULT_LAG, -1, "HOST DURATION", "its applier stays that far behind"},
    {"break-replication", "h", FAULT_BREAK, -1, "HOST", "its applier stops with an error"},
    {"server", "hs", FAULT_TRAIT, -1,
     "HOST plain|no-log-bin|no-log-updates|filters|delayed|applier-stopped|semi-sync",
     "from now on it is set up like that"},
    {"obstruct", "h", FAULT_OBSTRUCT, -1, "HOST", "something there is in the way of a move"},
    {"disk", "hf", FAULT_DISK, -1, "HOST full|room", "the disk with its binary log: commits wait"},
    {"unreadable", "h", FAULT_UNREADABLE, -1, "HOST", "nobody can read its binary log (encrypted)"},
    {"purged", "h", FAULT_PURGED, -1, "HOST", "what it has now is purged from its binary log"},
    {"extra", "h", FAULT_EXTRA, -1, "HOST", "it gets a transaction that nobody receives from it"},
    {"write", "h", FAULT_WRITE, -1, "HOST", "it gets a transaction, which is replicated"},
    {"rebuild", "h", FAULT_REBUILD, -1, "HOST", "it gets a copy of the writer's data"},
    {"crash", "h", FAULT_CRASH, -1, "HOST", "the whole host is off at once"},
    {"stop-agent", "h", FAULT_STOP_AGENT, -1, "HOST", "its agent dies"},
    {"freeze-agent", "h", FAULT_FREEZE_AGENT, -1, "HOST", "its agent stops running (SIGSTOP)"},
    {"start-agent", "h", FAULT_START_AGENT, -1, "HOST", "its agent is started, or goes on"},
    {"stop-monitor", "", FAULT_STOP_MONITOR, -1, "", "the monitor dies"},
    {"start-monitor", "", FAULT_START_MONITOR, -1, "", "it is started again, with its state"},
    {"uptime", "hb", FAULT_UPTIME, -1, "HOST reboot|DURATION", "its machine says it is up so long"},
    {"check", "hcrt", FAULT_CHECK, -1, "HOST CHECK ok|error|unknown|true [TEXT]",
     "from now on the check says this; true: what is so"},
    {"network", "u", FAULT_NETWORK, -1, "up|down", "the monitor's own network (ping_ips)"},
    {"killed", "hkt", FAULT_KILLED, -1, "HOST ok|failed [TEXT]", "kill_host ended"},
    {"mode", "m", FAULT_COMMAND, VERB_MODE, "active|manual|passive|wait", "as hamm ctl"},
    {"set-online", "h", FAULT_COMMAND, VERB_SET_ONLINE, "HOST", "as hamm ctl"},
    {"set-offline", "h", FAULT_COMMAND, VERB_SET_OFFLINE, "HOST", "as hamm ctl"},
    {"move-role", "v", FAULT_COMMAND, VERB_MOVE_ROLE,
     "[--force [--lost OLD] [--accept-loss OLD]] ROLE HOST", "as hamm ctl"},
    {"set-ip", "i", FAULT_COMMAND, VERB_SET_IP, "IP|ROLE HOST",
     "as hamm ctl; an exclusive role goes by its name"},
    {"wait", "d", FAULT_WAIT, -1, "DURATION", "nothing happens for so long"},
};

struct parse {
    const struct engine_conf *conf;
    struct err *e;
    const char *const *word;
    unsigned n, i; /* words of this fault; the next one */
    const struct fault_row *row;
    struct fault *f;
};

const char *fault_name(unsigned row, const char **takes, const char **does)
{
    if (row >= ARRAY_LEN(rows))
        return NULL;
    *takes = rows[row].takes;
    *does = rows[row].does;
    return rows[row].name;
}

static void list_add(char *list, const char *name)
{
    size_t n = strlen(list);

    snprintf(list + n, LIST_LEN - n, "%s%s", n ? ", " : "", name);
}

static int bad(struct parse *p, const char *what, const char *word, const char *list)
{
    return err_set(p->e, -EINVAL, "%s \"%.64s\": there are %s", what, word, list);
}

static int usage(struct parse *p)
{
    return err_set(p->e, -EINVAL, "usage: %s %s", p->row->name, p->row->takes);
}

static bool same(const char *a, const char *b) /* a dash and an underscore are the same */
{
    for (; *a && *b; a++, b++)
        if (*a != *b && !((*a == '_' && *b == '-') || (*a == '-' && *b == '_')))
            return false;
    return *a == *b;
}

int64_t fault_duration(const char *word)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"", 1000}, {"m", 60000}, {"h", 3600000}};
    char *end;
    unsigned long long n;

    if (*word < '0' || *word > '9')
        return -1;
    n = strtoull(word, &end, 10);
    if (n > 1000000)
        return -1;
    for (unsigned i = 0; i < ARRAY_LEN(units); i++)
        if (strcmp(end, units[i].unit) == 0)
            return (int64_t)n * units[i].ms;
    return -1;
}

static int choice(struct parse *p, const char *what, const char *word, const char *const *of,
                  unsigned n)
{
    char list[LIST_LEN] = "";

    for (unsigned i = 0; i < n; i++) {
        if (same(word, of[i]))
            return (int)i;
        list_add(list, of[i]);
    }
    return bad(p, what, word, list);
}

static int host_of(struct parse *p, const char *word, bool monitor)
{
    const struct names *names = &p->conf->names;
    char list[LIST_LEN] = "";

    for (unsigned h = 0; h < names->hosts; h++) {
        if (strcmp(word, names->host[h]) == 0)
            return (int)h;
        list_add(list, names->host[h]);
    }
    if (monitor && strcmp(word, "monitor") == 0)
        return FAULT_MONITOR;
    if (monitor)
        list_add(list, "monitor");
    return bad(p, "unknown host", word, list);
}

static int role_of(struct parse *p, const char *word)
{
    char list[LIST_LEN] = "";

    for (unsigned r = 0; r < p->conf->roles; r++) {
        if (strcmp(word, p->conf->role[r].name) == 0)
            return (int)r;
        list_add(list, p->conf->role[r].name);
    }
    return bad(p, "unknown role", word, list);
}

/* An address of a balanced role is in its slot's name; an exclusive role is one slot. */
static int slot_of(struct parse *p, const char *word)
{
    const struct names *names = &p->conf->names;
    size_t len = strcspn(word, "/");
    char list[LIST_LEN] = "";

    for (unsigned s = 0; s < names->slots; s++) {
        const char *ip = strchr(names->slot[s], '/');

        if (strcmp(word, names->slot[s]) == 0 ||
            (ip && strlen(ip + 1) == len && strncmp(ip + 1, word, len) == 0))
            return (int)s;
        list_add(list, names->slot[s]);
    }
    return bad(p, "unknown address", word, list);
}

static const char *next(struct parse *p)
{
    return p->i < p->n ? p->word[p->i++] : NULL;
}

static int move_role(struct parse *p)
{
    struct engine_command *c = &p->f->command;
    const char *w;
    int at;

    for (w = next(p); w && w[0] == '-'; w = next(p)) {
        if (strcmp(w, "--force") == 0) {
            c->force = true;
        } else if (strcmp(w, "--lost") == 0 || strcmp(w, "--accept-loss") == 0) {
            bool lost = strcmp(w, "--lost") == 0;

            w = next(p);
            if (!w)
                return usage(p);
            at = host_of(p, w, false);
            if (at < 0)
                return at;
            if (lost)
                c->lost = at;
            else
                c->accept_loss = 1ull << at;
        } else {
            return usage(p);
        }
    }
    if (!w)
        return usage(p);
    c->role = role_of(p, w);
    w = next(p);
    if (c->role < 0 || !w)
        return c->role < 0 ? c->role : usage(p);
    c->host = host_of(p, w, false);
    if (c->host < 0)
        return c->host;
    if (next(p))
        return usage(p);
    if ((c->lost >= 0 || c->accept_loss) && !c->force)
        return err_set(p->e, -EINVAL, "--lost and --accept-loss go with --force only");
    return 0;
}

static int duration_of(struct parse *p, const char *word)
{
    p->f->ms = fault_duration(word);
    return p->f->ms < 0
               ? err_set(p->e, -EINVAL, "\"%.64s\" is no duration: write 500ms, 2s, 5m or 1h", word)
               : 0;
}

/* One word by its letter in the row's pattern. */
static int argument(struct parse *p, char kind, const char *word)
{
    static const char *const results[] = {"ok", "error", "unknown", "true"};
    static const char *const traits[SERVER_TRAIT_N] = {"plain",    "no-log-bin", "no-log-updates",
                                                       "filters",  "delayed",    "applier-stopped",
                                                       "semi-sync"};
    static const char *const network[] = {"down", "up"}, *const killed[] = {"failed", "ok"};
    static const char *const disk[] = {"room", "full"};
    struct fault *f = p->f;
    int at = 0;

    switch (kind) {
    case 'h':
        at = f->host = f->command.host = host_of(p, word, false);
        break;
    case 'o':
        at = f->other = host_of(p, word, true);
        if (at == FAULT_MONITOR)
            return 0;
        if (at >= 0 && at == f->host)
            return err_set(p->e, -EINVAL, "%.64s twice: between which two hosts?", word);
        break;
    case 'd':
        return duration_of(p, word);
    case 'b':
        return strcmp(word, "reboot") == 0 ? 0 : duration_of(p, word);
    case 'c':
        at = choice(p, "unknown check", word, check_names, CK_N);
        f->check = at < 0 ? CK_PING : (enum check)at;
        break;
    case 'r':
        at = choice(p, "unknown result", word, results, ARRAY_LEN(results));
        f->on = at != 3;
        f->result = at == 3 || at < 0 ? RESULT_OK : (enum result)at;
        break;
    case 's':
        at = choice(p, "unknown word", word, traits, ARRAY_LEN(traits));
        f->trait = at < 0 ? SERVER_PLAIN : (enum server_trait)at;
        break;
    case 'u':
        at = choice(p, "unknown word", word, network, 2);
        f->on = at == 1;
        break;
    case 'f':
        at = choice(p, "unknown word", word, disk, 2);
        f->on = at == 1;
        break;
    case 'k':
        at = choice(p, "unknown word", word, killed, 2);
        f->on = at == 1;
        break;
    case 't':
        snprintf(f->text, sizeof f->text, "%s", word);
        break;
    case 'm':
        at = choice(p, "unknown mode", word, mode_names, MODE_N);
        f->command.mode = at < 0 ? MODE_ACTIVE : (enum mode)at;
        break;
    default:
        CHECK(kind == 'i');
        at = f->command.slot = slot_of(p, word);
    }
    return at < 0 ? at : 0;
}

static void said_add(struct fault *f, const char *word)
{
    size_t n = strlen(f->said);

    snprintf(f->said + n, sizeof f->said - n, strchr(word, ' ') ? "%s\"%s\"" : "%s%s", n ? " " : "",
             word);
}

static int one(struct parse *p, struct fault *f)
{
    const char *args;
    char list[LIST_LEN] = "";

    p->f = f;
    p->row = NULL;
    p->i = 1;
    for (unsigned r = 0; r < ARRAY_LEN(rows); r++) {
        list_add(list, rows[r].name);
        if (same(p->word[0], rows[r].name))
            p->row = &rows[r];
    }
    if (!p->row)
        return bad(p, "unknown word", p->word[0], list);
    f->kind = p->row->kind;
    f->host = f->other = -1;
    f->command = (struct engine_command){.host = -1, .role = -1, .slot = -1, .lost = -1};
    if (f->kind == FAULT_COMMAND)
        f->command.verb = (enum verb)p->row->verb;
    for (unsigned i = 0; i < p->n; i++)
        said_add(f, p->word[i]);
    args = p->row->args[0] == 'i' ? "ih" : p->row->args;
    if (*args == 'v')
        return move_role(p);
    for (; *args; args++) {
        const char *w = next(p);

        if (!w && (*args == 'o' || *args == 't'))
            continue;
        if (!w)
            return usage(p);
        if (argument(p, *args, w) < 0)
            return p->e->code;
    }
    return next(p) ? usage(p) : 0;
}

/* The words after `then`: [after] [DURATION]. Returns how many these are. */
static unsigned pause_of(const char *const *word, unsigned n, int64_t *ms)
{
    unsigned i = n && strcmp(word[0], "after") == 0;

    *ms = 0;
    if (i < n && fault_duration(word[i]) >= 0)
        *ms = fault_duration(word[i++]);
    return i;
}

int faults_parse(struct faults *out, const struct engine_conf *conf, unsigned n,
                 const char *const *word, struct err *e)
{
    unsigned from = 0, end, before = out->n;

    while (from < n || n == 0) {
        struct parse p = {.conf = conf, .e = e};
        struct fault f = {0};
        int64_t after;

        from += pause_of(word + from, n - from, &after);
        for (end = from; end < n && strcmp(word[end], "then") != 0; end++)
            ;
        if (end == from || end + 1 == n) {
            out->n = before;
            return err_set(e, -EINVAL, "what shall happen%s? kill db1, for one",
                           from ? " then" : "");
        }
        p.word = word + from;
        p.n = end - from;
        if (one(&p, &f) < 0 || out->n == FAULTS_MAX) {
            out->n = before;
            return e->code ? e->code : err_set(e, -E2BIG, "at most %d of them", FAULTS_MAX);
        }
        f.after_ms = after;
        out->at[out->n++] = f;
        if (f.kind == FAULT_WAIT) /* the next one comes that much later */
            out->at[out->n - 1].after_ms += f.ms;
        from = end + (end < n);
    }
    return 0;
}

int fault_split(char *text, const char **word, unsigned max)
{
    unsigned n = 0;
    char *at = text;

    for (;;) {
        at += strspn(at, " \t\r\n");
        if (!*at)
            return (int)n;
        if (n == max)
            return -1;
        if (*at == '"') {
            word[n++] = ++at;
            at = strchr(at, '"');
            if (!at)
                return -1;
        } else {
            word[n++] = at;
            at += strcspn(at, " \t\r\n");
            if (!*at)
                return (int)n;
        }
        *at++ = 0;
    }
}
