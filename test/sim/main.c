/* SPDX-License-Identifier: GPL-2.0-or-later
 * test_sim: one seed or many; a seed that fails is made as short as it goes. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct sim sim;

static void usage(void)
{
    fprintf(stderr,
            "test_sim [--seed N] [--verbose] [--trace] [--from S] [--runs N] [--seconds N]\n"
            "         [--kind K] [--drop MASK] [--all]\n");
    exit(2);
}

/* Leaves faults out one by one while it still fails in the same way (its first words). */
static void shrink(struct sim_options *opt)
{
    char verdict[STORY_LEN];
    unsigned faults = sim.faults;

    memcpy(verdict, sim.verdict, sizeof verdict);
    for (bool again = true; again;) {
        again = false;
        for (unsigned i = 0; i < faults; i++) {
            struct sim_options less = *opt;

            less.drop |= 1u << i;
            if (less.drop == opt->drop || sim_run(&sim, &less) ||
                strncmp(sim.verdict, verdict, 9) != 0)
                continue;
            *opt = less;
            again = true;
        }
    }
    (void)sim_run(&sim, opt);
}

static void tell_failure(struct sim_options opt)
{
    unsigned from;

    printf("seed %llu FAILED: %s\n", (unsigned long long)opt.seed, sim.verdict);
    opt.verbose = false;
    shrink(&opt);
    from = sim.told > 60 ? sim.told - 60 : 0;
    for (unsigned i = from; i < sim.told; i++)
        puts(sim.story[i % STORY_LINES]);
    printf("again with: test_sim --seed %llu --kind %d --drop %u --verbose\n",
           (unsigned long long)opt.seed, (int)sim.kind, opt.drop);
    for (unsigned i = 0; i < sim.faults; i++)
        if (sim.fault[i].on) {
            char text[160];

            fault_text(&sim, &sim.fault[i], text, sizeof text);
            printf("  fault %u at %.3f s: %s\n", i, (double)sim.fault[i].at / 1e6, text);
        }
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    struct sim_options opt = {.kind = -1};
    unsigned long long from = 1, runs = 1, failed = 0, i;
    double begin = seconds(), simulated = 0, most = 1e9;
    bool all = false;

    for (int k = 1; k < argc; k++) {
        const char *a = argv[k], *v = k + 1 < argc ? argv[k + 1] : NULL;

        if (!strcmp(a, "--verbose"))
            opt.verbose = true;
        else if (!strcmp(a, "--trace"))
            opt.trace = opt.verbose = true;
        else if (!strcmp(a, "--all"))
            all = true;
        else if (!v)
            usage();
        else if (k++, !strcmp(a, "--seed") || !strcmp(a, "--from"))
            from = strtoull(v, NULL, 0);
        else if (!strcmp(a, "--runs"))
            runs = strtoull(v, NULL, 0);
        else if (!strcmp(a, "--seconds"))
            most = strtod(v, NULL);
        else if (!strcmp(a, "--kind"))
            opt.kind = atoi(v);
        else if (!strcmp(a, "--drop"))
            opt.drop = (uint32_t)strtoul(v, NULL, 0);
        else
            usage();
    }
    for (i = 0; i < runs && seconds() - begin < most; i++) {
        opt.seed = from + i;
        if (!sim_run(&sim, &opt)) {
            failed++;
            tell_failure(opt);
            if (!all)
                break;
        }
        simulated += (double)sim.now / 1e6;
    }
    printf("%llu runs, %llu failed, %.0f s simulated in %.1f s\n", i, failed, simulated,
           seconds() - begin);
    for (int m = 0; m < MONS; m++)
        free(sim.mon[m].held);
    free(sim.heap);
    return failed ? 1 : 0;
}
