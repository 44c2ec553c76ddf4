/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/ctl.h"

#include "ctl/find.h"
#include "ctl/help.h"
#include "ctl/render.h"
#include "ctl/talk.h"
#include "net/peer.h"
#include "proto/command.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_UNREACHED, EXIT_FORBIDDEN };
enum {
    ANSWER_MAX = 8 * 1024 * 1024,
    WHAT_IF_MS = 60000,      /* a big cluster's story takes the monitor seconds to work out */
    MOVE_MORE_MS = 10000,    /* longer than the move's own budgets */
    MOVE_UNKNOWN_MS = 35000, /* their defaults, where no configuration says them */
};

struct ctl {
    const char *file, *cluster;
    bool json, mmm; /* mmm: started as mmm_control, whose errors are on stdout */
    struct msg_command command;
    struct command_args args;
    struct found found;
    struct net_tls *tls;
    struct talk_place place[TALK_PLACES_MAX];
    unsigned places;
    struct buf text; /* the answer */
    int code;
};

/* --- the command line ----------------------------------------------------------------------- */

static int bad_usage(const char *what, const char *word)
{
    fprintf(stderr, "hamm ctl: %s%s; see hamm ctl --help\n", what, word);
    return EXIT_USAGE;
}

static bool is_option(const char *word, const char *name, const char *other)
{
    return !strcmp(word, name) || !strcmp(word, other);
}

/* Our options stand before the command; --json anywhere. -1: go on. */
static int read_option(struct ctl *c, int argc, char **argv, int *i)
{
    const char *word = argv[*i];
    const char **value = is_option(word, "-c", "--config") ? &c->file
                         : !strcmp(word, "--cluster")      ? &c->cluster
                                                           : NULL;

    if (is_option(word, "-h", "--help")) {
        help_command(stdout, c->command.n ? c->command.word[0] : "");
        return EXIT_DONE;
    }
    if (!strcmp(word, "--version")) {
        printf("hamm %s\n", HAMM_VERSION);
        return EXIT_DONE;
    }
    if (*word == '@' && word[1]) {
        c->cluster = word + 1;
        return -1;
    }
    if (!value)
        return bad_usage("unknown option ", word);
    if (*value)
        return bad_usage("given twice: ", word);
    if (++*i == argc)
        return bad_usage("a value is missing after ", word);
    *value = argv[*i];
    return -1;
}

static int read_word(struct ctl *c, const char *word)
{
    if (c->command.n == WORDS_MAX || strlen(word) >= WORD_LEN)
        return bad_usage("too many or too long words: ", word);
    strcpy(c->command.word[c->command.n++], word);
    return -1;
}

static int read_line(struct ctl *c, int argc, char **argv)
{
    struct err e = {0};
    int rc = -1;

    for (int i = 1; i < argc && rc < 0; i++) {
        bool ours = !c->command.n && (argv[i][0] == '-' || argv[i][0] == '@');
        if (!strcmp(argv[i], "--json"))
            c->json = true;
        else if (ours || is_option(argv[i], "-h", "--help"))
            rc = read_option(c, argc, argv, &i);
        else
            rc = read_word(c, argv[i]);
    }
    if (rc >= 0)
        return rc;
    if (!c->command.n) {
        help_all(stderr);
        return bad_usage("a command is missing", "");
    }
    if (!strcmp(c->command.word[0], "help")) {
        help_all(stdout);
        return EXIT_DONE;
    }
    c->command.json = c->json;
    if (!command_parse(&c->args, &c->command, &e))
        return -1;
    fprintf(stderr, "hamm ctl: %s\n", e.msg);
    return EXIT_USAGE;
}

/* --- whom to ask ---------------------------------------------------------------------------- */

/* `wanted`: without a key there is nobody else to ask, say so. */
static int add_tls(struct ctl *c, bool wanted, struct err *e)
{
    struct conf_errors errs = {0};
    struct peer_keys keys = {0};
    struct conf *conf = NULL;
    int rc = conf_load_for(&conf, c->found.file, CONF_SECRET_KEY, &errs);

    if (rc < 0 && wanted)
        conf_errors_write(&errs, stderr);
    conf_errors_free(&errs);
    if (rc < 0)
        return err_set(e, geteuid() ? -EACCES : -EINVAL, "the cluster's key cannot be read");
    snprintf(keys.cluster, sizeof keys.cluster, "%s", conf->cluster);
    for (; keys.n < conf->n_keys && keys.n < TLS_KEYS_MAX; keys.n++)
        memcpy(keys.key[keys.n], conf->keys[keys.n], TLS_KEY_LEN);
    conf_free(conf);
    c->tls = tls_new(&keys, e);
    explicit_bzero(&keys, sizeof keys);
    return c->tls ? 0 : e->code;
}

static void monitor_place(struct ctl *c, const struct conf_monitor *m)
{
    struct talk_place *p = &c->place[c->places++];
    struct sockaddr_in *in = (struct sockaddr_in *)&p->at;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&p->at;

    p->tls = c->tls;
    p->at.ss_family = (sa_family_t)m->address.family;
    if (m->address.family == AF_INET) {
        in->sin_port = htons(m->port);
        memcpy(&in->sin_addr, m->address.at, sizeof in->sin_addr);
    } else {
        in6->sin6_port = htons(m->port);
        memcpy(&in6->sin6_addr, m->address.at, sizeof in6->sin6_addr);
    }
    snprintf(p->name, sizeof p->name, "%s (%s port %u)", m->name, m->address.text, m->port);
}

static int local_place(struct ctl *c, struct err *e)
{
    struct talk_place *p = &c->place[c->places];
    int rc = peer_unix_addr((struct sockaddr_un *)&p->at, c->found.socket, e);

    if (rc)
        return rc;
    snprintf(p->name, sizeof p->name, "%.200s", c->found.socket);
    c->places++;
    return 0;
}

/* The socket if it is there, then the monitors of the configuration. `why`: what is wrong with the
 * socket, for the sentence when nobody answers. */
static int find_places(struct ctl *c, char why[512], struct err *e)
{
    const struct conf *conf = c->found.conf;
    struct err unwanted;
    int rc = 0;

    *why = 0;
    if (!access(c->found.socket, R_OK | W_OK))
        rc = local_place(c, e);
    else if (errno == EACCES)
        rc = err_set(e, -EACCES,
                     "not authorised to use %.200s: be root (sudo), or in group hamm if there is "
                     "one",
                     c->found.socket);
    else
        snprintf(why, 512, "%.200s: %s", c->found.socket, strerror(errno));
    if (rc || !conf)
        return rc;
    rc = add_tls(c, !c->places, c->places ? &unwanted : e);
    if (rc)
        return c->places ? 0 : rc;
    for (size_t i = 0; i < conf->n_monitors && c->places < TALK_PLACES_MAX; i++)
        monitor_place(c, &conf->monitors[i]);
    return 0;
}

/* --- the answer ----------------------------------------------------------------------------- */

static bool streams(const struct ctl *c)
{
    return c->args.kind == COMMAND_EVENTS || (c->args.kind == COMMAND_MOVE_ROLE && !c->json);
}

static FILE *place_of(const struct ctl *c, int code)
{
    return code && !c->json && !c->mmm ? stderr : stdout;
}

static bool on_answer(void *owner, const struct msg_answer *a)
{
    struct ctl *c = owner;
    FILE *to = place_of(c, a->code);

    c->code = a->code;
    if (!streams(c)) {
        buf_addf(&c->text, "%s", a->text);
        return !c->text.full;
    }
    if (fputs(a->text, to) < 0 || fflush(to))
        return false; /* whoever read it is gone */
    if (c->args.kind != COMMAND_EVENTS && !a->more && *a->text)
        fputs("\n", to);
    return true;
}

static int print_status(struct ctl *c)
{
    enum render_health health;
    auto_buf page = BUF(ANSWER_MAX);
    bool colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
    struct err e = {0};

    if (render_status(&page, c->text.at, c->text.len, colour, &health, &e)) {
        fprintf(stderr, "hamm ctl: %s\n", e.msg);
        return EXIT_FAILED;
    }
    if (c->json)
        puts(c->text.at);
    else
        fputs(page.at, stdout);
    return c->args.exit_code ? (int)health : EXIT_DONE;
}

/* Answers that are words get an object of their own with --json. */
static void print_json(const struct ctl *c)
{
    const char *text = c->text.at ? c->text.at : "";
    json_t *o;

    if (!c->code && *text == '{') {
        puts(text);
        return;
    }
    o = json_pack("{s:i,s:s}", "code", c->code, "text", text);
    if (o)
        json_dumpf(o, stdout, JSON_COMPACT);
    json_decref(o);
    puts("");
}

static int print_answer(struct ctl *c)
{
    if (c->text.full) {
        fprintf(stderr, "hamm ctl: the answer is too long\n");
        return EXIT_FAILED;
    }
    if (streams(c))
        return c->code;
    if (c->args.kind == COMMAND_STATUS && !c->code && c->text.at)
        return print_status(c);
    if (c->json)
        print_json(c);
    else
        fprintf(place_of(c, c->code), "%s\n", c->text.at ? c->text.at : "");
    return c->code;
}

/* --- asking --------------------------------------------------------------------------------- */

static int64_t patience(const struct ctl *c)
{
    const struct conf *conf = c->found.conf;

    if (c->args.kind == COMMAND_WHAT_IF)
        return WHAT_IF_MS;
    if (c->args.kind != COMMAND_MOVE_ROLE)
        return 0;
    return MOVE_MORE_MS +
           (conf ? conf->failover.switchover_budget_ms + conf->failover.catch_up_timeout_ms
                 : MOVE_UNKNOWN_MS);
}

/* One line for each place that was tried; then what to do. */
static int unreached(const struct ctl *c, const char *why_not_local, const struct err *e)
{
    const char *cluster = *c->found.cluster ? c->found.cluster : "this cluster";

    fprintf(stderr, "hamm ctl: no monitor of cluster %s answered\n", cluster);
    if (*why_not_local)
        fprintf(stderr, "  %s\n", why_not_local);
    if (*e->msg)
        fprintf(stderr, "  %s\n", e->msg);
    if (!c->found.conf)
        fprintf(stderr,
                "Is `hamm monitor` running on this machine (systemctl status hamm-monitor@%s)? "
                "From\nanother one, name the configuration with -c FILE.\n",
                cluster);
    else
        fprintf(stderr,
                "Is `hamm monitor` running there (systemctl status hamm-monitor@%s)? Its log says "
                "why not.\n",
                cluster);
    return EXIT_UNREACHED;
}

static int ask(struct ctl *c)
{
    struct err e = {0};
    char why[512];
    int rc = find_places(c, why, &e);
    struct talk_with with = {.place = c->place,
                             .cluster = c->found.cluster,
                             .command = &c->command,
                             .patience_ms = patience(c),
                             .endless = c->args.follow,
                             .on_answer = on_answer,
                             .owner = c};

    if (rc) {
        fprintf(stderr, "hamm ctl: %s\n", e.msg);
        return rc == -EACCES ? EXIT_FORBIDDEN : EXIT_USAGE;
    }
    with.places = c->places;
    rc = talk(&with, &e);
    if (rc == -EHOSTUNREACH)
        return unreached(c, why, &e);
    if (rc) {
        fprintf(stderr, "hamm ctl: %s\n", e.msg);
        return EXIT_FAILED;
    }
    return print_answer(c);
}

int ctl_main(int argc, char **argv)
{
    struct ctl c = {.text = BUF(ANSWER_MAX)};
    const char *slash = argc ? strrchr(argv[0], '/') : NULL;
    struct find_where where = {.etc = "/etc/hamm", .run = "/run/hamm", .errors = stderr};
    struct err e = {0};
    int rc;

    c.mmm = argc && !strcmp(slash ? slash + 1 : argv[0], "mmm_control");
    rc = read_line(&c, argc, argv);
    if (rc >= 0)
        return rc;
    where.file = c.file;
    where.cluster = c.cluster;
    net_init();
    rc = find(&c.found, &where, &e);
    if (rc)
        fprintf(stderr, "hamm ctl: %s\n", e.msg);
    rc = rc == -EACCES ? EXIT_FORBIDDEN : rc ? EXIT_USAGE : ask(&c);
    tls_free(c.tls);
    find_free(&c.found);
    buf_free(&c.text);
    return rc;
}
