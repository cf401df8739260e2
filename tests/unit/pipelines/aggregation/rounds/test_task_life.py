"""The life of a task: rounds opened, models published, failures answered."""

import json
from dataclasses import replace
from typing import Any

import pytest

from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.registry.approval import approve
from fluvial.wire.framing import encode, version_of
from fluvial.wire.layout import model_digest
from fluvial.wire.records import (
    ChunkReference,
    Round,
    RoundStatus,
    RoundTransition,
    Task,
    TaskStatus,
    TensorLayout,
    WindowMode,
)
from fluvial.wire.sampling import round_seed
from fluvial.wire.task_file import TaskFile
from models.aggregation.staleness import UNIT
from pipelines.aggregation.messages import Place, RoundFailed, Selected, ShardDone, ShardFailed, Undecided
from pipelines.aggregation.rounds import task_life, task_state, terms
from pipelines.aggregation.rounds.registration import admitted, refusal
from tests.unit.pipelines.aggregation.builders import LAYOUT, a_chunk, an_update

BASE_DIGEST = model_digest([bytes(32), bytes(32)])


def a_task(**changes: Any) -> Task:
    specification: dict[str, Any] = {
        "task": "demo",
        "title": "A demonstration",
        "model": {"architecture": "none"},
        "rounds": 2,
        "quorum": 1,
        "target": 2,
        "deadline_seconds": 5,
        "rule": {"name": "weighted_mean"},
        "limits": {"max_abs": 10.0, "max_norm": 0.0, "max_weight": 100},
        "encodings": ["float32"],
        "chunk_elements": 4,
        "kept_versions": 4,
        "evaluation": {"data": "nowhere", "metrics": ["accuracy"]},
    }
    return Task(
        task="demo",
        specification=json.dumps({**specification, **changes}),
        layout=LAYOUT,
        base_version=0,
        base_digest=BASE_DIGEST,
        base_chunks=(a_chunk(0), a_chunk(1)),
        created_ms=1,
    )


def run(*events: Any) -> tuple[task_life.TaskState, list[list[task_life.Effect]]]:
    """Records of tasks as if each had been signed after the one before."""
    state, effects = None, []
    for number, event in enumerate(events, 1):
        if isinstance(event, Task):
            event = replace(event, created_ms=number)
        state, made = task_life.step(state, event, 5_000)
        if state is not None:
            assert task_state.load(task_state.dump(state)) == state
        effects.append(made)
    assert state is not None
    return state, effects


UPDATES = (an_update(1), an_update(2))


def selected(round_: int, attempt: int = 1) -> Selected:
    """The rule takes the first of two updates."""
    return Selected(Place(round_, attempt), UPDATES, (10, 0), 10)


def done(round_: int, chunks: dict[int, ChunkReference], attempt: int = 1) -> ShardDone:
    return ShardDone(Place(round_, attempt), chunks)


def failed(round_: int, attempt: int = 1) -> RoundFailed:
    return RoundFailed(Place(round_, attempt), 0, "too few")


def test_a_new_task_opens_its_first_round() -> None:
    state, [effects] = run(a_task())
    announce, record = effects
    assert isinstance(announce, task_life.Announce)
    assert (announce.round.round, announce.round.attempt, announce.round.base_version) == (1, 1, 0)
    assert announce.round.deadline_ms == 10_000
    assert announce.round.status is RoundStatus.OPEN
    assert isinstance(record, task_life.Record)
    assert record.event.transition is RoundTransition.OPENED
    assert state.open


def test_rounds_and_manifests_carry_what_version_1_has_no_field_for() -> None:
    """A section of the task file travels without a field of its own; without one, both are records of version 1."""
    made = done(1, {0: a_chunk(10), 1: a_chunk(11)})
    for section, text, version in (
        ({}, "", 1),
        ({"participation": {"min_examples": 9}}, '{"participation":{"min_examples":9}}', 2),
    ):
        _, effects = run(a_task(**section), selected(1), made)
        (announce, _), (publish, *_) = effects[0], effects[2]
        assert isinstance(announce, task_life.Announce)
        assert isinstance(publish, task_life.Publish)
        for record in (announce.round, publish.manifest):
            assert record.terms == text
            assert version_of(encode(record)).number == version


def test_a_model_is_published_when_selection_and_all_chunks_are_there() -> None:
    _, effects = run(
        a_task(),
        done(1, {1: a_chunk(11)}),
        selected(1),
        done(1, {0: a_chunk(10)}),
    )
    assert effects[1] == []
    assert [type(effect) for effect in effects[2]] == [task_life.Record]
    publish, announce, _ = effects[3]
    assert isinstance(publish, task_life.Publish)
    manifest = publish.manifest
    assert (manifest.version, manifest.parent_version, manifest.total_weight) == (1, 0, 10)
    assert manifest.chunks == (a_chunk(10), a_chunk(11))
    assert isinstance(announce, task_life.Announce)
    assert (announce.round.round, announce.round.base_version) == (2, 1)
    assert announce.round.base_digest == manifest.model_digest


def test_the_last_round_finishes_the_task_and_more_rounds_continue_it() -> None:
    chunks = {0: a_chunk(0), 1: a_chunk(1)}
    state, effects = run(
        a_task(rounds=1),
        selected(1),
        done(1, chunks),
        selected(1),
        a_task(rounds=1),
        a_task(rounds=2),
    )
    last = effects[2][1]
    assert isinstance(last, task_life.Announce)
    assert last.round.status is RoundStatus.FINISHED
    assert effects[3] == effects[4] == []
    again = effects[5][0]
    assert isinstance(again, task_life.Announce)
    assert (again.round.round, again.round.status) == (2, RoundStatus.OPEN)
    assert state.round == 2


def test_a_failed_round_is_opened_again_on_the_same_base() -> None:
    state, effects = run(a_task(), failed(1, 1))
    record, announce, _ = effects[1]
    assert isinstance(record, task_life.Record)
    assert (record.event.transition, record.event.reason) == (RoundTransition.FAILED, "too few")
    assert isinstance(announce, task_life.Announce)
    assert (announce.round.round, announce.round.attempt, announce.round.base_version) == (1, 2, 0)
    assert state.attempt == 2


@pytest.mark.parametrize("shard_first", [False, True])
@pytest.mark.parametrize("window", [{}, {"mode": "buffered", "max_staleness": 3}])
def test_a_round_of_which_a_shard_can_make_nothing_gives_its_updates_back(
    shard_first: bool, window: dict[str, Any]
) -> None:
    lost = ShardFailed(Place(1, 1), "a chunk is gone")
    reports = [lost, selected(1)] if shard_first else [selected(1), lost]
    state, effects = run(a_task(window=window), done(1, {0: a_chunk(0)}), *reports, done(1, {1: a_chunk(1)}))
    assert effects[2] == [] or not shard_first
    *_, give_back, record, announce, _ = effects[3]
    assert give_back == task_life.GiveBack(UPDATES)
    assert isinstance(record, task_life.Record)
    assert (record.event.transition, record.event.reason) == (RoundTransition.FAILED, "a chunk is gone")
    assert isinstance(announce, task_life.Announce)
    assert (announce.round.round, announce.round.attempt) == ((2, 1) if window else (1, 2))
    assert announce.round.base_version == state.model.version == 0
    assert effects[4] == []
    assert state.pending == task_life.Pending()


def test_a_reason_is_recorded_in_part_however_long_it_is() -> None:
    _, effects = run(a_task(), RoundFailed(Place(1, 1), 0, "x" * 100_000))
    assert isinstance(effects[1][0], task_life.Record)
    assert effects[1][0].event.reason == "x" * task_life.MAX_REASON


def test_an_old_copy_of_a_record_never_brings_its_terms_back() -> None:
    old, new = a_task(), replace(a_task(rule={"name": "median"}, quorum=2, rounds=5), created_ms=2)
    versions = [replace(new, version=1), replace(a_task(target=3), version=2, created_ms=1)]
    state, _ = task_life.step(None, old, 5_000)
    for newer, older in ((new, old), (versions[0], new), (versions[1], versions[0])):
        state, _ = task_life.step(state, newer, 5_000)
        for copy in (older, old, newer):
            assert task_life.step(state, copy, 5_000) == (state, [])


def announced(effects: list[task_life.Effect]) -> Round:
    (found,) = [effect.round for effect in effects if isinstance(effect, task_life.Announce)]
    return found


BUFFERED = {"mode": "buffered", "max_staleness": 3}


@pytest.mark.parametrize("window", [{}, BUFFERED])
def test_a_round_that_its_rule_could_not_decide_is_followed_by_one_that_takes_new_updates(
    window: dict[str, Any],
) -> None:
    """In an asynchronous window nobody may send a second update of the round: so the next round."""
    _, effects = run(a_task(window=window), Undecided(Place(1, 1), UPDATES, "why"))
    round_ = announced(effects[1])
    assert (round_.round, round_.attempt) == ((2, 1) if window else (1, 2))
    assert (round_.base_version, round_.base_digest) == (0, BASE_DIGEST)
    _, effects = run(a_task(window=window, rounds=1), Undecided(Place(1, 1), UPDATES, "why"))
    assert (announced(effects[1]).round, announced(effects[1]).attempt) == (1, 2)


def test_a_round_announces_its_window_and_whom_it_invites() -> None:
    window = {**BUFFERED, "staleness": {"name": "hinge", "exponent": 0.25, "delay": 1}}
    sampling = {"fraction": 0.2, "over_invitation": 1.5}
    round_ = announced(run(a_task(window=window, sampling=sampling))[1][0])
    assert (round_.window, round_.max_staleness) == (WindowMode.BUFFERED, 3)
    assert json.loads(round_.staleness) == {"name": "hinge", "exponent": 0.25, "delay": 1}
    assert round_.invited_fraction == pytest.approx(0.3)
    assert round_.seed == round_seed("demo", 1, 1, BASE_DIGEST)
    plain = announced(run(a_task(window={"grace_seconds": 1.5}))[1][0])
    assert (plain.window, plain.staleness, plain.grace_ms) == (WindowMode.SYNCHRONOUS, "", 1_500)


@pytest.mark.parametrize("mode", ["synchronous", "buffered", "tumbling"])
def test_an_attempt_that_nobody_came_to_is_followed_by_one_that_draws_others_and_takes_what_the_operator_has_said(
    mode: str,
) -> None:
    idle = {"window": {"mode": mode}, "sampling": {"fraction": 0.5}}
    open_ = run(a_task(**idle))[1]
    _, effects = run(a_task(**idle), failed(1))
    leaves = [effect.event.transition for effect in effects[-1] if isinstance(effect, task_life.Record)]
    assert leaves == [RoundTransition.FAILED, RoundTransition.OPENED]
    assert announced(effects[-1]).seed != announced(open_[-1]).seed

    _, effects = run(a_task(**idle), a_task(**idle, target=3), failed(1))
    assert announced(effects[-1]).target == 3

    paused = replace(a_task(**idle), status=TaskStatus.PAUSED)
    _, effects = run(a_task(**idle), paused, failed(1))
    assert announced(effects[-1]).status is RoundStatus.PAUSED


def test_tumbling_windows_end_at_multiples_of_their_size_one_after_the_other() -> None:
    task = a_task(window={"mode": "tumbling"}, deadline_seconds=4)
    state, effects = task_life.step(None, task, 5_000)
    assert announced(effects).deadline_ms == 8_000
    state, effects = task_life.step(state, failed(1, 1), 8_000)
    assert announced(effects).deadline_ms == 12_000
    _, effects = task_life.step(state, failed(1, 2), 30_001)
    assert announced(effects).deadline_ms == 32_000


def test_a_model_needs_the_chunks_of_its_moments_too() -> None:
    task = a_task(server_optimizer={"name": "adam", "learning_rate": 0.1})
    moments = {index: a_chunk(20 + index) for index in (2, 3, 4, 5)}
    state, effects = run(
        task,
        selected(1),
        done(1, {0: a_chunk(10), 1: a_chunk(11)}),
        done(1, moments),
    )
    assert effects[2] == []
    publish = effects[3][0]
    assert isinstance(publish, task_life.Publish)
    assert publish.manifest.chunks == (a_chunk(10), a_chunk(11))
    assert publish.manifest.optimizer_chunks == tuple(moments.values()) == state.model.optimizer_chunks
    assert announced(effects[3]).optimizer_chunks == state.model.optimizer_chunks


def test_other_terms_hold_from_the_next_round_on_and_some_never() -> None:
    before = a_task()
    after = a_task(
        quorum=2, chunk_elements=8, limits={"max_abs": 1.0, "max_weight": 1}, window=BUFFERED, kept_versions=9
    )
    _, effects = run(before, after, failed(1, 1))
    assert effects[1] == []
    round_ = announced(effects[2])
    assert round_.quorum == 2
    assert (round_.chunk_elements, round_.kept_versions, round_.window) == (4, 4, WindowMode.SYNCHRONOUS)
    assert (round_.max_abs, round_.max_weight) == (10.0, 100)


def test_a_model_is_described_by_the_terms_under_which_its_round_was_open() -> None:
    chunks = {0: a_chunk(0), 1: a_chunk(1)}
    other = a_task(rule={"name": "unweighted_mean"}, rounds=3)
    _, effects = run(a_task(rounds=1), other, selected(1), done(1, chunks))
    publish = effects[3][0]
    opened, following = announced(effects[0]), announced(effects[3])
    assert isinstance(publish, task_life.Publish)
    assert (publish.manifest.rule, publish.manifest.fraction_bits) == (opened.rule, opened.fraction_bits)
    assert (following.round, json.loads(following.rule)["name"]) == (2, "unweighted_mean")
    assert following.fraction_bits > opened.fraction_bits


def test_terms_that_could_not_run_are_told() -> None:
    state, _ = run(a_task())
    assert refusal(None, a_task()) == refusal(state, a_task(rounds=9)) == ""
    assert "unknown aggregation rule" in refusal(state, a_task(rule={"name": "mode"}))
    assert "quorum" in refusal(None, a_task(quorum=5))
    assert "target" in refusal(state, a_task(target=1 << 50))
    assert "2**53" in refusal(None, a_task(target=10_000, limits={"max_abs": 1.0, "max_weight": 1 << 50}))


def test_a_record_that_is_not_of_its_task_or_its_model_is_told() -> None:
    state, _ = run(a_task())
    task = a_task()

    def refused(state: Any = None, **changes: Any) -> str:
        return refusal(state, replace(task, **changes))

    assert "holds the file of other" in refused(specification=a_task(task="other").specification)
    assert "cannot change" in refused(state, layout=LAYOUT[:1])
    assert "negative" in refused(layout=(TensorLayout(name="w", shape=(-5,)),))
    assert "too many" in refused(layout=(TensorLayout(name="w", shape=(1 << 62, 1 << 62)),))
    assert "no elements" in refused(layout=(), base_chunks=())
    assert "2 chunks" in refused(base_chunks=(a_chunk(0),))
    assert "chunk 1" in refused(base_chunks=(a_chunk(0), a_chunk(1, length=12)))
    assert "digest" in refused(base_digest=bytes(32))


def a_task_file(**changes: Any) -> TaskFile:
    return TaskFile.model_validate_json(a_task(**changes).specification)


def test_fraction_bits_leave_room_for_what_the_rule_and_staleness_multiply_with() -> None:
    bits = terms.fraction_bits(a_task_file())
    assert terms.fraction_bits(a_task_file(rule={"name": "unweighted_mean"})) > bits
    assert terms.fraction_bits(a_task_file(window=BUFFERED)) == bits - UNIT.bit_length() + 1
    constant = {**BUFFERED, "staleness": {"name": "constant"}}
    assert terms.fraction_bits(a_task_file(window=constant)) == bits
    assert terms.fraction_bits(a_task_file(window={"mode": "buffered"})) == bits
    limits = {"max_abs": 10.0, "max_weight": 100}
    assert terms.fraction_bits(a_task_file(limits={**limits, "fraction_bits": 20})) == 20
    with pytest.raises(ValueError, match=f"only {bits} fit"):
        terms.fraction_bits(a_task_file(limits={**limits, "fraction_bits": bits + 1}))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rule": {"name": "mode"}}, "unknown aggregation rule"),
        ({"rule": {"name": "trimmed_mean", "num_byzantine": 3}, "quorum": 6, "target": 9}, "quorum"),
        ({"server_optimizer": {"name": "sgd"}}, "server optimizer"),
        ({"limits": {"max_abs": 1e30, "max_weight": 100}}, "2\\*\\*62"),
        ({"limits": {"max_abs": 1.0, "max_weight": 1, "fraction_bits": 62}}, "fraction_bits"),
        ({"target": 1 << 20, "limits": {"max_abs": 1.0, "max_weight": 1 << 18}, "window": BUFFERED}, "2\\*\\*53"),
    ],
)
def test_a_task_that_could_not_run_is_refused(changes: dict[str, Any], said: str) -> None:
    terms.check(a_task_file())
    with pytest.raises(ValueError, match=said):
        terms.check(a_task_file(**changes))


def test_reports_of_a_round_gone_by_change_nothing() -> None:
    before, _ = run(a_task(), failed(1, 1))
    after, effects = task_life.step(before, done(1, {0: a_chunk(0)}), 5_000)
    assert (after, effects) == (before, [])


def a_partial_task(number: int, version: int, **changes: Any) -> Task:
    """What a region's process registers: the parent's round `number` is open on its model `version`."""
    limits = {"max_abs": 10.0, "max_norm": 0.0, "max_weight": 100, "fraction_bits": 40}
    task = a_task(rounds=number, partial=True, limits=limits, evaluation=None, **changes)
    chunks = (a_chunk(100 * version), a_chunk(100 * version + 1))
    return replace(task, base_version=version, base_digest=bytes([version]) * 32, base_chunks=chunks)


CHUNKS = {0: a_chunk(10), 1: a_chunk(11)}


def test_a_region_opens_the_round_of_its_parent_and_publishes_a_sum_without_moving() -> None:
    state, effects = run(a_partial_task(0, 4), a_partial_task(5, 4), selected(5), done(5, CHUNKS))
    assert effects[0] == []
    announce = effects[1][0]
    assert isinstance(announce, task_life.Announce)
    round_ = announce.round
    assert (round_.round, round_.attempt, round_.base_version, round_.base_digest) == (5, 1, 4, bytes([4]) * 32)
    assert (round_.base_chunks, round_.partial, round_.fraction_bits) == ((a_chunk(400), a_chunk(401)), True, 40)
    (publish,) = effects[3]
    assert isinstance(publish, task_life.Publish)
    manifest = publish.manifest
    assert (manifest.partial, manifest.version, manifest.round, manifest.total_weight) == (True, 5, 5, 10)
    assert (manifest.parent_version, manifest.parent_digest) == (4, bytes([4]) * 32)
    assert (state.open, state.model.version, state.round) == (False, 4, 5)


def test_a_region_follows_its_parent_to_the_end() -> None:
    state, effects = run(a_partial_task(1, 0), selected(1), done(1, CHUNKS), a_partial_task(2, 1), a_partial_task(0, 2))
    opened = effects[3][0]
    assert isinstance(opened, task_life.Announce)
    assert (opened.round.round, opened.round.base_version) == (2, 1)
    given_up, last, _ = effects[4]
    assert isinstance(given_up, task_life.Record)
    assert (given_up.event.round, given_up.event.transition) == (2, RoundTransition.FAILED)
    assert isinstance(last, task_life.Announce)
    assert (last.round.status, last.round.base_version) == (RoundStatus.FINISHED, 2)
    assert last.round.base_chunks == (a_chunk(200), a_chunk(201))
    assert not state.open


def test_what_a_region_has_heard_already_opens_nothing_twice() -> None:
    before, _ = run(a_partial_task(3, 2))
    for again in (a_partial_task(3, 2), a_partial_task(2, 1), a_partial_task(0, 0), a_partial_task(0, 2)):
        after, effects = task_life.step(before, again, 5_000)
        assert (after is not None and (after.round, after.model.version, after.open)) == (3, 2, True)
        assert effects == []


def test_a_newer_round_of_the_parent_gives_up_the_one_that_is_open() -> None:
    state, effects = run(a_partial_task(3, 2), selected(3), a_partial_task(4, 3), done(3, CHUNKS))
    _, given_up, opened, _ = effects[2]
    assert isinstance(given_up, task_life.Record)
    assert (given_up.event.round, given_up.event.transition) == (3, RoundTransition.FAILED)
    assert isinstance(opened, task_life.Announce)
    assert (opened.round.round, opened.round.attempt) == (4, 1)
    assert effects[3] == []
    assert state.pending == task_life.Pending()


def test_updates_of_a_round_that_a_region_gives_up_are_answered() -> None:
    """Whether the rule has reported by then or not."""
    next_round = a_partial_task(4, 3)
    _, effects = run(a_partial_task(3, 2), selected(3), next_round)
    assert effects[2][0] == task_life.GiveBack(UPDATES)
    _, effects = run(a_partial_task(3, 2), next_round, selected(3))
    assert effects[2] == [task_life.GiveBack(UPDATES)]


def test_a_region_tries_again_what_failed_as_an_attempt_of_its_own() -> None:
    state, effects = run(a_partial_task(3, 2), failed(3, 1))
    _, announce, _ = effects[1]
    assert isinstance(announce, task_life.Announce)
    assert (announce.round.round, announce.round.attempt, announce.round.base_version) == (3, 2, 2)
    assert state.open


def test_a_region_needs_a_rule_that_adds_up() -> None:
    terms.check(TaskFile.model_validate_json(a_partial_task(0, 0).specification))
    krum = a_partial_task(0, 0, rule={"name": "median"}, quorum=2)
    with pytest.raises(ValueError, match="must be linear, and median is not"):
        terms.check(TaskFile.model_validate_json(krum.specification))


def test_the_keeper_opens_no_round_on_weaker_terms_that_too_few_operators_have_signed() -> None:
    """It remembers the terms before, also where what it is told of was the first that anybody read."""
    federation, anna = (SigningKey.from_seed(bytes([number]) * 32) for number in (1, 2))
    approval = {"operators": 1, "operator_keys": {"anna": anna.public_key.hex()}}
    state, _ = task_life.step(None, a_task(quorum=2, rounds=9, approval=approval), 5_000)
    weaker = replace(a_task(quorum=1, rounds=9, approval=approval), version=1)
    sealed = seal(weaker, federation, "operator")
    with pytest.raises(ValueError, match="quorum need 1 signatures, of anna; there are 0"):
        admitted(state, weaker, sealed)
    halted = replace(weaker, status=TaskStatus.PAUSED)
    assert json.loads(admitted(state, halted, seal(halted, federation, "operator")).specification)["quorum"] == 2
    assert admitted(state, weaker, approve(sealed, anna, "anna")) == weaker
    stronger = replace(a_task(quorum=2, rounds=10, approval=approval), version=1)
    assert admitted(state, stronger, seal(stronger, federation, "operator")) == stronger
