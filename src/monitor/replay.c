/* SPDX-License-Identifier: GPL-2.0-or-later
 * The command: options, and which files. */
#include "monitor/replay.h"

#include "base/buf.h"
#include "monitor/replay_run.h"

#include <dirent.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

const char replay_help[] =
    "Runs what a monitor recorded through its rules again and tells the story: each event with "
    "its\n"
    "time, as \"hamm ctl events\" does. Every decision must come out as it was recorded; that\n"
    "proves that what is seen is what happened. Asks no other machine and changes nothing.\n"
    "\n"
    "  -v, --verbose          also orders, what went to the journal, commands and answers\n"
    "      --from TIME        tell nothing of before (it is run all the same)\n"
    "      --until TIME       end there\n"
    "\n"
    "A monitor records to STATE_DIR/CLUSTER.MONITOR.monitor.inputs; a file of 16 MiB becomes\n"
    ".inputs.1, that one .inputs.2, the last is .inputs.3. Each can be replayed by itself, also\n"
    "elsewhere, and while the monitor writes to it. FILE may be the state directory: then it is\n"
    "the newest recording in it. TIME is UTC: 2026-03-01T12:00:00Z, or without seconds.\n"
    "Recordings hold names, addresses, GTIDs and what servers said, no passwords and no keys.\n"
    "They can be replayed only by the build of hamm that made them, or one whose engine lies the\n"
    "same in memory; \"head -5 FILE\" shows which.\n"
    "\n"
    "Example:  hamm replay /var/lib/hamm\n"
    "          hamm replay -v --from 2026-03-01T12:00Z --until 2026-03-01T12:05Z \\\n"
    "              /var/lib/hamm/shop.mon1.monitor.inputs.1\n"
    "\n"
    "Exit: 0 all as recorded, 1 a decision differs, or a file cannot be read, 2 usage.\n";

enum { OPT_FROM = 256, OPT_UNTIL };

static bool time_read(const char *text, int64_t *ms)
{
    static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M",
                                        "%Y-%m-%d %H:%M", "%Y-%m-%d"};

    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct tm tm = {0};
        const char *end = strptime(text, forms[i], &tm);
        int64_t part = 0, unit = 100;

        if (!end)
            continue;
        if (*end == '.')
            for (end++; *end >= '0' && *end <= '9'; end++, unit /= 10)
                part += (*end - '0') * unit;
        if (*end == 'Z')
            end++;
        if (*end)
            continue;
        *ms = (int64_t)timegm(&tm) * 1000 + part;
        return true;
    }
    return false;
}

static int usage(const char *what, const char *which)
{
    fprintf(stderr, "hamm replay: %s%s; see \"hamm replay --help\"\n", what, which);
    return 2;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

/* The newest recording in a directory; false: there is none. */
static bool newest(const char *directory, char *to, size_t size)
{
    DIR *d = opendir(directory);
    struct timespec best = {0};
    bool found = false;
    char path[4096];

    for (struct dirent *entry; d && (entry = readdir(d));) {
        struct stat st;

        if (!ends_with(entry->d_name, ".inputs") ||
            snprintf(path, sizeof path, "%s/%s", directory, entry->d_name) >= (int)sizeof path ||
            stat(path, &st) < 0 || !S_ISREG(st.st_mode))
            continue;
        if (found && (st.st_mtim.tv_sec < best.tv_sec ||
                      (st.st_mtim.tv_sec == best.tv_sec && st.st_mtim.tv_nsec < best.tv_nsec)))
            continue;
        found = snprintf(to, size, "%s", path) < (int)size;
        best = st.st_mtim;
    }
    if (d)
        closedir(d);
    return found;
}

static int replay_file(const char *file, const struct replay_opts *opts, bool named)
{
    char path[4096];
    struct stat st;

    if (stat(file, &st) == 0 && S_ISDIR(st.st_mode)) {
        if (!newest(file, path, sizeof path)) {
            fprintf(stderr,
                    "hamm replay: %s: no recording in this directory (*.inputs); it is written to "
                    "the state_dir of a monitor\n",
                    file);
            return 1;
        }
        file = path;
        named = true;
    }
    if (named)
        printf("%s\n", file);
    return replay_run(file, opts, stdout, stderr);
}

/* getopt names a letter that stands among others, and else leaves the whole word behind it. */
static const char *unknown(char **argv, char letter[3])
{
    if (!optopt || optopt == 'v') /* --verbose takes no value */
        return argv[optind - 1];
    letter[0] = '-';
    letter[1] = (char)optopt;
    letter[2] = 0;
    return letter;
}

int replay_main(int argc, char **argv)
{
    static const struct option options[] = {{"verbose", no_argument, NULL, 'v'},
                                            {"from", required_argument, NULL, OPT_FROM},
                                            {"until", required_argument, NULL, OPT_UNTIL},
                                            {0}};
    struct replay_opts opts = {.from_ms = INT64_MIN, .until_ms = INT64_MAX};
    char letter[3];
    int option, rc = 0;
    bool several;

    optind = 0;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":v", options, NULL)) != -1) {
        if (option == 'v')
            opts.verbose = true;
        else if (option == ':')
            return usage("this option needs a TIME: ", argv[optind - 1]);
        else if (option == '?')
            return usage("unknown option ", unknown(argv, letter));
        else if (!time_read(optarg, option == OPT_FROM ? &opts.from_ms : &opts.until_ms))
            return usage("not a time like 2026-03-01T12:00:00Z: ", optarg);
    }
    if (optind == argc)
        return usage("which recording? Name a file or the state directory", "");
    several = argc - optind > 1;
    for (; optind < argc; optind++)
        rc |= replay_file(argv[optind], &opts, several);
    if (fflush(stdout) != 0)
        rc = 1;
    return rc;
}
