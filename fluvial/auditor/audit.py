"""What all checks of one audit share."""

from __future__ import annotations

from dataclasses import dataclass

from fluvial.auditor.log import Log
from fluvial.auditor.patience import Patience
from fluvial.auditor.report import Findings
from fluvial.auditor.since import Since


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """log: the leaves that everything is held against. before: what an earlier audit has looked at, which is passed
    over. patience: how long a record may wait for its leaf. findings: what the checks have found so far."""

    log: Log
    before: Since
    patience: Patience
    findings: Findings
