/* SPDX-License-Identifier: GPL-2.0-or-later
 * GTID sets from any text: "<flavour><set>|<set>". What was read must survive being written and
 * read again, and the arithmetic must keep its laws. */
#include "gtid/gtid.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void fuzz_round_trip(const struct gtid_set *set)
{
    static char text[GTID_TEXT_MAX], cut[40];
    struct gtid_set again;
    struct err e = {0};
    size_t len = gtid_format(set, text, sizeof text);

    CHECK(len == strlen(text));
    CHECK(gtid_parse(text, set->flavour, &again, &e) == 0);
    CHECK(again.n == set->n && gtid_equal(set, &again));
    CHECK(gtid_format(set, cut, sizeof cut) == len && strlen(cut) < sizeof cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct gtid_set a, b, out, sum;
    struct err e = {0};
    enum gtid_flavour flavour;
    char *text, *second;

    if (size < 2)
        return 0;
    flavour = data[0] % GTID_N;
    text = strndup((const char *)data + 1, size - 1);
    CHECK(text);
    second = strchr(text, '|');
    if (second)
        *second++ = 0;
    if (gtid_parse(text, flavour, &a, &e) < 0 ||
        gtid_parse(second ? second : "", flavour, &b, &e) < 0)
        goto out;
    fuzz_round_trip(&a);
    CHECK(gtid_subset(&a, &a) && gtid_equal(&a, &a));
    if (gtid_merge(&a, &b, &sum) == 0) {
        fuzz_round_trip(&sum);
        CHECK(gtid_subset(&a, &sum) && gtid_subset(&b, &sum));
    }
    if (gtid_subtract(&a, &b, &out) == 0) {
        fuzz_round_trip(&out);
        CHECK(gtid_empty(&out) == gtid_subset(&a, &b));
        CHECK(flavour == GTID_MARIADB_POS || gtid_subset(&out, &a));
        CHECK(gtid_count(&out) <= gtid_count(&a));
    }
out:
    free(text);
    return 0;
}
