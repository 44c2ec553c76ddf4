# SPDX-License-Identifier: GPL-2.0-or-later
"""The client: one row each few milliseconds through one address.

usage: writer.py ADDRESS USER PASSWORD PERIOD_MS FIRST_ID
Prints `A time id server_id` for each row that was acknowledged, `C time server_id` for each new
connection and `E time text` for each failure. A row whose acknowledgement did not come is never
sent again: the next one has the next id.
"""
import sys
import time

import pymysql

from lab.clock import now


def connect(address, user, password):
    connection = pymysql.connect(host=address, user=user, password=password, database='app',
                                 autocommit=True, connect_timeout=0.1, read_timeout=0.5,
                                 write_timeout=0.5)
    cursor = connection.cursor()
    cursor.execute('SELECT @@server_id')
    server = cursor.fetchone()[0]
    print(f'C {now():.6f} {server}')
    return connection, cursor, server


def main(address, user, password, period_ms, first):
    period, row = int(period_ms) / 1000, int(first)
    connection = None
    while True:
        began = now()
        try:
            if connection is None:
                connection, cursor, server = connect(address, user, password)
            cursor.execute(f'INSERT INTO writes (id) VALUES ({row})')
            print(f'A {now():.6f} {row} {server}', flush=True)
        except (pymysql.MySQLError, OSError) as e:
            print(f'E {now():.6f} {e}', flush=True)
            if connection is not None:
                connection._force_close()  # no goodbye to somebody who may not answer
            connection = None
        row += 1
        time.sleep(max(0.0005, period - (now() - began)))


if __name__ == '__main__':
    main(*sys.argv[1:])
