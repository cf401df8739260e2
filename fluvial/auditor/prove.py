"""Makes the proof of a leaf from the topics: the receipt that a participant keeps and checks offline."""

from fluvial.auditor.checkpoints import newest_signed, read_checkpoints
from fluvial.auditor.log import read_signed_log
from fluvial.auditor.reader import TopicReader
from fluvial.auditor.report import Findings
from fluvial.identity.federation import Federation
from fluvial.transparency.note import NoteKey
from fluvial.transparency.proof import TlogProof, verify_proof
from fluvial.wire.errors import VerificationError


def prove(reader: TopicReader, federation: Federation, sequence: int) -> tuple[bytes, bytes]:
    """A C2SP tlog-proof of leaf `sequence` under the newest checkpoint, and the leaf.

    Raises VerificationError if there is no such leaf, if no checkpoint covers it yet, or if a checkpoint contradicts
    the leaves.
    """
    topics = federation.topics
    log_key = NoteKey.parse(federation.log_key)
    newest = newest_signed(reader.records(topics.checkpoints), log_key)
    log = read_signed_log(reader, topics.audit, newest, wanted=sequence)
    findings = Findings()
    signed = read_checkpoints(reader.records(topics.checkpoints), log.tree, log_key, findings)
    for problem in findings.problems.kept:
        raise VerificationError(f"{problem.where}: {problem.message}")
    if log.wanted is None:
        raise VerificationError(f"the log has {log.tree.size} leaves; there is no leaf {sequence}")
    if signed.newest is None or signed.newest.size <= sequence:
        raise VerificationError(f"no checkpoint covers leaf {sequence} yet; ask again in a moment")
    hashes = log.tree.inclusion_proof(sequence, signed.newest.size)
    proof = TlogProof(index=sequence, hashes=hashes, checkpoint=signed.note).to_bytes()
    verify_proof(proof, log.wanted, log_key)
    return proof, log.wanted
