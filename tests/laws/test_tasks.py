"""Laws of tasks: whatever the operator's record says, it is refused or every record that the job makes of it can be
signed and read again. Nothing raises."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from fluvial.identity.envelope import seal, unseal
from fluvial.identity.keys import SigningKey
from fluvial.wire.framing import encode
from fluvial.wire.layout import model_digest, num_chunks, num_elements
from fluvial.wire.records import ChunkReference, ModelManifest, Round, Task, TaskStatus, TensorLayout
from models.aggregation.rule import RULES as RULES_KNOWN
from pipelines.aggregation.messages import Place, RoundFailed, Selected, ShardDone, ShardFailed, Undecided
from pipelines.aggregation.rounds import task_life, task_state
from pipelines.aggregation.rounds.registration import refusal
from tests.laws.effort import examples
from tests.unit.pipelines.aggregation.builders import an_update
from tests.unit.pipelines.aggregation.committed_log import CommittedLog

KEY = SigningKey.generate()
NOW_MS = 1_800_000_000_000

NUMBERS = st.one_of(
    st.integers(0, 9),
    st.integers(-1, 70).flatmap(lambda bits: st.sampled_from([(1 << max(bits, 0)) - 1, 1 << max(bits, 0)])),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([-1, 0.5, 1e16, 1e300, 1e-300, "3", "1e-05", None, True, [], {}, "�", ""]),
)
TEXTS = st.sampled_from(["demo", "other", "", "ñ", "a" * 200, "mean"])
RULE_NAMES = [*RULES_KNOWN, "mode"]
INNER_RULES = st.sampled_from([{"name": "median"}, {"name": "weighted_mean"}, {"name": "krum", "num_byzantine": 1}, 3])
RULE_NUMBERS = ("num_byzantine", "max_norm", "smoothing", "iterations")
RULES = st.one_of(
    st.fixed_dictionaries(
        {"name": st.sampled_from(RULE_NAMES)},
        optional={**dict.fromkeys(RULE_NUMBERS, NUMBERS), "root": TEXTS, "rule": INNER_RULES},
    ),
    NUMBERS,
)
OPTIMIZERS = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {"name": st.sampled_from(["adam", "yogi", "adagrad", "momentum", "dynamic", "sgd"])},
        optional=dict.fromkeys(("learning_rate", "beta1", "alpha", "adaptivity"), NUMBERS),
    ),
)
STALENESS = st.fixed_dictionaries(
    {"name": st.sampled_from(["constant", "polynomial", "hinge"])}, optional={"exponent": NUMBERS, "delay": NUMBERS}
)
WINDOWS = st.fixed_dictionaries(
    {"mode": st.sampled_from(["synchronous", "buffered", "tumbling"])},
    optional={"grace_seconds": NUMBERS, "max_staleness": NUMBERS, "staleness": STALENESS},
)
GOOD = {
    "task": "demo", "title": "Demo", "model": {"architecture": "none"}, "rounds": 3, "quorum": 2, "target": 3,
    "deadline_seconds": 5, "limits": {"max_abs": 1.0, "max_weight": 10}, "chunk_elements": 4,
}  # fmt: skip
CHANGES = {
    "task": TEXTS, "rounds": NUMBERS, "quorum": NUMBERS, "target": NUMBERS, "deadline_seconds": NUMBERS,
    "chunk_elements": NUMBERS, "kept_versions": NUMBERS, "rule": RULES, "server_optimizer": OPTIMIZERS,
    "window": WINDOWS, "partial": st.booleans(),
    "limits": st.fixed_dictionaries(
        {"max_abs": NUMBERS, "max_weight": NUMBERS}, optional={"max_norm": NUMBERS, "fraction_bits": NUMBERS}
    ),
    "sampling": st.fixed_dictionaries({}, optional={"fraction": NUMBERS, "over_invitation": NUMBERS}),
    "training": st.dictionaries(TEXTS, NUMBERS, max_size=2),
    "encodings": st.lists(st.sampled_from(["float32", "int8", "partial_sum", "int3"]), max_size=2),
    "agreement": st.fixed_dictionaries({"name": TEXTS, "text": TEXTS}),
}  # fmt: skip


def files(max_changes: int) -> st.SearchStrategy[str]:
    """Task files as their registry record holds them: a good one with some fields of anything."""
    chosen = st.lists(st.sampled_from(sorted(CHANGES)), max_size=max_changes, unique=True)
    changed = chosen.flatmap(lambda names: st.fixed_dictionaries({name: CHANGES[name] for name in names}))
    return st.one_of(
        changed.map(lambda fields: json.dumps({**GOOD, **fields})), st.sampled_from(["", "{", "[]", "\x00"])
    )


GOOD_LAYOUT = (TensorLayout(name="weight", shape=(2, 3)), TensorLayout(name="bias", shape=(2,)))
SIZES = st.sampled_from([0, 1, 2, 3, 5, -1, -5, 1 << 31, 1 << 62, (1 << 63) - 1])
LAYOUTS = st.lists(
    st.builds(lambda name, shape: TensorLayout(name=name, shape=tuple(shape)), TEXTS, st.lists(SIZES, max_size=3)),
    max_size=3,
).map(tuple)


def chunks_of(layout: tuple[TensorLayout, ...], chunk_elements: int) -> tuple[ChunkReference, ...]:
    """Of a model of this layout, if there is a small one."""
    try:
        elements = num_elements(layout)
    except ValueError:
        return ()
    sizes = [min(chunk_elements, elements - first) for first in range(0, min(elements, 64), chunk_elements)]
    return tuple(
        ChunkReference(partition=0, offset=at, length=4 * size, sha256=bytes(32)) for at, size in enumerate(sizes)
    )


@st.composite
def tasks(draw: Any) -> Task:
    """Records of which one part may hold anything."""
    wild = draw(st.sampled_from(["file", "file", "layout", "chunks", "base", ""]))
    layout = draw(LAYOUTS) if wild == "layout" else GOOD_LAYOUT
    chunks = chunks_of(layout, 1 if wild == "chunks" else 4)[: 9 if wild == "chunks" else None]
    digest = model_digest([bytes(32)] * len(chunks))
    return Task(
        task="demo",
        specification=draw(files(3)) if wild == "file" else json.dumps(GOOD),
        layout=layout,
        base_version=draw(st.sampled_from([1, 7, -1, 1 << 62, (1 << 63) - 1])) if wild == "base" else 0,
        base_digest=draw(st.sampled_from([digest, bytes(32)])) if wild == "base" else digest,
        base_chunks=chunks,
        created_ms=draw(st.integers(-1, 3)),
        version=draw(st.integers(0, 2)),
    )


def perform(effects: list[task_life.Effect]) -> None:
    """Seal and read again what the keeper would write."""
    for effect in effects:
        match effect:
            case task_life.Announce(round_):
                assert unseal(seal(round_, KEY, "aggregator"), Round, KEY.public_key) == round_
            case task_life.Publish(manifest):
                assert unseal(seal(manifest, KEY, "aggregator"), ModelManifest, KEY.public_key) == manifest
            case task_life.Record(transition):
                encode(transition)


def made(state: task_life.TaskState) -> list[Any]:
    """What the shards and the rule report of the open round: as many updates as it may take."""
    task_file = state.task_file
    moments = len(task_life.terms.moments(task_file))
    count = num_chunks(num_elements(state.model.layout), task_file.chunk_elements) * (1 + moments)
    chunk = ChunkReference(partition=0, offset=1, length=4, sha256=bytes(32))
    update = an_update(
        1, participant="p" * 128, update_id="u" * 128, source_offset=1 << 60, weight=task_file.limits.max_weight
    )
    updates = (update,) * min(task_file.target, 50)
    place = Place(state.round, state.attempt)
    return [
        Selected(place, updates, (1 << 61,) * len(updates), 1 << 52),
        ShardDone(place, dict.fromkeys(range(count), chunk)),
    ]


@given(
    st.lists(
        st.tuples(tasks(), st.sampled_from(["model", "failed", "undecided", "lost", "nothing"])), min_size=1, max_size=4
    )
)
def test_a_task_is_refused_or_all_its_records_can_be_written(history: list[tuple[Task, str]]) -> None:
    state: task_life.TaskState | None = None
    for task, then in history:
        why = refusal(state, task)
        event("refused" if why else "taken")
        if not why:
            state, effects = task_life.step(state, task, NOW_MS)
            perform(effects)
        if state is None or not state.open:
            continue
        reports: list[Any] = []
        if then == "model":
            reports = made(state)
        elif then != "nothing":
            place, why = Place(state.round, state.attempt), "\N{GREEK SMALL LETTER OMEGA}" * 1_000
            lost = [ShardFailed(place, why), made(state)[0]]
            reports = {"failed": [RoundFailed(place, 1, why)], "undecided": [Undecided(place, (), why)], "lost": lost}[
                then
            ]
        for report in reports:
            state, effects = task_life.step(state, report, NOW_MS)
            perform(effects)
        assert state is not None
        assert task_state.load(task_state.dump(state)) == state


TERMS = st.sampled_from(
    [
        {"rule": {"name": "median"}},
        {"rounds": 5},
        {"quorum": 1},
        {"target": 7, "limits": {"max_abs": 0.5, "max_weight": 9}},
    ]
)
HAPPENS = st.one_of(st.sampled_from(["model", "failed", "undecided", "model"]), TERMS, st.sampled_from(TaskStatus))
MODES: dict[str, dict[str, Any]] = {
    "synchronous": {},
    "buffered": {"window": {"mode": "buffered", "max_staleness": 2}},
    "tumbling": {
        "window": {
            "mode": "tumbling",
            "max_staleness": 1,
            "staleness": {"name": "hinge", "exponent": 0.3, "delay": 1},
        }
    },
    "adam": {"server_optimizer": {"name": "adam", "learning_rate": 0.1}, "sampling": {"fraction": 0.3}},
    "grace": {"window": {"grace_seconds": 0.029}, "participation": {"min_examples": 2}, "encodings": ["int8"]},
}


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
@examples(8)
@given(history=st.lists(st.tuples(HAPPENS, st.booleans()), min_size=2, max_size=9))
def test_a_task_that_lost_its_state_at_any_point_goes_on_as_if_it_had_not(
    mode: dict[str, Any], history: list[tuple[Any, bool]]
) -> None:
    """From the log alone: what it announces and publishes then has the same bytes."""
    file = {**GOOD, **mode}
    first = Task(
        task="demo",
        specification=json.dumps(file),
        layout=GOOD_LAYOUT,
        base_version=0,
        base_digest=model_digest([bytes(32)] * 2),
        base_chunks=chunks_of(GOOD_LAYOUT, 4),
        created_ms=0,
    )
    log = CommittedLog()
    log.register(first)
    state, effects = task_life.step(None, first, NOW_MS)
    log.perform(effects)
    with_state = state
    for number, (happens, lost) in enumerate(history, 1):
        assert state is not None
        assert with_state is not None
        if lost and (found := log.recovery().task("demo")) is not None:
            assert not found.owes_next
            state, owed = task_life.obey(found.state, NOW_MS)
            assert owed == []
        events: list[Any] = []
        if isinstance(happens, dict):
            file = {**file, **happens}
            events = [replace(first, specification=json.dumps(file), version=number)]
            log.register(events[0])
        elif isinstance(happens, TaskStatus):
            said = replace(first, specification=json.dumps(file), version=number, status=happens)
            log.register(said)
            why = refusal(with_state, said)
            assert refusal(state, said) == why
            events = [] if why else [said]
        elif with_state.open:
            place = Place(with_state.round, with_state.attempt)
            failure = {"failed": RoundFailed(place, 1, "why"), "undecided": Undecided(place, (), "why")}
            events = made(with_state) if happens == "model" else [failure[happens]]
        for each in events:
            with_state, expected = task_life.step(with_state, each, NOW_MS)
            state, effects = task_life.step(state, each, NOW_MS)
            assert effects == expected
            log.perform(effects)
