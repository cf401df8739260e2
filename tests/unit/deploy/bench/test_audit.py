"""The benchmark of the audit stage counts leaves of a log alone."""

import pytest

from deploy.bench.audit import check
from fluvial.transparency.chain import ChainEnd
from fluvial.wire.errors import VerificationError
from governance.audit.sequencer import append
from tests.unit.pipelines.audit.audit_world import event


def test_what_is_no_log_of_one_leaf_an_event_is_no_result() -> None:
    first_end, first = append(ChainEnd(), event(0))
    _, second = append(first_end, event(1))
    _, again = append(first_end, event(0))
    check([first, second])
    for leaves in ([second], [first, first], [first, again]):
        with pytest.raises(VerificationError):
            check(leaves)
