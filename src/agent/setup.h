/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the configuration means for the agent of one host: the names that messages use, the slots,
 * and the settings of the agent's rules. Pure. */
#pragma once

#include "base/err.h"
#include "conf/slot.h"
#include "engine/agent.h"

struct agentd_setup {
    struct names names;
    struct conf_slot slot[SLOTS_MAX]; /* names.slots of them */
    struct agent_conf agent;          /* gate: GATE_NFT until it is known what this kernel can do */
};

/* self: host index. -E2BIG: more hosts, slots or addresses than can be handled. */
int agentd_setup_of(const struct conf *c, unsigned self, struct agentd_setup *out,
                    struct err *e) MUST_CHECK;
