/* SPDX-License-Identifier: GPL-2.0-or-later
 * CRC-32 as zlib and the binary log have it (reflected, polynomial 0xedb88320). */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Goes on from crc; the first time that is 0. */
uint32_t crc_update(uint32_t crc, const uint8_t *data, size_t len);
