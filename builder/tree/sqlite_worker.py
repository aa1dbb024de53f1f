"""Writes an SQLite database anew; run by itself, in a jail (builder/tree/databases.py).

The arguments are the database, where the new one goes, and JSON: a list of statements with their
values. A database that can't be read ends it with status 3 and SQLite's words for why.
"""

import contextlib
import json
import sqlite3
import sys


def main(database: str, fresh: str, statements: str) -> int:
    """Change the database, fold its write-ahead log in, and copy it page by page in order.

    VACUUM INTO copies tables and indices in their order into fresh pages
    (https://sqlite.org/lang_vacuum.html).
    """
    try:
        with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
            for statement, values in json.loads(statements):
                connection.execute(statement, values)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("VACUUM INTO ?", (fresh,))
    except sqlite3.DatabaseError as error:
        print(ascii(str(error)))
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
