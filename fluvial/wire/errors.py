"""Errors of the client library.

    FluvialError
    ├── DecodeError                 bytes are not the record they should be
    │   ├── Malformed               cut short, of another shape, out of range
    │   ├── OtherFederation         signed for another federation, or for none
    │   ├── SchemaUnknown           no pinned schema has this fingerprint, or not the one expected
    │   └── NonCanonical            decodes, but other bytes mean the same record
    ├── VerificationError           something is not proven
    │   └── SignatureInvalid        the signature is not the key's
    ├── ChunkUnavailable            a chunk is gone, or is not the one referred to
    ├── TransportError              the broker did not answer or refused (retriable)
    └── Refused                     the federation refused: enrolment, update, task

`retriable` says whether the same call may succeed later.
"""

from typing import ClassVar


class FluvialError(Exception):
    """Any error of Fluvial that a caller may want to handle."""

    retriable: ClassVar[bool] = False


class DecodeError(FluvialError):
    """Bytes are not the record they should be. The only error that decoding hostile bytes gives."""


class Malformed(DecodeError):
    """Cut short, of another shape, or a number out of range."""


class OtherFederation(DecodeError):
    """A record that was signed for another federation, prefix or incarnation, or names none."""


class SchemaUnknown(DecodeError):
    """No pinned schema has this fingerprint, or it is not the expected one."""


class NonCanonical(DecodeError):
    """The bytes decode, but are not the ones that the record encodes to."""


class VerificationError(FluvialError):
    """Something is not proven: a proof, a chain, a checkpoint."""


class SignatureInvalid(VerificationError):
    """The signature is not the key's, or the key is not one that is accepted."""


class ChunkUnavailable(FluvialError):
    """A chunk is gone, or is not the one that a reference names."""


class TransportError(FluvialError):
    """The broker did not answer, or refused."""

    retriable: ClassVar[bool] = True


class Refused(FluvialError):
    """The federation refused what was asked for; the message says why."""
