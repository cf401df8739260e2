"""What lies where in a data directory, and what a running stack says of itself there."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from unicodedata import category

from deploy.machine.errors import NotRunning, StackError
from deploy.machine.processes import ProcessIdentity
from deploy.security.credentials import Credentials
from fluvial.identity.brokers import Brokers
from fluvial.identity.federation import Federation
from fluvial.wire.files import check_replaceable, replace_file

if TYPE_CHECKING:
    from fluvial.wire.topic_policy import TopicPolicy

DEFAULT = Path(".fluvial")
_WRONG = "\\:"


@dataclass(frozen=True, slots=True, kw_only=True)
class StackState:
    """What runs. phase: starting, running or stopping. password_servers: where clients
    log in with a password; a secure stack alone has it. rest_url: of the JobManager; empty without a cluster."""

    phase: str
    supervisor: ProcessIdentity
    processes: tuple[ProcessIdentity, ...]
    bootstrap_servers: str = ""
    password_servers: str = ""
    rest_url: str = ""
    restarts: int = 0

    @property
    def alive(self) -> bool:
        return self.supervisor.process() is not None


class DataDirectory:
    """Paths in a data directory: keys, the log, checkpoints and settings survive `down`; the rest is of one run."""

    def __init__(self, root: Path) -> None:
        """Raises ValueError for a path that the programs in it could not take."""
        self.root = _usable(Path(os.path.expanduser(root)))
        self.broker = self.root / "broker"
        self.cluster = self.root / "cluster"
        self.keys = self.root / "keys"
        self.credentials = Credentials(self.root / "tls")
        self.federation_file = self.root / "federation.json"
        self.checkpoints = self.root / "checkpoints"
        self.jobs = self.root / "jobs"
        self.code = self.root / "code"
        self.supervisor_log = self.root / "supervisor.log"
        self.lock_file = self.root / "stack.lock"
        self._state_file = self.root / "stack.json"
        self._wanted_file = self.root / "task-managers"
        self._topic_policy_file = self.root / "topics.json"

    @property
    def option(self) -> str:
        """What a command line must add to name this directory, for a shell; empty for the default one."""
        return "" if self.root == DEFAULT.resolve() else f" --data-dir {shlex.quote(str(self.root))}"

    def make(self) -> None:
        """Make the folder, its owner's alone, and see whether it takes what is written. Raises OSError."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_replaceable(self.root / "stack.json")

    def federation(self) -> Federation:
        """Raises NotRunning where no stack was ever started."""
        try:
            return Federation.load(self.federation_file)
        except FileNotFoundError:
            raise NotRunning(f"no stack was started in {self.root}: start one with `fluvial up{self.option}`") from None

    def brokers(self, principal: str) -> Brokers:
        """The brokers as `admin`, or a role of the stack itself, reaches them. Raises NotRunning as `federation`."""
        federation = self.federation()
        if not self.credentials.exist:
            return federation.brokers
        security = self.credentials.security(principal)
        return Brokers(bootstrap_servers=federation.bootstrap_servers, security=security)

    def topic_policy(self) -> TopicPolicy:
        """What was decided about the topics; the defaults where nothing was. Raises ValueError for a damaged file."""
        from fluvial.wire.topic_policy import TopicPolicy  # late: few commands ask

        if not self._topic_policy_file.exists():
            return TopicPolicy()
        return TopicPolicy.read(self._topic_policy_file)

    def decide_topics(self, policy: TopicPolicy) -> None:
        """Decide about the topics, from the next start of the stack on. Raises StackError while it runs."""
        state = self.state()
        if state is not None and state.alive:
            raise StackError(f"a stack is {state.phase} in {self.root}: stop it with `fluvial down{self.option}` first")
        self.make()
        replace_file(self._topic_policy_file, policy.model_dump_json(indent=1) + "\n")

    def state(self) -> StackState | None:
        """What the last stack wrote of itself, alive or not; None where there is none. Raises StackError where that is
        damaged, or of another release."""
        try:
            content = json.loads(self._state_file.read_text())
            supervisor = ProcessIdentity(**content.pop("supervisor"))
            processes = tuple(ProcessIdentity(**process) for process in content.pop("processes"))
            return StackState(supervisor=supervisor, processes=processes, **content)
        except FileNotFoundError:
            return None
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise StackError(
                f"{self._state_file} does not say what runs here: it is damaged, or of another release. Where no "
                "process of this stack is left, remove the file"
            ) from error

    def running(self) -> StackState:
        """The stack that runs now. Raises NotRunning, also while it still starts or stops."""
        state = self.state()
        if state is None or not state.alive:
            raise NotRunning(f"no stack runs in {self.root}: start one with `fluvial up{self.option}`")
        if state.phase != "running":
            raise NotRunning(f"the stack in {self.root} is {state.phase}; try again in a moment")
        return state

    def write_state(self, state: StackState) -> None:
        replace_file(self._state_file, json.dumps(asdict(state), indent=1))

    def remove_state(self) -> None:
        self._state_file.unlink(missing_ok=True)
        self._wanted_file.unlink(missing_ok=True)

    def want_task_managers(self, count: int) -> None:
        """Ask the supervisor for at least so many TaskManagers in all."""
        replace_file(self._wanted_file, str(count))

    def wanted_task_managers(self) -> int:
        with contextlib.suppress(FileNotFoundError, ValueError):
            return int(self._wanted_file.read_text())
        return 0


def _usable(root: Path) -> Path:
    try:
        path = Path(root).expanduser().resolve()
    except RuntimeError as error:
        raise ValueError(f"the data directory {root} cannot be found: {error}") from error
    wrong = {character for character in str(path) if character in _WRONG or category(character) in ("Cc", "Cs")}
    if wrong:
        raise ValueError(
            f"the data directory {str(path)!r} cannot be used: Flink takes a backslash for a slash, and paths apart at "
            f"colons; neither those may be in it nor what cannot be printed. Choose another one"
        )
    return path
