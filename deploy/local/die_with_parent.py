"""Run a command that ends when its parent does, even if the parent is killed: `die_with_parent.py PARENT COMMAND...`

The command keeps this process's id. Linux sends SIGTERM at the parent's end (prctl(2), PR_SET_PDEATHSIG survives exec);
elsewhere the command just runs. A program of its own, because code between fork and exec is not safe with threads.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != int(sys.argv[1]):  # the parent ended before the line above
            sys.exit(1)
    os.execvp(sys.argv[2], sys.argv[2:])
