/* SPDX-License-Identifier: GPL-2.0-or-later
 * Frames from bytes nobody checked. The input's first two bytes say how the rest is chopped; the
 * frames must not depend on it. */
#include "base/check.h"
#include "net/frame.h"

#include <stdlib.h>
#include <string.h>

struct outcome {
    uint64_t sum;
    unsigned frames;
    int rc;
};

static struct outcome read_all(const uint8_t *data, size_t len, size_t step, size_t grow)
{
    struct frame_in f = FRAME_IN;
    struct outcome out = {.sum = 1469598103934665603u};

    while (len && out.rc >= 0) {
        size_t n = step < len ? step : len, left = n;
        uint8_t *copy = malloc(n); /* so that ASan sees a read past what was given */
        const uint8_t *at = copy, *frame;
        size_t frame_len;

        CHECK(copy);
        memcpy(copy, data, n);
        while ((out.rc = frame_next(&f, &at, &left, &frame, &frame_len)) > 0) {
            CHECK(frame_len >= 1 && frame_len <= FRAME_MAX);
            out.frames++;
            for (size_t i = 0; i < frame_len; i++)
                out.sum = (out.sum ^ frame[i]) * 1099511628211u;
        }
        free(copy);
        data += n;
        len -= n;
        step += grow;
    }
    frame_free(&f);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct outcome whole, cut;

    if (len < 3)
        return 0;
    whole = read_all(data + 2, len - 2, len - 2, 0);
    cut = read_all(data + 2, len - 2, 1u + data[0], data[1]);
    CHECK(whole.frames == cut.frames && whole.sum == cut.sum && whole.rc == cut.rc);
    return 0;
}
