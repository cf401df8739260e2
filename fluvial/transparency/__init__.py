"""Transparency log: Merkle tree (RFC 6962), signed notes, checkpoints, cosignatures and proofs (C2SP).

Formats: https://c2sp.org/signed-note, /tlog-checkpoint, /tlog-cosignature, /tlog-proof. Nothing here reads a topic or a
clock.
"""
