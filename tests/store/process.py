"""A process of its own that uses the embedded server: says where it is, and leaves when told to.

python -m tests.store.process <data> [<user>]
"""

import asyncio
import concurrent.futures.thread  # noqa: F401  loaded before the user changes, who may be unable to read it
import json
import os
import pwd
import sys
from pathlib import Path

import asyncpg

from engine.errors import EmbeddedServerError
from engine.store.embedded import EmbeddedServer


async def main(data: Path) -> None:
    """Start or adopt, report on stdout, wait for a line on stdin, leave."""
    server = EmbeddedServer(data)
    try:
        address = await server.start()
    except EmbeddedServerError as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return
    connection = await asyncpg.connect(**address.arguments())
    who = await connection.fetchval("select session_user")
    await connection.close()
    print(json.dumps({"host": address.host, "who": who}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await server.stop()
    print(json.dumps({"left": True}), flush=True)


def become(user: str) -> None:
    """Be that user from here on. Not before Python has started: it may be in a folder that user cannot enter."""
    entry = pwd.getpwnam(user)
    os.setgroups(())
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        become(sys.argv[2])
    asyncio.run(main(Path(sys.argv[1])))
