"""Verdicts that hold when they are taken again: refusals of floods, and what was accepted before a withdrawal."""

from fluvial.admission.rates import LEAST_BURST
from fluvial.auditor.keys import HEARD_MS
from fluvial.auditor.verify import verify
from fluvial.wire.records import Decision, Reason, SignedAgreement, WithdrawnAgreement
from tests.unit.fluvial.auditor.world import honest_world


def test_what_somebody_sends_too_much_may_be_refused_unopened() -> None:
    """A participant's flood, and one of names that nobody has."""
    world = honest_world()
    world.now_ms += 2 * HEARD_MS
    for name in ("anna", "nobody"):
        for number in range(LEAST_BURST + 2):
            key = b"%s-%d" % (name.encode(), number) if name == "nobody" else name.encode()
            record = world.append(world.topics.updates, b"junk %d" % number, key)
            reason = Reason.ENVELOPE if number < LEAST_BURST else Reason.OVER_RATE
            world.judge(record, key.decode(), 0, Decision.REJECT, reason=reason)
    world.sequence()
    world.sign()
    report = verify(world, world.federation, now_ms=world.now_ms)
    assert report.verified, report.problems


def test_what_was_accepted_before_a_withdrawal_stays() -> None:
    world = honest_world()
    terms = SignedAgreement(agreement="terms", sha256=bytes(32))
    world.enrol("anna", version=1, agreements=(terms,), request_sha256=b"s" * 32)
    world.now_ms += 2 * HEARD_MS
    world.open_round(3, agreement="terms")
    world.judge(world.update("anna", 3), "anna", 3)
    world.enrol("anna", version=2, request_sha256=b"w" * 32)
    world.sequence()
    world.sign()
    report = verify(world, world.federation, now_ms=world.now_ms)
    assert report.verified, report.problems


def test_a_withdrawal_takes_effect_with_the_next_round() -> None:
    """Long after it an update for the round that was open is accepted still, and one for the next is refused."""
    world = honest_world()
    terms = SignedAgreement(agreement="terms", sha256=bytes(32))
    world.enrol("anna", version=1, agreements=(terms,), request_sha256=b"s" * 32)
    world.open_round(3, agreement="terms", opened_ms=world.now_ms)
    gone = WithdrawnAgreement(agreement="terms", sha256=bytes(32), withdrawn_ms=world.now_ms + 5)
    world.now_ms += 10
    world.enrol("anna", version=2, request_sha256=b"w" * 32, withdrawn=(gone,))
    world.now_ms += 2 * HEARD_MS
    world.judge(world.update("anna", 3), "anna", 3)
    world.open_round(4, agreement="terms", opened_ms=world.now_ms)
    world.judge(world.update("anna", 4), "anna", 4, Decision.REJECT, reason=Reason.AGREEMENT_WITHDRAWN)
    world.sequence()
    world.sign()
    report = verify(world, world.federation, now_ms=world.now_ms)
    assert report.verified, report.problems
