"""Laws of the validation operator: each record has exactly one verdict, and of equal ones the first counts."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from governance.admission.replay import MAX_FAILURES
from tests.laws.effort import examples
from tests.unit.governance.admission.builders import an_update, sealed
from tests.unit.pipelines.validation.stage import ValidationStage, uploaded

bundles = st.lists(st.integers(1, 40), min_size=1, max_size=5).filter(lambda sizes: sum(sizes) <= 120)
pauses = st.lists(st.sampled_from([0, 10, 25, 500]), min_size=5, max_size=5)


@given(bundles, pauses, st.booleans(), st.integers(0, 5))
@examples(12)
def test_of_any_number_of_equal_records_the_first_is_accepted_and_the_others_are_duplicates(
    sizes: Sequence[int], waits: Sequence[int], whole: bool, restart_after: int
) -> None:
    with ValidationStage() as stage:
        raw = uploaded(stage) if whole else sealed(an_update())
        offsets: list[int] = []
        for number, size in enumerate(sizes):
            offsets += stage.send([raw] * size)
            stage.pass_time(waits[number])
            if number == restart_after:
                stage.restart()
        stage.settle()
        if whole:
            expected = [["ACCEPTED"], *[["DUPLICATE_IGNORED"]] * (len(offsets) - 1)]
        else:
            expected = [
                ["INCOMPLETE"] if number < MAX_FAILURES else ["TOO_MANY_FAILURES"] for number in range(len(offsets))
            ]
        assert [stage.reasons()[3, offset] for offset in offsets] == expected
        assert len(stage.reasons()) == len(offsets)
        assert len(stage.accepted) == whole
