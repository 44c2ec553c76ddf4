/* SPDX-License-Identifier: GPL-2.0-or-later
 * Scenario files: the drawn configuration, then one line for each fault:
 *
 *   12.340 cut mon1 db1 for 2.500          seconds; `with N` where the fault
 * has a number of its own
 *
 * What is written is read again to the same bits. */
#include "sim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const fault_words[F_KIND_N] = {
    [F_KILL_AGENT] = "kill-agent",
    [F_FREEZE_AGENT] = "freeze-agent",
    [F_KILL_MONITOR] = "kill-monitor",
    [F_FREEZE_MONITOR] = "freeze-monitor",
    [F_WIPE_MONITOR] = "wipe-monitor",
    [F_OLD_JOURNAL] = "old-journal",
    [F_REBOOT] = "machine-off",
    [F_KILL_MYSQLD] = "kill-mysqld",
    [F_HANG_MYSQLD] = "hang-mysqld",
    [F_CUT_BOTH] = "cut",
    [F_CUT_ONE] = "cut-one-way",
    [F_ISOLATE] = "isolate",
    [F_BREAK] = "break",
    [F_SLOW] = "slow",
    [F_LAG] = "lag",
    [F_JOBS] = "bad-jobs",
    [F_GATE] = "bad-gate",
    [F_STALL] = "stall",
    [F_DISK] = "stall-disk",
    [F_MOVE] = "move-role",
    [F_FORCE] = "force",
    [F_LOST] = "force-lost",
    [F_SET_IP] = "set-ip",
    [F_MODE] = "mode",
    [F_OFFLINE] = "set-offline",
    [F_REMOVED] = "address-removed",
    [F_FOREIGN] = "address-foreign",
    [F_JUMP] = "clock-jump",
    [F_PAUSE] = "pause-machine",
    [F_NETWORK] = "network-down",
    [F_SECOND_MONITOR] = "second-monitor",
    [F_TAKE_OVER] = "take-over",
    [F_FULL] = "full-disk",
};
static const char *const kind_words[KIND_N] = {"mixed", "monitor", "agent", "planned", "partner",
                                               "dead",  "storm",   "crash", "full"};
static const char *const gate_words[] = {"nft", "lifetime"};
static const char *const loss_words[] = {"promise", "keep", "fence"};

static int word_find(const char *word, const char *const *words, int n)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(word, words[i]))
            return i;
    return -1;
}

/* Seconds, to the microsecond where that is needed. */
static void time_write(int64_t us, char to[32])
{
    if (us % MS)
        snprintf(to, 32, "%" PRId64 ".%06" PRId64, us / SECOND, us % SECOND);
    else
        snprintf(to, 32, "%" PRId64 ".%03" PRId64, us / SECOND, us % SECOND / MS);
}

static bool time_read(const char *text, int64_t *us)
{
    char *end;
    int64_t whole = strtoll(text, &end, 10), part = 0, unit = SECOND;

    if (end == text)
        return false;
    if (*end == '.')
        for (end++; *end >= '0' && *end <= '9' && unit > 1; end++) {
            unit /= 10;
            part += (*end - '0') * unit;
        }
    *us = whole * SECOND + part;
    return !*end;
}

void fault_write(const struct fault *f, char *to, size_t size)
{
    char at[32], len[32];
    int n;

    time_write(f->at, at);
    time_write(f->len, len);
    n = snprintf(to, size, "%s %s %s %s for %s", at, fault_words[f->kind], proc_name(f->a),
                 proc_name(f->b), f->len >= NEVER_ENDS ? "ever" : len);
    if (f->arg && n > 0 && (size_t)n < size)
        snprintf(to + n, size - (size_t)n, " with %" PRId64, f->arg);
}

void scenario_write(const struct scenario *c, FILE *to)
{
    char text[160];

    fprintf(to, "# test_sim --scenario FILE; drawn by seed %" PRIu64 "\n", c->seed);
    fprintf(to, "seed %" PRIu64 "\nnet %" PRIu64 "\nkind %s\nhosts %u\ncandidates %u\n", c->seed,
            c->net, kind_words[c->kind], c->hosts, c->candidates);
    fprintf(to, "monitors %u\nslots %u\nlease %" PRId64 "\ncheck %" PRId64 "\nfacts %" PRId64 "\n",
            c->mons, c->slots, c->lease_ms, c->check_ms, c->facts_ms);
    fprintf(to,
            "write %" PRId64 "\ngate %s\nloss %s\nprefer %d\nmysql %d\nkill_host %d\n"
            "never %d\n",
            c->write_ms, gate_words[c->gate], loss_words[c->loss], c->prefer, c->mysql,
            c->kill_host, c->never);
    for (int i = 0; i < PROCS; i++)
        if (c->ppm[i])
            fprintf(to, "rate %s %d\n", proc_name(i), c->ppm[i]);
    for (unsigned i = 0; i < c->faults; i++) {
        fault_write(&c->fault[i], text, sizeof text);
        fprintf(to, "%s\n", text);
    }
}

/* ---- reading ---- */

static int proc_read(const char *name)
{
    for (int i = 0; i < PROCS; i++)
        if (!strcmp(name, proc_name(i)))
            return i;
    return !strcmp(name, "-") ? -1 : -2;
}

/* Hosts where a host is meant, monitors where a monitor is. */
static bool fault_fits(const struct fault *f)
{
    bool host = f->a >= 0 && f->a < HOSTS, mon = f->a >= HOSTS;

    switch (f->kind) {
    case F_KILL_MONITOR:
    case F_FREEZE_MONITOR:
    case F_WIPE_MONITOR:
    case F_OLD_JOURNAL:
    case F_NETWORK:
    case F_SECOND_MONITOR:
    case F_TAKE_OVER:
        return mon;
    case F_CUT_BOTH:
    case F_CUT_ONE:
    case F_SLOW:
        return f->a >= 0 && f->b >= 0 && f->a != f->b;
    case F_BREAK:
        return host && f->b >= 0 && f->a != f->b;
    case F_ISOLATE:
    case F_DISK:
    case F_PAUSE:
        return f->a >= 0;
    case F_REBOOT:
    case F_KILL_MYSQLD:
    case F_FULL:
        return f->a < HOSTS;
    case F_LOST:
        return host && f->b >= 0 && f->b < HOSTS;
    case F_MODE:
        return f->arg >= 0 && f->arg < MODE_N;
    case F_SET_IP:
    case F_REMOVED:
    case F_FOREIGN:
        return host && f->arg >= 0 && f->arg < SLOTS;
    default:
        return host;
    }
}

static bool fault_read(const char *line, struct fault *f)
{
    char at[32], word[32], a[32], b[32], len[32], with[32] = "";
    int n, used = 0;

    n = sscanf(line, "%31s %31s %31s %31s for %31s%n", at, word, a, b, len, &used);
    if (n != 5)
        return false;
    memset(f, 0, sizeof *f);
    f->kind = (enum fault_kind)word_find(word, fault_words, F_KIND_N);
    f->a = proc_read(a);
    f->b = proc_read(b);
    f->len = NEVER_ENDS;
    if (sscanf(line + used, " with %31s", with) == 1)
        f->arg = strtoll(with, NULL, 10);
    return (int)f->kind >= 0 && f->a > -2 && f->b > -2 && time_read(at, &f->at) &&
           (!strcmp(len, "ever") || time_read(len, &f->len)) && fault_fits(f);
}

static bool setting_read(struct scenario *c, const char *key, const char *value, const char *second)
{
    long long n = strtoll(value, NULL, 10);
    struct {
        const char *key;
        unsigned *to;
        unsigned lo, hi;
    } counts[] = {{"hosts", &c->hosts, 2, HOSTS},
                  {"candidates", &c->candidates, 2, HOSTS},
                  {"monitors", &c->mons, 1, MONS},
                  {"slots", &c->slots, 1, SLOTS}};
    struct {
        const char *key;
        int64_t *to;
    } times[] = {{"lease", &c->lease_ms},
                 {"check", &c->check_ms},
                 {"facts", &c->facts_ms},
                 {"write", &c->write_ms}};
    struct {
        const char *key;
        bool *to;
    } flags[] = {{"prefer", &c->prefer},
                 {"mysql", &c->mysql},
                 {"kill_host", &c->kill_host},
                 {"never", &c->never}};
    int word;

    for (unsigned i = 0; i < ARRAY_LEN(counts); i++)
        if (!strcmp(key, counts[i].key)) {
            *counts[i].to = (unsigned)n;
            return n >= counts[i].lo && n <= counts[i].hi;
        }
    for (unsigned i = 0; i < ARRAY_LEN(times); i++)
        if (!strcmp(key, times[i].key)) {
            *times[i].to = n;
            return n >= 10 && n < 3600 * 1000;
        }
    for (unsigned i = 0; i < ARRAY_LEN(flags); i++)
        if (!strcmp(key, flags[i].key)) {
            *flags[i].to = n;
            return true;
        }
    if (!strcmp(key, "seed") || !strcmp(key, "net")) {
        *(key[0] == 's' ? &c->seed : &c->net) = strtoull(value, NULL, 10);
        return true;
    }
    if (!strcmp(key, "rate") && (word = proc_read(value)) >= 0) {
        c->ppm[word] = atoi(second);
        return abs(c->ppm[word]) <= 10000;
    }
    if (!strcmp(key, "kind") && (word = word_find(value, kind_words, KIND_N)) >= 0)
        c->kind = (enum kind)word;
    else if (!strcmp(key, "gate") && (word = word_find(value, gate_words, 2)) >= 0)
        c->gate = (enum gate_kind)word;
    else if (!strcmp(key, "loss") && (word = word_find(value, loss_words, 3)) >= 0)
        c->loss = (enum sim_loss)word;
    else
        return false;
    return true;
}

bool scenario_read(struct scenario *c, const char *path)
{
    FILE *from = fopen(path, "r");
    char line[256], key[32], value[64], second[32];
    unsigned n = 0;
    bool ok = from;

    memset(c, 0, sizeof *c);
    while (ok && fgets(line, sizeof line, from)) {
        n++;
        if (line[0] == '#' || line[0] == '\n')
            continue;
        second[0] = value[0] = 0;
        if (line[0] >= '0' && line[0] <= '9')
            ok = c->faults < FAULTS_MAX && fault_read(line, &c->fault[c->faults++]);
        else
            ok = sscanf(line, "%31s %63s %31s", key, value, second) >= 2 &&
                 setting_read(c, key, value, second);
    }
    if (from)
        fclose(from);
    ok = ok && c->hosts && c->candidates <= c->hosts && c->mons && c->slots && c->lease_ms &&
         c->check_ms && c->facts_ms && c->write_ms;
    if (!ok)
        fprintf(stderr, "%s:%u: not a scenario\n", path, n);
    return ok;
}
