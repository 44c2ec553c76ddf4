/* SPDX-License-Identifier: GPL-2.0-or-later
 * What was decided, what the engine knows and how its structs lie in memory, each as one number.
 * Pure. Not against forgery: two that differ by accident have different numbers. */
#pragma once

#include "engine/engine.h"

/* All fields and texts of all actions, with the orders and the state to journal they stand for. */
uint64_t record_hash_plan(const struct engine *e, const struct plan *p);
/* What later decisions depend on most: states, checks, slots, orders, deadlines. */
uint64_t record_hash_engine(const struct engine *e);
/* A recording made where this number was another one cannot be read here. */
uint64_t record_hash_layout(void);
