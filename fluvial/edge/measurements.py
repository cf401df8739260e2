"""What evaluation measured of models, from the topic `releases`.

These records are not signed one by one: evaluation's events in the audit log say the same, and `fluvial audit verify`
compares the two. Here the first that is of a version's published model counts, or, where that tells why nothing was
measured, the first that was measured later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from fluvial.identity.federation import Federation
from fluvial.kafka import Message, Transport, read_to_end
from fluvial.wire.errors import FluvialError
from fluvial.wire.foreign_text import logger
from fluvial.wire.framing import decode
from fluvial.wire.records import ModelManifest, ParticipantsMetric, Release
from fluvial.wire.tally import Tally

_log = logger(__name__)


class MeasurementFollower:
    """Releases as they come, from the beginning of the topic."""

    def __init__(self, transport: Transport, federation: Federation) -> None:
        self._reader = transport.read(federation.topics.releases)
        self._skipped = Tally(_log)

    def refresh(self, timeout: float = 30.0) -> list[Release]:
        """What was there when the follower was opened. Raises TransportUnavailable."""
        return [release for message in read_to_end(self._reader, timeout) if (release := self._release(message))]

    def poll(self, timeout: float) -> list[Release]:
        """What has arrived."""
        return [release for message in self._reader.poll(timeout) if (release := self._release(message))]

    def close(self) -> None:
        """Closes the reader."""
        self._reader.close()

    def _release(self, message: Message) -> Release | None:
        try:
            return decode(message.value or b"", Release)
        except FluvialError as error:
            self._skipped.add(f"releases/{message.partition}@{message.offset}", str(error))
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What is known of a model. release: what evaluation measured. told: by version of the release that tells it, what
    participants measured on their held-out examples; in asynchronous windows several releases may."""

    release: Release | None
    told: Mapping[int, tuple[ParticipantsMetric, ...]]


def findings_of(transport: Transport, federation: Federation, manifest: ModelManifest) -> Findings:
    """What is known of the published model. Raises TransportUnavailable."""
    return all_findings(transport, federation, [manifest])[0]


def all_findings(transport: Transport, federation: Federation, manifests: Sequence[ModelManifest]) -> list[Findings]:
    """What is known of each of the published models, in their order. Raises TransportUnavailable."""
    digests = {(each.task, each.version): each.model_digest for each in manifests}
    of_models: dict[tuple[str, int], Release] = {}
    told: dict[tuple[str, int], dict[int, tuple[ParticipantsMetric, ...]]] = {place: {} for place in digests}
    with closing(MeasurementFollower(transport, federation)) as follower:
        for release in follower.refresh():
            place = release.task, release.version
            if digests.get(place) == release.model_digest:
                former = of_models.setdefault(place, release)
                if former.reason and release.again:
                    of_models[place] = release
            for version in {each.version for each in release.participants}:
                if (about := told.get((release.task, version))) is not None:
                    mine = tuple(each for each in release.participants if each.version == version)
                    about.setdefault(release.version, mine)
    return [Findings(release=of_models.get(place), told=told[place]) for place in digests]


def participants_as_dicts(told: Iterable[ParticipantsMetric]) -> list[dict[str, Any]]:
    """For programs."""
    return [{name: getattr(each, name) for name in each.__dataclass_fields__} for each in told]


def participants_as_lines(told: Sequence[ParticipantsMetric]) -> list[str]:
    """For people: a line for each metric and group."""
    lines = []
    for each in told:
        group = f"{each.attribute} {each.group}: " if each.attribute else ""
        lines.append(
            f"{group}{each.metric} {each.mean:.4f} (weighted mean of {each.participants} participants, "
            f"{each.num_examples:,} examples; median {each.p50:.4f}, quartiles {each.p25:.4f} to {each.p75:.4f}, "
            f"tenths {each.p10:.4f} to {each.p90:.4f})"
        )
    return lines


def as_dict(release: Release) -> dict[str, Any]:
    """For programs."""
    return {
        "task": release.task,
        "version": release.version,
        "metrics": _values(release),
        "num_examples": release.num_examples,
        "reason": release.reason,
        "groups": [
            {
                "attribute": group.attribute,
                "group": group.group,
                "num_examples": group.num_examples,
                "metrics": {metric.name: metric.value for metric in group.metrics},
                "reason": group.reason,
            }
            for group in release.groups
        ],
        "participants": participants_as_dicts(release.participants),
    }


def as_lines(release: Release) -> list[str]:
    """For people: all examples first, then a line for each group; nothing where evaluation measured nothing itself."""
    if release.reason:
        return [f"not measured: {release.reason}"]
    if not release.metrics:
        return []
    lines = [f"{_shown(_values(release))} ({release.num_examples:,} examples)"]
    for group in release.groups:
        values = _shown({metric.name: metric.value for metric in group.metrics})
        why = f"; {group.reason}" if group.reason else ""
        lines.append(f"  {group.attribute} {group.group}: {values or 'nothing'} ({group.num_examples:,} examples){why}")
    return lines


def _values(release: Release) -> dict[str, float]:
    return {metric.name: metric.value for metric in release.metrics}


def _shown(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in values.items())
