"""Terms that were weakened in order: the audit doubts none of them. Forgeries are in `forgeries.py`."""

from fluvial.auditor.report import Report
from fluvial.auditor.verify import verify
from fluvial.wire.terms import terms_text
from tests.unit.fluvial.auditor.world import World, honest_world


def audited(world: World) -> Report:
    world.sequence()
    world.sign()
    report = verify(world, world.federation, now_ms=world.now_ms)
    assert report.verified, report.problems
    return report


def test_what_enough_operators_have_signed_may_be_weaker() -> None:
    world = honest_world()
    terms = terms_text(world.register(0))
    world.open_round(3, terms=terms)
    world.register(1, "olga", "oskar", quorum=1, target=1)
    world.register(2, quorum=1, target=1, rounds=12)
    world.open_round(4, terms=terms, quorum=1, target=1)
    assert "TERMS" not in audited(world).on_trust


def test_who_names_operators_for_the_first_time_needs_none_of_them() -> None:
    world = honest_world()
    world.register(0, approval={})
    world.open_round(3)
    file = world.register(1, quorum=1)
    world.open_round(4, terms=terms_text(file), quorum=1)
    assert "TERMS" not in audited(world).on_trust


def test_terms_may_become_stronger_and_others_that_no_round_states_may_change() -> None:
    world = honest_world()
    terms = terms_text(world.register(0, licence="one"))
    world.open_round(3, terms=terms)
    world.register(1, "otto", "olga", quorum=3, target=3, licence="other")
    world.open_round(4, terms=terms, quorum=3, target=3)
    assert "TERMS" not in audited(world).on_trust


def test_what_compaction_took_is_taken_on_trust() -> None:
    """Version 1, which two operators have signed, is gone; version 2 weakens nothing beyond it, so one has signed."""
    world = honest_world()
    terms = terms_text(world.register(0))
    world.open_round(3, terms=terms)
    world.register(2, quorum=1, target=1, rounds=12)
    del world.kept[world.topics.registry][-2]
    world.open_round(4, terms=terms, quorum=1, target=1)
    assert audited(world).on_trust["TERMS"] == 1


def test_a_copy_of_a_record_hides_no_weakening_that_nobody_has_signed() -> None:
    """Anybody may write copies to the registry, the operator who opens the round too."""
    world = honest_world()
    terms = terms_text(world.register(0))
    world.open_round(3, terms=terms)
    world.register(1, rounds=12)
    first = next(record for record in world.kept[world.topics.registry] if (record.key or b"").startswith(b"task/"))
    world.append(world.topics.registry, first.value or b"", first.key or b"")
    world.open_round(4, terms=terms, quorum=1, target=1)
    world.sequence()
    world.sign()
    report = verify(world, world.federation, now_ms=world.now_ms)
    assert any("weaken quorum" in problem.message for problem in report.problems), report.problems
