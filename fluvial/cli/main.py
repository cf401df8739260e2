"""The command `fluvial`: how it starts and how it ends.

Python's garbage collector looks at everything that was imported, again and again, and finds nothing to collect: a
quarter of a short command's time. It rests while modules are imported, and passes over them afterwards.
"""

import errno
import gc
import os
import sys
from typing import Any

_OUTPUT_REFUSES = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EBADF, errno.ENXIO}


def run() -> None:
    """Entry point of the script. Ends the process: SIGTERM as Ctrl-C does, and without a word if nobody reads on."""
    gc.disable()
    from fluvial.cli.interruption import interruptible, leave_when_asked
    from fluvial.cli.streams import open_streams, silence_output

    open_streams()
    leave_when_asked()
    from rich.console import Console

    from fluvial.cli.common import Exit, PipedConsole, describe, errors
    from fluvial.cli.verbs import app, mount_for

    # Pages of help are printed by consoles that are not ours; of a pipe that is read no more, all think alike.
    Console.on_broken_pipe = PipedConsole.on_broken_pipe  # type: ignore[method-assign, assignment]
    status: Any = Exit.SUCCESS
    # Outside of the block: an exception in a callback of the import system would be lost, and later signals do nothing.
    sys.argv[1:] = map(_at_home, sys.argv[1:])
    mount_for(sys.argv[1:])
    gc.freeze()
    gc.enable()
    try:
        with interruptible():
            try:
                app()
            except SystemExit as ending:
                status = ending.code
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
    gc.freeze()  # the interpreter's last act would look at it all once more
    sys.exit(status)


def _at_home(word: str) -> str:
    """`--option=~/file` as shells write out `--option ~/file`, without which there would be a folder of that name."""
    option, is_given, value = word.partition("=")
    if word.startswith("--") and is_given and value.startswith("~"):
        return f"{option}={os.path.expanduser(value)}"
    return word
