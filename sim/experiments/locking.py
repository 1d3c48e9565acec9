"""A file that one process at a time may hold."""

from __future__ import annotations

import errno
from typing import IO

try:
    import fcntl
except ImportError:  # Windows, where nothing keeps two processes apart
    LOCKS = False
else:
    LOCKS = True

WITHOUT = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
"""What file systems answer that have no locks, such as those of clusters."""


def lock(stream: IO[str]) -> bool:
    """Hold an open file until it is closed; return whether nobody else holds it.

    True without holding it on systems and file systems that have no such locks.
    """
    if not LOCKS:
        return True
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in WITHOUT:
            raise
    return True
