/* SPDX-License-Identifier: GPL-2.0-or-later
 * test_sim: seeds one after the other, on one core or several, for so many
 * runs, seconds or simulated hours. A seed that fails is made as short as it
 * goes and printed as a scenario. */
#include "sim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { JOBS_MAX = 64 };

/* What the processes of one call add up. */
struct sum {
    uint64_t runs, failed, us, steps;
};
struct task {
    struct sim_options opt;
    uint64_t from, runs;
    int kind, jobs;
    double seconds, hours;
    bool all, raw;
    const char *seeds, *scenario, *write;
};

static struct sim sim;
static struct sum *sum; /* shared */
static double begin;

static void usage(void)
{
    fprintf(stderr, "test_sim [--seed N | --from N | --fresh] [--runs N] "
                    "[--seconds N] [--hours N]\n"
                    "         [--jobs N] [--kind K] [--all] [--seeds FILE] "
                    "[--raw] [--verbose] [--trace]\n"
                    "test_sim --scenario FILE [--verbose] [--trace] [--write "
                    "FILE] [--break]\n"
                    "test_sim --seed N --write FILE\n");
    exit(2);
}

static double clock_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void tell_failure(const struct task *t, const struct scenario *first)
{
    struct scenario c = *first;
    struct sim_options story = {.story = true, .broken = t->opt.broken};
    char verdict[STORY_LEN];

    memcpy(verdict, sim.verdict, sizeof verdict);
    if (!t->raw)
        scenario_shrink(&sim, &c, &t->opt, verdict);
    (void)sim_run(&sim, &c, &story);
    printf("seed %" PRIu64 " FAILED: %s\n", first->seed, verdict);
    sim_tell(60);
    printf("--- again with: test_sim --seed %" PRIu64 " --kind %d --verbose; shrunk:\n",
           first->seed, (int)first->kind);
    scenario_write(&c, stdout);
    printf("--- %s\n", sim.verdict);
    fflush(stdout);
}

static bool run_one(const struct task *t, const struct scenario *c)
{
    bool ok = sim_run(&sim, c, &t->opt);

    __atomic_add_fetch(&sum->runs, 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&sum->us, (uint64_t)sim.now, __ATOMIC_RELAXED);
    __atomic_add_fetch(&sum->steps, sim.steps, __ATOMIC_RELAXED);
    if (!ok) {
        __atomic_add_fetch(&sum->failed, 1, __ATOMIC_RELAXED);
        tell_failure(t, c);
    }
    return ok;
}

static bool enough(const struct task *t, uint64_t done)
{
    if (done >= t->runs || (__atomic_load_n(&sum->failed, __ATOMIC_RELAXED) && !t->all))
        return true;
    return clock_s() - begin >= t->seconds ||
           (double)__atomic_load_n(&sum->us, __ATOMIC_RELAXED) / 3600e6 >= t->hours;
}

static void progress(void)
{
    printf("%.0f s: %" PRIu64 " runs, %" PRIu64 " failed, %.1f hours, %" PRIu64 " events\n",
           clock_s() - begin, sum->runs, sum->failed, (double)sum->us / 3600e6, sum->steps);
    fflush(stdout);
}

static void work(const struct task *t, int job)
{
    double each = isatty(1) ? 10 : 60, next = begin + each;
    uint64_t done = 0;

    for (uint64_t seed = t->from + (uint64_t)job; !enough(t, done); seed += (uint64_t)t->jobs) {
        struct scenario c;

        scenario_draw(&c, seed, t->kind);
        (void)run_one(t, &c);
        done += (uint64_t)t->jobs;
        if (!job && clock_s() >= next) {
            next += each;
            progress();
        }
    }
}

static void work_on_all(const struct task *t)
{
    pid_t pid[JOBS_MAX];

    fflush(stdout);
    for (int j = 1; j < t->jobs; j++) {
        pid[j] = fork();
        CHECK(pid[j] >= 0);
        if (pid[j])
            continue;
        work(t, j);
        fflush(stdout);
        _exit(0);
    }
    work(t, 0);
    for (int j = 1; j < t->jobs; j++) {
        int status;

        if (waitpid(pid[j], &status, 0) < 0 || status)
            sum->failed++; /* it crashed: said on stderr */
    }
}

/* Lines of "SEED [KIND]  # why it is kept". */
static bool work_on_kept(const struct task *t)
{
    FILE *f = fopen(t->seeds, "r");
    char line[512];

    if (!f) {
        perror(t->seeds);
        return false;
    }
    while (fgets(line, sizeof line, f)) {
        unsigned long long seed;
        int kind = -1;
        struct scenario c;

        if (sscanf(line, "%llu %d", &seed, &kind) < 1)
            continue;
        scenario_draw(&c, seed, kind);
        (void)run_one(t, &c);
    }
    fclose(f);
    printf("kept seeds: %" PRIu64 " runs, %" PRIu64 " failed\n", sum->runs, sum->failed);
    return true;
}

static int write_scenario(const struct task *t, const struct scenario *c)
{
    FILE *to = fopen(t->write, "w");

    if (!to) {
        perror(t->write);
        return 2;
    }
    scenario_write(c, to);
    return fclose(to) ? 2 : 0;
}

static int work_on_scenario(const struct task *t)
{
    struct sim_options story = t->opt;
    struct scenario c;

    if (!t->scenario)
        scenario_draw(&c, t->from, t->kind);
    else if (!scenario_read(&c, t->scenario))
        return 2;
    if (t->write)
        return write_scenario(t, &c);
    story.story = true;
    if (sim_run(&sim, &c, &story)) {
        printf("--- every promise was kept\n");
        return 0;
    }
    if (!t->opt.verbose)
        sim_tell(60);
    printf("--- %s\n", sim.verdict);
    return 1;
}

static void task_number(struct task *t, const char *a, const char *v)
{
    if (!strcmp(a, "--seed") || !strcmp(a, "--from"))
        t->from = strtoull(v, NULL, 0);
    else if (!strcmp(a, "--runs"))
        t->runs = strtoull(v, NULL, 0);
    else if (!strcmp(a, "--seconds"))
        t->seconds = strtod(v, NULL);
    else if (!strcmp(a, "--hours"))
        t->hours = strtod(v, NULL);
    else if (!strcmp(a, "--jobs"))
        t->jobs = atoi(v);
    else if (!strcmp(a, "--kind"))
        t->kind = atoi(v);
    else if (!strcmp(a, "--seeds"))
        t->seeds = v;
    else if (!strcmp(a, "--scenario"))
        t->scenario = v;
    else if (!strcmp(a, "--write"))
        t->write = v;
    else
        usage();
}

static void task_read(struct task *t, int argc, char **argv)
{
    bool many = false;

    for (int k = 1; k < argc; k++) {
        const char *a = argv[k];

        if (!strcmp(a, "--verbose")) {
            t->opt.verbose = t->opt.story = true;
        } else if (!strcmp(a, "--trace")) {
            t->opt.trace = t->opt.verbose = t->opt.story = true;
        } else if (!strcmp(a, "--all")) {
            t->all = true;
        } else if (!strcmp(a, "--raw")) {
            t->raw = true;
        } else if (!strcmp(a, "--break")) {
            t->opt.broken = true;
        } else if (!strcmp(a, "--fresh")) {
            struct timespec now;

            clock_gettime(CLOCK_REALTIME, &now);
            t->from = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
            many = true;
        } else if (k + 1 < argc) {
            many = many || !strcmp(a, "--seconds") || !strcmp(a, "--hours");
            task_number(t, a, argv[++k]);
        } else {
            usage();
        }
    }
    if (!t->runs)
        t->runs = many ? UINT64_MAX : 1;
    if (t->jobs < 1 || t->jobs > JOBS_MAX || t->kind >= KIND_N)
        usage();
}

int main(int argc, char **argv)
{
    struct task t = {.from = 1, .kind = -1, .jobs = 1, .seconds = 1e9, .hours = 1e9};

    task_read(&t, argc, argv);
    begin = clock_s();
    sum = mmap(NULL, sizeof *sum, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(sum != MAP_FAILED);
    if (t.scenario || t.write) {
        int code = work_on_scenario(&t);

        queue_free();
        return code;
    }
    if (t.seeds && !work_on_kept(&t))
        return 2;
    work_on_all(&t);
    printf("seed base %" PRIu64 ": %" PRIu64 " runs, %" PRIu64
           " failed, %.1f cluster-hours (%.0f s), %" PRIu64 " engine events, in %.1f s\n",
           t.from, sum->runs, sum->failed, (double)sum->us / 3600e6, (double)sum->us / 1e6,
           sum->steps, clock_s() - begin);
    queue_free();
    return sum->failed ? 1 : 0;
}
