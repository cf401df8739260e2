"""The command `fluvial`: how it starts and how it ends.

Python's garbage collector looks at everything that was imported, again and again, and finds nothing to collect: a
quarter of a short command's time. It rests while modules are imported, and passes over them afterwards.

At its end Python takes apart every module, for the system to take back the memory a moment later. The process ends
before that, when threads have ended and what was registered for the end since this module's import has run. What was
registered before (by `sitecustomize`, say, or by a program that imports this module late) does not run.
"""

import atexit
import contextlib
import errno
import gc
import os
import sys
from typing import Any

_OUTPUT_REFUSES = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EBADF, errno.ENXIO}

_NO_WORDS = [] if "_FLUVIAL_COMPLETE" in os.environ else ["--help"]
"""What a command line without any asks for. A shell that completes one tells its words otherwise."""

_status: Any = None
"""The command's, once it is over."""


@atexit.register
def _leave() -> None:
    """What is registered first runs last. Where something else than a command has ended the process, or what was
    printed cannot be written, Python ends and says so."""
    if isinstance(_status, int):
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(_status)


def run() -> None:
    """Entry point of the script. Ends the process: SIGTERM as Ctrl-C does, and without a word if nobody reads on."""
    global _status
    gc.disable()
    from fluvial.cli.interruption import interruptible, leave_when_asked
    from fluvial.cli.streams import open_streams, place_of_output, silence_output

    open_streams()
    leave_when_asked()
    from fluvial.cli.common import Exit, describe, errors
    from fluvial.cli.verbs import app, mount_for

    status: Any = Exit.SUCCESS
    # Outside of the block: an exception in a callback of the import system would be lost, and later signals do nothing.
    sys.argv[1:] = map(_at_home, sys.argv[1:])
    output = place_of_output()
    mount_for(sys.argv[1:] or _NO_WORDS)
    gc.freeze()
    gc.enable()
    try:
        with interruptible():
            try:
                app()
            except SystemExit as ending:
                status = ending.code
                if status == Exit.FAILURE and place_of_output() != output:
                    status = Exit.BROKEN_PIPE  # found by a console of rich that is not ours, as of pages of help
            sys.stdout.flush()
    except KeyboardInterrupt:
        status = Exit.INTERRUPTED
    except BrokenPipeError:
        silence_output()
        status = Exit.BROKEN_PIPE
    except OSError as error:
        if error.errno not in _OUTPUT_REFUSES:  # of a command that is not `reported`
            raise
        silence_output()
        if status == Exit.SUCCESS:
            errors.print(f"error: the output cannot be written: {describe(error)[0]}", markup=False)
            status = Exit.FAILURE
    _status = 0 if status is None else status
    sys.exit(status)


def _at_home(word: str) -> str:
    """`--option=~/file` as shells write out `--option ~/file`, without which there would be a folder of that name."""
    option, is_given, value = word.partition("=")
    if word.startswith("--") and is_given and value.startswith("~"):
        return f"{option}={os.path.expanduser(value)}"
    return word
