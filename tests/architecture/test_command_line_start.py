"""The command line starts quickly: no verb, of client or cluster, brings in torch or Flink before it is used."""

import subprocess
import sys


def test_the_command_line_loads_neither_torch_nor_flink() -> None:
    program = (
        "import sys; from importlib.metadata import entry_points; import fluvial.cli.main as m; "
        "[m.mount(e) for e in sorted(entry_points(group=m.GROUP), key=lambda e: (e.name.count('.'), e.name))]; "
        "print([name for name in ('torch', 'pyflink') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"
