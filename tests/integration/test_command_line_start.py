"""The command line starts quickly: no verb, of client or cluster, brings in torch or Flink before it is used, and none
brings in what only others need."""

import subprocess
import sys
from pathlib import Path

import pytest


def loaded_by(verb: str, *modules: str) -> list[str]:
    """Those of the modules that mounting a verb loads; every verb where none is named."""
    program = (
        f"import sys, fluvial.cli.verbs as m; m.mount_for({[verb] if verb else []!r}); "
        f"print(*[name for name in {modules!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.split()


def test_the_command_line_loads_neither_torch_nor_flink() -> None:
    assert loaded_by("", "torch", "pyflink") == []


@pytest.mark.parametrize("verb", ["up", "down", "status", "submit"])
def test_verbs_about_processes_load_nothing_that_computes(verb: str) -> None:
    assert loaded_by(verb, "numpy", "kafka", "fluvial.edge", "fluvial.cli.audit", "deploy.demo") == []


@pytest.mark.parametrize("words", ["status", "model list", "rounds invited", "task list", "release list", "audit tail"])
def test_verbs_that_look_load_nothing_that_computes_or_checks_what_people_write(words: str) -> None:
    heavy = ("numpy", "cryptography", "yaml", "pydantic", "fastavro", "email", "importlib.metadata")
    program = (
        f"import sys, fluvial.cli.verbs as m; m.mount_for({words.split()!r}); import deploy.federation.health; "
        f"import fluvial.kafka.librdkafka.backend; print(*[name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == []


@pytest.mark.parametrize("verb", ["status", "up", "submit", "task", "rounds"])
def test_what_prints_tables_comes_when_one_is_printed(verb: str) -> None:
    assert loaded_by(verb, "rich") == (["rich"] if verb == "task" else [])


def test_a_command_that_ran_has_loaded_nothing_that_checks_what_people_write(tmp_path: Path) -> None:
    """Typer looks at a command's words when all is mounted."""
    program = (
        f"import atexit, sys; sys.argv = ['fluvial', 'status', '--json', '--data-dir', {str(tmp_path)!r}]; "
        "from fluvial.cli.main import run; "
        "heavy = ('pydantic', 'importlib.metadata'); "
        "atexit.register(lambda: print(*[name for name in heavy if name in sys.modules])); run()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.split()) == (1, [])
    assert "no stack runs in" in done.stderr or "no stack was started in" in done.stderr


def test_what_help_says_of_the_verbs_is_what_they_say_when_they_are_loaded() -> None:
    program = "import sys; sys.argv = ['fluvial', '--help']; from fluvial.cli import verbs; {mounted}; verbs.app()"
    both = [
        subprocess.run([sys.executable, "-c", program.format(mounted=mounted)], capture_output=True, text=True)
        for mounted in ("verbs.mount_for(['--help'])", "verbs.mount_for([])")
    ]
    assert both[0].stdout == both[1].stdout
    assert "participate" in both[0].stdout
    assert "status" in both[0].stdout


def test_help_and_typing_errors_load_no_verb() -> None:
    for words in ("--help", "unknown"):
        assert loaded_by(words, "deploy.commands.up", "fluvial.cli.rounds", "numpy", "confluent_kafka") == []


def test_the_demo_begins_broker_and_job_before_it_imports_what_comes_later() -> None:
    later = ("numpy", "rich", "cryptography", "deploy.demo.federation", "fluvial.auditor", "pipelines.replay")
    assert loaded_by("demo", *later) == []


def test_the_version_is_told_without_any_verb() -> None:
    assert loaded_by("--version", "fluvial.cli.model", "deploy.commands.up") == []


def test_what_was_imported_is_no_work_for_the_garbage_collector() -> None:
    """A quarter of a short command's time, else."""
    program = (
        "import atexit, gc, sys; sys.argv = ['fluvial', '--version']; from fluvial.cli.main import run; "
        "atexit.register(lambda: print(gc.isenabled(), gc.get_freeze_count() > 10_000)); run()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split()[-2:] == ["True", "True"]


def test_the_graph_of_the_usual_stages_is_built_without_torch() -> None:
    """It is built anew at each submission; torch is loaded where a model is evaluated first."""
    stages = [f"pipelines.{stage}.job" for stage in ("validation", "aggregation", "evaluation", "audit")]
    program = f"import sys, pipelines.main, {', '.join(stages)}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "False"


def test_a_task_of_what_is_built_in_is_created_without_torch() -> None:
    """Its import takes longer than all else that creating a task does."""
    program = (
        "import sys, deploy.acts.tasks; from deploy.acts.first_model import first_model; "
        "from fluvial.edge.packages.allowed import NO_PACKAGES; from fluvial.wire.task_file import TaskFile; "
        "from pathlib import Path; "
        "model = first_model(TaskFile.read(Path('deploy/tasks/heart/task.yaml')), NO_PACKAGES); "
        "model.check_measured(); print(len(model.elements()), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["46", "False"]
