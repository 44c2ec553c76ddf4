# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections to the servers, and the passwords of the accounts in them."""
import pymysql

SOCKET = '/run/mysqld/mysqld.sock'
ADMIN = 'lab-admin'  # of the account that Host.shell uses, where a scenario has made it
PASSWORDS = {'monitor': 'lab-monitor', 'agent': 'lab-agent', 'repl': 'lab-repl', 'app': 'lab-app'}


def connect(socket, timeout=5):
    """As root by the host's socket; the network has no part in it."""
    return pymysql.connect(unix_socket=socket, user='root', autocommit=True,
                           connect_timeout=timeout, read_timeout=timeout, write_timeout=timeout)


def query(socket, statement, timeout=5):
    """All rows of one statement, as dicts."""
    connection = connect(socket, timeout)
    try:
        with connection.cursor(pymysql.cursors.DictCursor) as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())
    finally:
        connection.close()
