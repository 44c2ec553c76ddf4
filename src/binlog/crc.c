/* SPDX-License-Identifier: GPL-2.0-or-later
 * Eight bytes at a time: tables[k] holds what a byte does k bytes later. */
#include "binlog/crc.h"

#include "binlog/bytes.h"

#include <threads.h>

static uint32_t tables[8][256];
static once_flag tables_once = ONCE_FLAG_INIT;

static void crc_tables(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;

        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
        tables[0][i] = crc;
    }
    for (unsigned k = 1; k < 8; k++)
        for (unsigned i = 0; i < 256; i++)
            tables[k][i] = tables[k - 1][i] >> 8 ^ tables[0][tables[k - 1][i] & 255];
}

uint32_t crc_update(uint32_t crc, const uint8_t *data, size_t len)
{
    call_once(&tables_once, crc_tables);
    crc = ~crc;
    for (; len >= 8; data += 8, len -= 8) {
        uint32_t low = bytes_u32(data) ^ crc, high = bytes_u32(data + 4);

        crc = tables[7][low & 255] ^ tables[6][low >> 8 & 255] ^ tables[5][low >> 16 & 255] ^
              tables[4][low >> 24] ^ tables[3][high & 255] ^ tables[2][high >> 8 & 255] ^
              tables[1][high >> 16 & 255] ^ tables[0][high >> 24];
    }
    for (; len; data++, len--)
        crc = crc >> 8 ^ tables[0][(crc ^ *data) & 255];
    return ~crc;
}
