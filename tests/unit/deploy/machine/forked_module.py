"""What the tests of the fork server have forked: `main` does what its first argument says."""

from __future__ import annotations

import os
import sys
import threading
import time

IMPORTED_BY = os.getpid()


def main() -> None:
    match sys.argv[1:]:
        case ["say", text]:
            line = f"{text} {os.getpid() != IMPORTED_BY} {threading.active_count()}\n"
            os.write(sys.stdout.fileno(), line.encode())  # at once: another writes to the same file
        case ["end", status]:
            sys.exit(int(status) if status.isdigit() else status)
        case ["raise"]:
            raise ValueError("what went wrong")
        case ["stay"]:
            print("stays", flush=True)
            time.sleep(600)
