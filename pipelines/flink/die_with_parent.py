"""Run a command that ends when its parent does, even if the parent is killed: `die_with_parent.py PARENT SIGNAL
COMMAND...`, both as numbers.

The command keeps this process's id. Linux sends it the signal at the end of the parent's thread that started it
(prctl(2), PR_SET_PDEATHSIG survives exec), so a thread that starts one has to live as long; elsewhere the command just
runs. A program of its own, because code between fork and exec is not safe with
threads.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def dying_with_us(command: list[str], number: int) -> list[str]:
    """The command under this program: it gets the signal of this number when the calling process has ended."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(int(number)), *command]


if __name__ == "__main__":
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(sys.argv[2]))
        if os.getppid() != int(sys.argv[1]):  # the parent ended before the line above
            sys.exit(1)
    os.execvp(sys.argv[3], sys.argv[3:])
