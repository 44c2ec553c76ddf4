/* SPDX-License-Identifier: GPL-2.0-or-later
 * How the agent's memory is written down. Pure.
 *   durable  text for the journal: survives a reboot
 *   record   bytes for /run: this binary and the next on this machine read it; slots and hosts
 * stand in it by name, so that it stays right when the configuration was changed in between */
#pragma once

#include "base/check.h"
#include "engine/agent.h"

#include <stddef.h>

enum { AGENTD_DURABLE_MAX = 1024, AGENTD_RECORD_MAX = 16 * 1024 };

/* Length of the text, its zero not counted. */
size_t agentd_durable_encode(const struct agent_durable *from, char to[AGENTD_DURABLE_MAX]);
/* -EINVAL: not such a text. */
int agentd_durable_decode(struct agent_durable *to, const void *data, size_t len) MUST_CHECK;

size_t agentd_record_encode(const struct agent_record *from, const struct names *names,
                            unsigned char to[AGENTD_RECORD_MAX]);
/* Slots this configuration doesn't have are left out, new ones are as never held. -EINVAL: not such
 * a record; -EPROTO: another version's. */
int agentd_record_decode(struct agent_record *to, const struct names *names, const void *data,
                         size_t len) MUST_CHECK;
