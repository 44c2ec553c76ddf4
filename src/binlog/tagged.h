/* SPDX-License-Identifier: GPL-2.0-or-later
 * GTIDs with tags (MySQL 8.3 and later) as binary logs have them. */
#pragma once

#include "binlog/bytes.h"
#include "gtid/gtid.h"

/* The tag in a Previous_gtids event. */
bool tagged_take_tag(struct bytes *b, char tag[GTID_TAG_MAX + 1]);
/* The GTID of a Gtid_tagged event. */
bool tagged_gtid(struct bytes b, struct gtid_range *gtid);
/* Zeroes the two numbers of the logical clock in the body of such an event, in place; len as
 * before. Nothing if it is not such a body. */
void tagged_forget_clock(uint8_t *body, size_t len);
