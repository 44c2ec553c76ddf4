/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the files of this folder offer each other: each reads one part of the tree into struct conf.
 * Order matters: mysql before the hosts that override it, hosts before the roles that name them. */
#pragma once

#include "conf/settings.h"

/* Until the file says which, and if what it says is wrong. */
#define SERVERS_MODE_UNREAD ((enum conf_host_mode)2)
#define ROLES_MODE_UNREAD   ((enum conf_role_mode)2)

/* secret.c: a password, a key; NULL or false with an error if there is none to be had. */
const char *secret_from_file(struct reader *r, const struct tree *t);
const char *secret_from_env(struct reader *r, const struct tree *t);
bool secret_key(struct reader *r, const struct tree *t, uint8_t key[CONF_KEY_LEN]);
/* Adds an error if the file of that name exists and others than its owner may read it. */
void secret_is_private(struct reader *r, const struct tree *t, const char *path);

/* servers.c: mysql, hosts */
extern const struct setting servers_mysql[];
void servers_read(struct reader *r, const struct tree *root);

/* roles.c: failover, roles, active_master_role */
extern const struct setting roles_failover[];
void roles_read(struct reader *r, const struct tree *root);

/* rules.c: what must hold between settings */
void rules_check(struct reader *r, const struct tree *root);

/* unacted.c: what this version reads without acting on it; fills conf.warnings */
void unacted_find(struct reader *r, const struct tree *root);
