from deploy.bench.load import Load
from fluvial.identity.envelope import unseal
from fluvial.wire.records import ModelUpdate
from pipelines.validation.unheard import MAX_UNHEARD


def test_every_envelope_is_a_genuine_update_of_its_own() -> None:
    load = Load.of(250)
    tasks = {round_.task: round_ for round_ in load.rounds}
    seen = set()
    for name, raw in load.envelopes():
        update = unseal(raw, ModelUpdate, load.participants[name].public_key)
        round_ = tasks[update.task]
        assert (update.participant, update.round, update.base_digest) == (name, round_.round, round_.base_digest)
        assert update.inline is not None
        assert len(update.inline) == 4 * round_.num_elements
        seen.add((name, update.task))
    assert len(seen) == 250


def test_a_few_envelopes_need_one_task() -> None:
    load = Load.of(3)
    assert (len(load.rounds), len(load.participants), len(list(load.envelopes()))) == (1, 3, 3)


def test_no_participant_has_more_updates_than_may_wait() -> None:
    load = Load.of(60_000)
    assert len(load.tasks) < MAX_UNHEARD
    assert len(load.tasks) * len(load.participants) >= 60_000
