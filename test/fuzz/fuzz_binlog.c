/* SPDX-License-Identifier: GPL-2.0-or-later
 * A binary log file of bytes nobody checked, read as either flavour. The checksums in it are made
 * right first, else nothing would get past them. */
#include "binlog/binlog.h"
#include "binlog/bytes.h"
#include "binlog/crc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HEADER 19

static void mend(uint8_t *data, size_t len)
{
    size_t at = 4;

    while (len >= at + HEADER) {
        size_t n = bytes_u32(data + at + 9);
        uint8_t flags = data[at + 17];

        if (n < HEADER + 4 || n > len - at)
            return;
        if (data[at + 4] == 15)
            data[at + 17] &= 0xfe;
        bytes_put(data + at + n - 4, crc_update(0, data + at, n - 4), 4);
        data[at + 17] = flags;
        at += n;
    }
}

static int file_of(const void *data, size_t len, char path[64])
{
    int fd = memfd_create("fuzz", 0);

    CHECK(fd >= 0 && write(fd, data, len) == (ssize_t)len);
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct binlog_scan scan;
    static struct binlog_slice slice;
    static const char *const have[] = {"5e4119bf-eb4b-11f1-bcc8-02fc00000001:1-5:tag_a:2",
                                       "0-1-7,3-1-2", "0-1-7,3-1-2"};
    char file[64], index[64], to[64];
    uint8_t *copy;
    struct err e;
    int fd, list;

    if (len < 4)
        return 0;
    copy = malloc(len);
    CHECK(copy);
    memcpy(copy, data, len);
    if (data[3] == 'n')
        mend(copy, len);
    fd = file_of(copy, len, file);
    list = file_of(file, strlen(file), index);
    for (enum gtid_flavour f = GTID_MYSQL; f <= GTID_MARIADB_POS; f++) {
        if (binlog_scan(index, f, &scan, &e) == 0)
            CHECK(scan.pos + scan.left_out == len);
        snprintf(to, sizeof to, "/dev/shm/hamm-fuzz-binlog-%d", (int)getpid());
        if (binlog_slice(index, f, have[f], to, 1 << 20, &slice, &e) == 0)
            CHECK(slice.bytes <= 1 << 20);
        unlink(to);
    }
    close(fd);
    close(list);
    free(copy);
    return 0;
}
