/* SPDX-License-Identifier: GPL-2.0-or-later
 * Situations: the quiet one that families begin with, drawing parts of it, printing it. */
#include "exhaustive/exhaustive.h"

#include <stdio.h>
#include <string.h>

void sit_fine(struct sit *t)
{
    memset(t, 0, sizeof *t);
    t->reign = REIGN_YES;
    t->journal = -1;
    for (int s = 0; s < SLOTS; s++) {
        t->slot[s] = (struct sit_slot){.holder = s, .target = -1, .last = -1, .arrived = true};
        t->host[s].said[s] = SAID_HELD;
        t->host[s].fate[s] = F_RUNNING;
    }
    for (int h = 0; h < HOSTS; h++) {
        t->host[h].state = ONLINE;
        t->host[h].gtid = "0-1-5";
    }
}

void sit_state(struct sit_host *h, enum host_state state)
{
    h->state = state;
    if (state == HARD_OFFLINE)
        h->check[CK_MYSQL] = V_BAD;
    if (state == REPLICATION_FAIL)
        h->check[CK_REP_THREADS] = V_BAD;
    if (state == REPLICATION_DELAY)
        h->check[CK_REP_BACKLOG] = V_BAD;
    if (state == UNKNOWN)
        h->check[CK_PING] = h->check[CK_MYSQL] = V_UNKNOWN;
}

/* An agent that is heard and names an ended serial holds nothing, one that holds it may hold it. */
void sit_draw_slot(struct sit_host *h, int s)
{
    if (h->agent != A_LIVE) {
        h->said[s] = SAID_NONE;
        h->fate[s] = (enum fate)choice_of(3);
        return;
    }
    h->said[s] = (enum said)choice_of(SAID_N);
    switch (h->said[s]) {
    case SAID_ENDED:
        h->fate[s] = F_OUT;
        return;
    case SAID_HELD:
        h->fate[s] = F_RUNNING;
        return;
    case SAID_NONE:
        h->fate[s] = (enum fate)choice_of(3);
        return;
    default:
        h->fate[s] = choice_of(2) ? F_OVER : F_RUNNING;
    }
}

static const char *const verdicts[] = {"good", "bad", "unknown", "shaky", "bad since now"};
static const char *const agents[] = {"live", "linked, unheard", "gone"};
static const char *const servers[] = {"up", "dead", "up, not asked"};
static const char *const saids[] = {"ended", "none", "wanted", "held", "held, no lease", "leaving"};
static const char *const fates[] = {"out", "may hold it", "may hold it, lease over"};

static void print_host(const struct sit *t, int i)
{
    const struct sit_host *h = &t->host[i];

    printf("  db%d tail %d%s%s\n", i + 1, h->tail, h->unsalvaged ? ", unsalvaged" : "",
           h->disk == D_FULL          ? ", disk full"
           : h->disk == D_FULL_LATELY ? ", disk full since now"
                                      : "");
    printf("  db%d %s, agent %s, mysqld %s, %s, gtid %s%s%s%s%s%s%s%s%s\n     ", i + 1,
           host_state_names[h->state], agents[h->agent], servers[h->server],
           h->compared == C_CLEAN ? "clean"
           : h->compared == C_NOT ? "not compared"
                                  : "extra transactions",
           h->gtid, h->flapping ? ", flapping" : "", h->returning ? ", returning" : "",
           h->recent ? ", since 10 s"
           : h->calm ? ", for an hour"
                     : "",
           h->unsteady ? ", unsteady" : "", h->behind ? ", behind" : "",
           h->reboot ? ", rebooted" : "", h->promised ? ", promised" : "",
           h->stale ? ", stale" : "");
    for (int k = 0; k < CK_N; k++)
        printf(" %s %s;", check_names[k], verdicts[h->check[k]]);
    for (int s = 0; s < SLOTS; s++)
        printf(" slot %d: says %s, %s;", s, saids[h->said[s]], fates[h->fate[s]]);
    printf("\n");
}

void sit_print(const struct sit *t)
{
    printf("  data_loss %d, gathered %d\n", t->data_loss, t->gathered);
    printf("  %s mode, roles %d, reign %d%s%s%s, journal holder %d, auto_set_online %lld\n",
           mode_names[t->mode], t->roles, t->reign, t->network_down ? ", network down" : "",
           t->grace ? ", just woke" : "", t->careful ? ", careful" : "", t->journal + 1,
           (long long)t->auto_set_online_ms);
    for (int h = 0; h < HOSTS; h++)
        print_host(t, h);
    for (int s = 0; s < SLOTS; s++) {
        const struct sit_slot *x = &t->slot[s];

        printf("  slot %d: holder db%d, target db%d, last db%d%s%s%s%s%s%s%s\n", s, x->holder + 1,
               x->target + 1, x->last + 1, x->adopted ? ", adopted" : "",
               x->releasing ? ", releasing" : "", x->fence ? ", fence" : "",
               x->forced ? ", forced" : "", x->arrived ? ", arrived" : "",
               x->pinned ? ", pinned" : "", x->late ? ", late" : "");
    }
    if (t->phase != MOVE_NONE)
        printf("  move of slot %d in phase %d, db%d -> db%d%s\n", t->move_slot, t->phase,
               t->move_from + 1, t->move_to + 1, t->move_late ? ", late" : "");
}
