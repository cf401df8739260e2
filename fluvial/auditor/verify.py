"""The audit: recomputes everything the federation claims, from its topics and federation.json alone.

1. The leaves, their sequence, chain and tree: `log.py`.
2. What was signed of them: `checkpoints.py`.
3. Verdicts against leaves: `inputs.py`.
4. Inputs against verdicts and enrolled keys: `inputs.py`, `participants.py`.
5. Models against signatures, verdicts and leaves: `manifests.py`.

Left to others: computing a model again from its contributions (`fluvial model replay`), and comparing checkpoints with
those that other observers saw.
"""

import time

from fluvial.auditor.checkpoints import newest_signed, read_checkpoints
from fluvial.auditor.inputs import read_inputs, read_verdicts
from fluvial.auditor.log import read_signed_log
from fluvial.auditor.manifests import ManifestKeys, read_manifests
from fluvial.auditor.participants import read_public_keys
from fluvial.auditor.reader import TopicReader
from fluvial.auditor.report import Problems, Report
from fluvial.identity.federation import Federation
from fluvial.transparency.note import NoteKey


def verify(reader: TopicReader, federation: Federation, *, grace_ms: int = 0, known: bytes | None = None) -> Report:
    """Audit a federation.

    grace_ms: how long, by the brokers' clock, a record may wait for what vouches for it even when newer ones have it (a
    running federation's stages answer out of order). known: note of a checkpoint verified before; a log that does not
    contain it is refused. Raises ValueError if federation.json holds a malformed key, and what the reader raises when
    topics cannot be read.
    """
    started = time.monotonic()
    topics = federation.topics
    log_key = NoteKey.parse(federation.log_key)
    operator_key, registrar_key = bytes.fromhex(federation.operator_key), bytes.fromhex(federation.registrar_key)
    problems, skipped = Problems(), Problems()

    newest = newest_signed(reader.records(topics.checkpoints), log_key)
    log = read_signed_log(reader, topics.audit, newest)
    problems.extend(log.problems)
    # Records that are no leaves are the reason where leaves are missing; elsewhere they are nobody's fault.
    (problems if newest is not None and log.contradicts(newest) else skipped).extend(log.skipped)
    signed = read_checkpoints(reader.records(topics.checkpoints), log.tree, log_key, problems, skipped, known)

    judged_topics = (topics.updates, topics.enrolments)
    judged = read_verdicts(
        reader.records(topics.verdicts),
        reader.begin_offsets(topics.verdicts),
        log,
        frozenset(judged_topics),
        grace_ms,
        problems,
    )
    public_keys = read_public_keys(reader.records(topics.registry), registrar_key, operator_key, problems)
    for participant, keys in log.public_keys.items():
        public_keys.setdefault(participant, set()).update(keys)
    inputs = {
        topic: read_inputs(
            topic, reader.records(topic), reader.begin_offsets(topic), judged, public_keys, grace_ms, problems
        )
        for topic in judged_topics
    }
    manifest_keys = ManifestKeys(aggregator=bytes.fromhex(federation.aggregator_key), operator=operator_key)
    models = read_manifests(
        reader.records(topics.models), log, judged, topics.updates, manifest_keys, grace_ms, problems
    )
    return Report(
        origin=log_key.name,
        size=log.tree.size,
        root=log.tree.root().hex(),
        signed_size=signed.newest.size if signed.newest else 0,
        signed_root=signed.newest.root.hex() if signed.newest else "",
        checkpoint=signed.note.decode(errors="replace"),
        num_checkpoints=signed.count,
        inputs=inputs,
        verdicts=judged.reconciled,
        models=models,
        num_problems=problems.count,
        problems=tuple(problems.kept),
        num_skipped=skipped.count,
        skipped=tuple(skipped.kept),
        seconds=time.monotonic() - started,
    )
