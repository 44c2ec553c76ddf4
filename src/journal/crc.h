/* SPDX-License-Identifier: GPL-2.0-or-later
 * CRC-32C (Castagnoli, RFC 3720 appendix B.4): the checksum of everything kept in a file. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* crc: 0 to begin, or what the bytes before gave. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);
