/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mysql/db_error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *db_error_name(enum db_error error)
{
    static const char *const names[DB_ERROR_N] = {
        [DB_OK] = "ok",
        [DB_REFUSED] = "refused",
        [DB_UNREACHABLE] = "unreachable",
        [DB_TOO_MANY] = "too many connections",
        [DB_DENIED] = "denied",
        [DB_TLS] = "tls",
        [DB_TIMEOUT] = "timeout",
        [DB_LOST] = "lost",
        [DB_SQL] = "sql",
        [DB_TOO_BIG] = "result too big",
        [DB_CANCELLED] = "cancelled",
        [DB_CONFIG] = "configuration",
    };

    CHECK(error < DB_ERROR_N);
    return names[error];
}

void db_problem_set(struct db_problem *p, enum db_error error, const char *fmt, ...)
{
    va_list ap;

    p->error = error;
    p->number = 0;
    va_start(ap, fmt);
    vsnprintf(p->text, sizeof p->text, fmt, ap);
    va_end(ap);
}

int db_problem_errno(const char *said)
{
    const char *open = strrchr(said, '(');
    const char *system = strstr(said, "system error: ");
    char *end;
    long code;

    if (system)
        code = strtol(system + strlen("system error: "), &end, 10);
    else if (open)
        code = strtol(open + 1, &end, 10);
    else
        return 0;
    return code > 0 && code < 4096 ? (int)code : 0;
}

/* Numbers that always mean the same. */
static const struct known {
    unsigned number;
    enum db_error error;
    bool ends; /* the connection is gone when a statement gets this */
} known[] = {
    {1040, DB_TOO_MANY, true}, /* too many connections */
    {1203, DB_TOO_MANY, true}, /* more than max_user_connections */
    {1226, DB_TOO_MANY, true}, /* a resource limit of the account */
    {1044, DB_DENIED, false},  /* no access to the database */
    {1045, DB_DENIED, false},  /* access denied */
    {1142, DB_DENIED, false},  /* no privilege on the table */
    {1227, DB_DENIED, false},  /* a privilege is missing */
    {1524, DB_DENIED, true},   /* the account's plugin is not there any more */
    {1698, DB_DENIED, false},  /* access denied, no password asked for */
    {1820, DB_DENIED, false},  /* the password must be changed first */
    {1862, DB_DENIED, false},  /* the password has expired */
    {3118, DB_DENIED, false},  /* account locked (MySQL) */
    {3159, DB_DENIED, false},  /* server requires a secure transport */
    {4151, DB_DENIED, false},  /* account locked (MariaDB) */
    {1129, DB_DENIED, true},   /* host blocked after many errors */
    {1130, DB_DENIED, true},   /* host not allowed */
    {1251, DB_DENIED, true},   /* authentication protocol not supported by this client */
    {2058, DB_DENIED, true},   /* authentication plugin could not be initialised */
    {2059, DB_DENIED, true},   /* authentication plugin cannot be loaded */
    {2061, DB_DENIED, true},   /* authentication plugin reported an error */
    {3032, DB_DENIED, true},   /* offline mode */
    {2026, DB_TLS, true},      /* TLS failed */
    {1053, DB_LOST, true},     /* the server is shutting down */
    {1184, DB_LOST, true},     /* aborted connection */
    {1927, DB_LOST, true},     /* killed (MariaDB) */
    {2006, DB_LOST, true},     /* server has gone away */
    {2012, DB_LOST, true},     /* error in the handshake */
    {2013, DB_LOST, true},     /* lost connection */
    {2014, DB_LOST, true},     /* commands out of sync */
    {2020, DB_TOO_BIG, true},  /* packet larger than allowed */
    {2027, DB_LOST, true},     /* malformed packet */
    {2055, DB_LOST, true},     /* lost connection, with the system's error */
    {4031, DB_LOST, true},     /* disconnected for inactivity (MySQL) */
};

static const struct known *db_problem_known(unsigned number)
{
    for (unsigned i = 0; i < ARRAY_LEN(known); i++)
        if (known[i].number == number)
            return &known[i];
    return NULL;
}

bool db_problem_ends_connection(unsigned number)
{
    const struct known *k = db_problem_known(number);

    return k ? k->ends : number == 0 || (number >= 2000 && number < 3000);
}

static enum db_error db_problem_kind(unsigned number, bool connecting, bool via_socket, int code)
{
    const struct known *k = db_problem_known(number);

    if (number >= 2002 && number <= 2005) { /* no connection was made */
        if (code == ECONNREFUSED || (via_socket && code == ENOENT))
            return DB_REFUSED;
        return code == ETIMEDOUT || code == EAGAIN || code == EINTR ? DB_TIMEOUT : DB_UNREACHABLE;
    }
    if (k) /* a TLS error in the middle of a call is a lost connection */
        return k->error == DB_TLS && !connecting ? DB_LOST : k->error;
    if (number == 0 || (number >= 2000 && number < 3000))
        return DB_LOST;
    return connecting && (number == 1043 || number == 1158 || number == 1159) ? DB_LOST : DB_SQL;
}

#define PLUGIN_HINT                                                                                \
    "; this machine lacks that plugin: install Debian's package libmariadb3, or set "              \
    "MARIADB_PLUGIN_DIR to the folder that has it"
#define KEY_HINT                                                                                   \
    "; without TLS that server gives no key for the password: set tls mode to required, or let "   \
    "it "                                                                                          \
    "have its RSA keys (caching_sha2_password_public_key_path)"

/* What to do about it: the first row that fits. number 0: whatever it is; said: part of the text;
 * plain: only where no TLS is used. */
static const struct hint {
    unsigned number;
    const char *said;
    bool plain;
    const char *hint;
} hints[] = {
    {1524, "", false,
     "; that server has no such plugin any more: ALTER USER ... IDENTIFIED WITH "
     "caching_sha2_password BY ..."},
    {0, "be loaded", false, PLUGIN_HINT},
    {2058, "", false, PLUGIN_HINT},
    {2059, "", false, PLUGIN_HINT},
    {0, "RSA public key", false, KEY_HINT},
    {0, "secure connection", false, KEY_HINT},
    {1045, "", true,
     "; check the password, that the account may come from this address, and whether it requires "
     "TLS (REQUIRE SSL): then set tls mode to required"},
    {1698, "", true,
     "; check the password, that the account may come from this address, and whether it requires "
     "TLS (REQUIRE SSL): then set tls mode to required"},
    {1045, "", false, "; check the password and that the account may come from this address"},
    {1698, "", false, "; check the password and that the account may come from this address"},
    {1142, "", false, "; GRANT this account what is named here"},
    {1227, "", false, "; GRANT this account what is named here"},
    {1129, "", false, "; run FLUSH HOSTS on that server"},
    {1130, "", false, "; create the account for this address"},
    {1820, "", false, "; set a new password for this account"},
    {1862, "", false, "; set a new password for this account"},
    {3118, "", false, "; run ALTER USER ... ACCOUNT UNLOCK"},
    {4151, "", false, "; run ALTER USER ... ACCOUNT UNLOCK"},
    {3032, "", false, "; offline_mode is on"},
    {3159, "", false, "; set tls mode to required"},
    {2026, "self-signed", false,
     "; set tls ca to the file of the authority that signed it, or tls mode to required, which "
     "does "
     "not verify"},
    {2026, "unable to get", false,
     "; set tls ca to the file of the authority that signed it, or tls mode to required, which "
     "does "
     "not verify"},
    {2026, "Validation of", false,
     "; its certificate does not name this address (MySQL's generated ones name none): give the "
     "server one that does, or set tls mode to required, which does not verify"},
    {2026, "does not support", false,
     "; that server has no TLS: give it a certificate (ssl_cert, ssl_key), or set tls mode to "
     "preferred"},
};

static const char *db_problem_hint(unsigned number, const char *said, bool tls)
{
    for (unsigned i = 0; i < ARRAY_LEN(hints); i++) {
        const struct hint *h = &hints[i];

        if ((!h->number || h->number == number) && strstr(said, h->said) && !(h->plain && tls))
            return h->hint;
    }
    return "";
}

/* An error that comes before TLS has libmariadb's number, and the server's in the text: who is too
 * full to talk must not look like one that is away. */
static void db_problem_unwrap(unsigned *number, const char **said)
{
    const char *inner = strstr(*said, "cannot be verified: ");
    char *end;
    unsigned long code;

    if (!inner || *number < 2000 || *number >= 3000)
        return;
    code = strtoul(inner + strlen("cannot be verified: "), &end, 10);
    if (code < 1000 || code > UINT16_MAX || strncmp(end, " - ", 3) != 0)
        return;
    *number = (unsigned)code;
    *said = end + 3;
}

void db_problem_from(struct db_problem *p, unsigned number, const char *said, bool connecting,
                     bool via_socket, bool tls, const char *where)
{
    int code = db_problem_errno(said);

    db_problem_unwrap(&number, &said);
    p->number = number;
    p->error = db_problem_kind(number, connecting, via_socket, code);
    switch (p->error) {
    case DB_REFUSED:
        snprintf(p->text, sizeof p->text, "connect %s: nobody listens there (%s)", where,
                 strerror(code));
        break;
    case DB_UNREACHABLE:
        snprintf(p->text, sizeof p->text, "connect %s: %s", where, code ? strerror(code) : said);
        break;
    case DB_TOO_MANY:
        snprintf(
            p->text, sizeof p->text,
            "connect %s: the server is alive but full (%u: %s): raise max_connections, or see who "
            "holds them: SHOW PROCESSLIST",
            where, number, said);
        break;
    case DB_LOST:
        snprintf(p->text, sizeof p->text, "%s%s: the connection ended (%u: %s)",
                 connecting ? "connect " : "", where, number, said);
        break;
    default:
        snprintf(p->text, sizeof p->text, "%s%s: %u: %s%s", connecting ? "connect " : "", where,
                 number, said, db_problem_hint(number, said, tls));
    }
}
