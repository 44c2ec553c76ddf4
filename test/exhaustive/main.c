/* SPDX-License-Identifier: GPL-2.0-or-later
 * Runs the families. test_exhaustive [FAMILY [TRAIL]]: with a trail the one situation that it
 * names, in words. HAMM_EXHAUSTIVE_SKIP=N visits every Nth situation only (slow builds). */
#include "exhaustive/exhaustive.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct family *const families[] = {
    &family_hosts, &family_writer,   &family_choice, &family_tail,   &family_readers,
    &family_moves, &family_commands, &family_found,  &family_orders, &family_full};
static const char *running;
/* What was found broken, each said once; the next situation goes on. */
enum { BROKEN_MAX = 32 };
static struct {
    const char *what;
    uint64_t times;
} broke[BROKEN_MAX];
static jmp_buf next;
static uint64_t hit[2], number;

static void broken_situation(void)
{
    char text[8192];

    printf("  again: test_exhaustive %s %s\n", running, choice_trail());
    if (strcmp(running, "orders") == 0)
        return;
    sit_print(&sit);
    engine_explain_cluster(&engine, text, sizeof text);
    printf("--- the engine then\n%s", text);
}

void broken(const char *what, const char *fmt, ...)
{
    unsigned i = 0;
    va_list ap;

    while (i < BROKEN_MAX && broke[i].what && broke[i].what != what)
        i++;
    if (i < BROKEN_MAX && broke[i].what && broke[i].times++)
        longjmp(next, 1);
    if (i == BROKEN_MAX)
        exit(1);
    broke[i].what = what;
    broke[i].times = 1;
    printf("FAILED ");
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n  must be: %s\n", what);
    broken_situation();
    longjmp(next, 1);
}

/* In the place of base/check.c: a bug that the code finds itself, with its situation. */
void check_failed(const char *file, int line, const char *what)
{
    static bool again;

    printf("FAILED %s:%d: %s\n", file, line, what);
    if (again || !running)
        abort();
    again = true;
    printf("  again: test_exhaustive %s %s\n", running, choice_trail());
    sit_print(&sit);
    exit(1);
}

void rules_seen(void)
{
    hit[0] |= engine.rules_hit[0];
    hit[1] |= engine.rules_hit[1];
}

bool sampled(unsigned n)
{
    return number % n == 0;
}

static unsigned rules_unseen(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < engine_rule_count(); i++)
        if (!(hit[i / 64] >> i % 64 & 1)) {
            printf("FAILED rule %s decided nowhere\n", engine_rule_name(i));
            n++;
        }
    return n;
}

static double seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static void family_run(const struct family *f, unsigned skip)
{
    volatile uint64_t drawn = 0;
    const uint64_t steps = world_steps;
    const double began = seconds();

    running = f->name;
    number = 0;
    choice_begin();
    while (choice_more()) {
        if (!f->draw() || drawn++ % skip)
            continue;
        if (setjmp(next) == 0)
            f->run();
        number++;
    }
    printf("%-9s %8" PRIu64 " situations %9" PRIu64 " steps %5.1f s  %s\n", f->name, number,
           world_steps - steps, seconds() - began, f->what);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const char *skip = getenv("HAMM_EXHAUSTIVE_SKIP");
    unsigned n = skip ? (unsigned)atoi(skip) : 1, unseen = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    world_start();
    for (unsigned i = 0; i < ARRAY_LEN(families); i++) {
        if (argc > 1 && strcmp(argv[1], families[i]->name) != 0)
            continue;
        if (argc > 2) {
            running = families[i]->name;
            choice_fix(argv[2]);
            CHECK(families[i]->draw());
            if (setjmp(next) == 0) {
                families[i]->run();
                broken_situation();
            }
            return broke[0].what ? 1 : 0;
        }
        family_run(families[i], n ? n : 1);
    }
    printf("%.1f s of processor time\n", seconds());
    for (unsigned i = 0; i < BROKEN_MAX && broke[i].what; i++)
        printf("FAILED %" PRIu64 " times: %s\n", broke[i].times, broke[i].what);
    if (argc == 1 && n <= 1)
        unseen = rules_unseen();
    return broke[0].what || unseen ? 1 : 0;
}
