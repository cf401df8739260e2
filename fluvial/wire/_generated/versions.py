"""Every version of every record: schema, fingerprint and digest.

Generated from schemas/*.avsc and schemas/versions by `python -m schemas.generate`; do not edit.
"""

# ruff: noqa: E501 - schema texts stand on one line each

from __future__ import annotations

from fluvial.wire import records
from fluvial.wire.version import Version

VERSIONS: dict[type, tuple[Version, ...]] = {
    records.AcceptedUpdate: (
        Version(
            record=records.AcceptedUpdate,
            number=1,
            fingerprint=bytes.fromhex("542588afabc74090"),
            sha256="21b58b1389040870ad35797111703afa23002ff4f3c7c146ede31ff41b66701a",
            schema='{"doc":"An accepted update on its way to aggregation: references, not tensors.","fields":[{"doc":"Task.","name":"task","type":"string"},{"doc":"Round.","name":"round","type":"long"},{"doc":"Attempt.","name":"attempt","type":"int"},{"doc":"Participant.","name":"participant","type":"string"},{"doc":"Update.","name":"update_id","type":"string"},{"doc":"Partition of the envelope in topic updates.","name":"source_partition","type":"int"},{"doc":"Its offset.","name":"source_offset","type":"long"},{"doc":"Its broker time.","name":"source_timestamp_ms","type":"long"},{"doc":"SHA-256 of the raw envelope, 32 bytes.","name":"record_sha256","type":"bytes"},{"doc":"Weight.","name":"weight","type":"long"},{"doc":"Tensor encoding.","name":"encoding","type":"string"},{"doc":"int8: one scale per tensor; partial_sum: what its integers are divided by.","name":"scales","type":{"items":"double","type":"array"}},{"default":null,"doc":"The encoded delta of a small update.","name":"inline","type":["null","bytes"]},{"doc":"Chunks of the encoded delta.","name":"chunks","type":{"items":{"doc":"One chunk of tensor bytes: where it lies in its blob topic and what its bytes must be.","fields":[{"doc":"Partition of the blob topic.","name":"partition","type":"int"},{"doc":"Offset of the record that holds the chunk.","name":"offset","type":"long"},{"doc":"Bytes of the chunk.","name":"length","type":"int"},{"doc":"SHA-256 of the chunk, 32 bytes.","name":"sha256","type":"bytes"}],"name":"ChunkReference","type":"record"},"type":"array"}}],"name":"AcceptedUpdate","namespace":"org.fluvial.v1","type":"record"}',
        ),
    ),
    records.Agreement: (
        Version(
            record=records.Agreement,
            number=1,
            fingerprint=bytes.fromhex("af4e5d9e9d30254d"),
            sha256="9b24d030cd59ced256752b44a61952e67756d2f443fe6ca163f8274f0cc5e92f",
            schema='{"doc":"Terms that participants sign. Signed by the operator; in the topic registry.","fields":[{"doc":"Name.","name":"agreement","type":"string"},{"doc":"The terms.","name":"text","type":"string"},{"doc":"In force from.","name":"valid_from_ms","type":"long"},{"doc":"In force until.","name":"valid_until_ms","type":"long"}],"name":"Agreement","namespace":"org.fluvial.v1","type":"record"}',
        ),
        Version(
            record=records.Agreement,
            number=2,
            fingerprint=bytes.fromhex("35925108a77fbea1"),
            sha256="df004627029dfd9ba37a358485e3826c2e92cd1660f3e68c6589def10d6b3376",
            schema='{"doc":"Terms that participants sign. Signed by the operator; in the topic registry.","fields":[{"doc":"Name.","name":"agreement","type":"string"},{"doc":"The terms.","name":"text","type":"string"},{"doc":"In force from.","name":"valid_from_ms","type":"long"},{"doc":"In force until.","name":"valid_until_ms","type":"long"},{"default":0,"doc":"Which text of this entry: counted up by whoever signs it, so that an older one cannot come back; 0: not counted.","name":"version","type":"long"}],"name":"Agreement","namespace":"org.fluvial.v1","type":"record"}',
        ),
    ),
    records.AuditEvent: (
        Version(
            record=records.AuditEvent,
            number=1,
            fingerprint=bytes.fromhex("3346e0adb5d45ab8"),
            sha256="a81d067af78d65b61242c681b2085aff9faf998065ca65d28716c55b8933a6d6",
            schema='{"doc":"Something that happened, for the audit log: a CloudEvent whose data is an Avro record. Its id is a function of its cause, so that a repeat can be recognised.","fields":[{"doc":"CloudEvents id, deterministic.","name":"id","type":"string"},{"doc":"CloudEvents source: the stage.","name":"source","type":"string"},{"doc":"CloudEvents type: org.fluvial.<record>.v1.","name":"type","type":"string"},{"doc":"CloudEvents subject: the participant, task or model concerned.","name":"subject","type":"string"},{"doc":"Broker time of the cause.","name":"time_ms","type":"long"},{"doc":"Avro single-object encoding of the record: enums, numbers and digests, at most 32 KiB.","name":"data","type":"bytes"}],"name":"AuditEvent","namespace":"org.fluvial.v1","type":"record"}',
        ),
    ),
    records.EnrolmentRequest: (
        Version(
            record=records.EnrolmentRequest,
            number=1,
            fingerprint=bytes.fromhex("59efa33e4c96b88f"),
            sha256="8d9b3dc2107444bd18765067d7f18d0cbbe42b2a1643701c573af401c753ca14",
            schema='{"doc":"A participant asks to take part, proves its key and signs agreements. Self-signed; payload of the topic enrolments.","fields":[{"doc":"Participant.","name":"participant","type":"string"},{"doc":"Ed25519 public key, 32 bytes.","name":"public_key","type":"bytes"},{"doc":"The one-time token; empty when an enrolled participant signs a further agreement.","name":"token","type":"string"},{"doc":"Agreements it signs.","name":"agreements","type":{"items":{"doc":"An agreement that the participant signed by signing its enrolment.","fields":[{"doc":"Name.","name":"agreement","type":"string"},{"doc":"SHA-256 of the agreement\'s signed payload, 32 bytes.","name":"sha256","type":"bytes"}],"name":"SignedAgreement","type":"record"},"type":"array"}},{"doc":"The device.","name":"device","type":{"doc":"What a device says of itself at enrolment.","fields":[{"doc":"Operating system.","name":"platform","type":"string"},{"doc":"Processor architecture.","name":"machine","type":"string"},{"doc":"Main memory; 0 where unknown.","name":"memory_bytes","type":"long"},{"doc":"GPU or NPU; empty for none.","name":"accelerator","type":"string"},{"doc":"ethernet, wifi, cellular, or empty where unknown.","name":"network","type":"string"}],"name":"DeviceProfile","type":"record"}},{"doc":"The device\'s clock: a claim.","name":"requested_ms","type":"long"}],"name":"EnrolmentRequest","namespace":"org.fluvial.v1","type":"record"}',
        ),
    ),
    records.EnrolmentToken: (
        Version(
            record=records.EnrolmentToken,
            number=1,
            fingerprint=bytes.fromhex("a27c4185cfbfd956"),
            sha256="84e9a0898c079ce135357cad33dd6a55231c5953e37fb98b59e7b4af02561ca9",
            schema='{"doc":"A one-time token that lets one participant enrol. Signed by the operator; in the topic registry.","fields":[{"doc":"SHA-256 of the token, 32 bytes; the token itself goes to the participant out of band.","name":"token_sha256","type":"bytes"},{"doc":"The participant it is for.","name":"participant","type":"string"},{"doc":"Broker time after which it is void.","name":"expires_ms","type":"long"}],"name":"EnrolmentToken","namespace":"org.fluvial.v1","type":"record"}',
        ),
        Version(
            record=records.EnrolmentToken,
            number=2,
            fingerprint=bytes.fromhex("8df3c47c5d0dda3d"),
            sha256="7612cee6e78dffc0b670e4ec662079dc2ed7f0a9e1064badd0d1233210aefa9e",
            schema='{"doc":"A one-time token that lets one participant enrol. Signed by the operator; in the topic registry.","fields":[{"doc":"SHA-256 of the token, 32 bytes; the token itself goes to the participant out of band.","name":"token_sha256","type":"bytes"},{"doc":"The participant it is for.","name":"participant","type":"string"},{"doc":"Broker time after which it is void.","name":"expires_ms","type":"long"},{"default":0,"doc":"Which text of this entry: counted up by whoever signs it, so that an older one cannot come back; 0: not counted.","name":"version","type":"long"}],"name":"EnrolmentToken","namespace":"org.fluvial.v1","type":"record"}',
        ),
    ),
    records.Envelope: (
        Version(
            record=records.Envelope,
            number=1,
            fingerprint=bytes.fromhex("7e9dcc9a5cf39827"),
            sha256="bf5182b1865cd2e677195a733c8dd278c6f96d3180c9a253806d12984be72a2b",
            schema='{"doc":"DSSE envelope (secure-systems-lab/dsse v1.0.2) in Avro: the signatures cover the pre-authentication encoding of payload_type and the raw payload bytes, and are checked before the payload is decoded.","fields":[{"doc":"Media type of the payload: application/vnd.fluvial.<record>.v1+avro.","name":"payload_type","type":"string"},{"doc":"Avro single-object encoding of the record.","name":"payload","type":"bytes"},{"doc":"At least one.","name":"signatures","type":{"items":{"doc":"One signature over the envelope.","fields":[{"doc":"Participant or service that claims to have signed: a hint until the signature is verified.","name":"keyid","type":"string"},{"doc":"Ed25519 signature, 64 bytes.","name":"signature","type":"bytes"}],"name":"Signature","type":"record"},"type":"array"}}],"name":"Envelope","namespace":"org.fluvial.v1","type":"record"}',
        ),
    ),
    records.ModelManifest: (
        Version(
            record=records.ModelManifest,
            number=1,
            fingerprint=bytes.fromhex("8f4c1da5d05fcf6f"),
            sha256="3490b46353e74e413c048579687f721362eb79d47feba5da246b7df0299522db",
            schema='{"doc":"A published model: where its chunks lie, what they must be, and everything needed to compute it again. Signed by the aggregator (version 0: by the operator); payload of the topic models.","fields":[{"doc":"Task.","name":"task","type":"string"},{"doc":"Version; 0 is the initial model.","name":"version","type":"long"},{"doc":"Version it was computed from; -1 for none.","name":"parent_version","type":"long"},{"doc":"Digest of the parent, 32 bytes; empty for none.","name":"parent_digest","type":"bytes"},{"doc":"Round that made it; 0 for the initial model.","name":"round","type":"long"},{"doc":"Attempt of that round.","name":"attempt","type":"int"},{"doc":"Aggregation rule, as JSON.","name":"rule","type":"string"},{"doc":"Server optimizer, as JSON; empty for none.","name":"server_optimizer","type":"string"},{"doc":"How updates of earlier rounds were weighted, as JSON; empty: as those of the round.","name":"staleness","type":"string"},{"doc":"Fraction bits of the fixed-point sum.","name":"fraction_bits","type":"int"},{"doc":"What the exact sums are divided by; of a weighted mean the weights of the contributions that were selected.","name":"total_weight","type":"long"},{"doc":"Layout of the model.","name":"layout","type":{"items":{"doc":"One tensor of a model; models and updates are these tensors, flattened in row-major order and concatenated.","fields":[{"doc":"Name within the model.","name":"name","type":"string"},{"doc":"Sizes of its dimensions; empty for a scalar.","name":"shape","type":{"items":"long","type":"array"}}],"name":"TensorLayout","type":"record"},"type":"array"}},{"doc":"Elements of the flattened model.","name":"num_elements","type":"long"},{"doc":"Elements per chunk.","name":"chunk_elements","type":"int"},{"doc":"Chunks of little-endian elements in topic model-blobs, in chunk order: float32, or int64 of a partial sum.","name":"chunks","type":{"items":{"doc":"One chunk of tensor bytes: where it lies in its blob topic and what its bytes must be.","fields":[{"doc":"Partition of the blob topic.","name":"partition","type":"int"},{"doc":"Offset of the record that holds the chunk.","name":"offset","type":"long"},{"doc":"Bytes of the chunk.","name":"length","type":"int"},{"doc":"SHA-256 of the chunk, 32 bytes.","name":"sha256","type":"bytes"}],"name":"ChunkReference","type":"record"},"type":"array"}},{"doc":"The optimizer\'s moments after this version, float32: for each moment the chunks in chunk order; empty for none.","name":"optimizer_chunks","type":{"items":"ChunkReference","type":"array"}},{"doc":"SHA-256 over the concatenated SHA-256 of the chunks, 32 bytes.","name":"model_digest","type":"bytes"},{"doc":"The round\'s updates, ordered by record_sha256.","name":"contributions","type":{"items":{"doc":"One update that the round had.","fields":[{"doc":"Participant.","name":"participant","type":"string"},{"doc":"Update.","name":"update_id","type":"string"},{"doc":"Partition of its envelope in topic updates.","name":"source_partition","type":"int"},{"doc":"Offset of its envelope.","name":"source_offset","type":"long"},{"doc":"SHA-256 of its raw envelope, 32 bytes.","name":"record_sha256","type":"bytes"},{"doc":"Its weight.","name":"weight","type":"long"},{"doc":"Whether the rule took it in.","name":"selected","type":"boolean"},{"doc":"What the rule made of it: its coefficients in the sums, added up; 0 for an update that the rule left out.","name":"effective_weight","type":"long"},{"doc":"Round that it was trained for: earlier than the manifest\'s in asynchronous windows.","name":"round","type":"long"}],"name":"Contribution","type":"record"},"type":"array"}},{"doc":"Whether the chunks are the exact sum of the round, for a parent federation, and no model.","name":"partial","type":"boolean"},{"doc":"When it was published.","name":"created_ms","type":"long"}],"name":"ModelManifest","namespace":"org.fluvial.v1","type":"record"}',
        ),
    ),
    records.ModelUpdate: (
        Version(
            record=records.ModelUpdate,
            number=1,
            fingerprint=bytes.fromhex("ab8cd56498b377c9"),
            sha256="71b566d229cc0189456ddb23750045582a744bb4e2f068a987372a460cc272c6",
            schema='{"doc":"What a participant contributes to a round: the difference between its trained model and the round\'s base model. Payload of the topic updates.","fields":[{"doc":"Task.","name":"task","type":"string"},{"doc":"Round, from 1.","name":"round","type":"long"},{"doc":"Attempt of the round, from 1.","name":"attempt","type":"int"},{"doc":"Participant; equals the keyid of the envelope\'s signature.","name":"participant","type":"string"},{"doc":"Unique per participant; names the update in verdicts and receipts.","name":"update_id","type":"string"},{"doc":"Version of the model that the participant trained from.","name":"base_version","type":"long"},{"doc":"Digest of that model, 32 bytes.","name":"base_digest","type":"bytes"},{"doc":"Weight in the aggregate: the number of training examples; of a partial sum the total of the region.","name":"weight","type":"long"},{"doc":"Tensor encoding of the bytes: float32, int8, or partial_sum of a region.","name":"encoding","type":"string"},{"doc":"Digest of the ordered tensor names and shapes, 32 bytes; equals the round\'s.","name":"layout_digest","type":"bytes"},{"doc":"int8: one scale per tensor in layout order; partial_sum: one, weight * 2**fraction_bits, which its integers are divided by; otherwise empty.","name":"scales","type":{"items":"double","type":"array"}},{"default":null,"doc":"The encoded delta of a small update; null when chunks are listed.","name":"inline","type":["null","bytes"]},{"doc":"Chunks of the encoded delta in topic update-blobs, in chunk order; empty when inline.","name":"chunks","type":{"items":{"doc":"One chunk of tensor bytes: where it lies in its blob topic and what its bytes must be.","fields":[{"doc":"Partition of the blob topic.","name":"partition","type":"int"},{"doc":"Offset of the record that holds the chunk.","name":"offset","type":"long"},{"doc":"Bytes of the chunk.","name":"length","type":"int"},{"doc":"SHA-256 of the chunk, 32 bytes.","name":"sha256","type":"bytes"}],"name":"ChunkReference","type":"record"},"type":"array"}},{"doc":"The device\'s clock, milliseconds since the epoch: a claim.","name":"created_ms","type":"long"}],"name":"ModelUpdate","namespace":"org.fluvial.v1","type":"record"}',
        ),
    ),
    records.Participant: (
        Version(
            record=records.Participant,
            number=1,
            fingerprint=bytes.fromhex("bac4270a88cff2a6"),
            sha256="8aa62fb4a7ae86d721b710869e119b1646519171cdbf2245377690fce8dde18f",
            schema='{"doc":"An enrolled participant. Signed by the registrar, or by the operator who revokes; in the topic registry.","fields":[{"doc":"Participant.","name":"participant","type":"string"},{"doc":"Ed25519 public key, 32 bytes.","name":"public_key","type":"bytes"},{"doc":"Whether its updates are judged or refused.","name":"status","type":{"doc":"REVOKED: its updates are refused.","name":"ParticipantStatus","symbols":["ACTIVE","REVOKED"],"type":"enum"}},{"doc":"Agreements it has signed.","name":"agreements","type":{"items":{"doc":"An agreement that the participant signed by signing its enrolment.","fields":[{"doc":"Name.","name":"agreement","type":"string"},{"doc":"SHA-256 of the agreement\'s signed payload, 32 bytes.","name":"sha256","type":"bytes"}],"name":"SignedAgreement","type":"record"},"type":"array"}},{"doc":"The device.","name":"device","type":{"doc":"What a device says of itself at enrolment.","fields":[{"doc":"Operating system.","name":"platform","type":"string"},{"doc":"Processor architecture.","name":"machine","type":"string"},{"doc":"Main memory; 0 where unknown.","name":"memory_bytes","type":"long"},{"doc":"GPU or NPU; empty for none.","name":"accelerator","type":"string"},{"doc":"ethernet, wifi, cellular, or empty where unknown.","name":"network","type":"string"}],"name":"DeviceProfile","type":"record"}},{"doc":"Broker time of its enrolment.","name":"enrolled_ms","type":"long"},{"doc":"SHA-256 of the raw enrolment record, 32 bytes.","name":"request_sha256","type":"bytes"}],"name":"Participant","namespace":"org.fluvial.v1","type":"record"}',
        ),
        Version(
            record=records.Participant,
            number=2,
            fingerprint=bytes.fromhex("d9a2f476120138e8"),
            sha256="9d9d1e4da0293ec672a4bf63fe6e108cd3166380a8fb5ceeef5587cc39a4453d",
            schema='{"doc":"An enrolled participant. Signed by the registrar, or by the operator who revokes; in the topic registry.","fields":[{"doc":"Participant.","name":"participant","type":"string"},{"doc":"Ed25519 public key, 32 bytes.","name":"public_key","type":"bytes"},{"doc":"Whether its updates are judged or refused.","name":"status","type":{"doc":"REVOKED: its updates are refused.","name":"ParticipantStatus","symbols":["ACTIVE","REVOKED"],"type":"enum"}},{"doc":"Agreements it has signed.","name":"agreements","type":{"items":{"doc":"An agreement that the participant signed by signing its enrolment.","fields":[{"doc":"Name.","name":"agreement","type":"string"},{"doc":"SHA-256 of the agreement\'s signed payload, 32 bytes.","name":"sha256","type":"bytes"}],"name":"SignedAgreement","type":"record"},"type":"array"}},{"doc":"The device.","name":"device","type":{"doc":"What a device says of itself at enrolment.","fields":[{"doc":"Operating system.","name":"platform","type":"string"},{"doc":"Processor architecture.","name":"machine","type":"string"},{"doc":"Main memory; 0 where unknown.","name":"memory_bytes","type":"long"},{"doc":"GPU or NPU; empty for none.","name":"accelerator","type":"string"},{"doc":"ethernet, wifi, cellular, or empty where unknown.","name":"network","type":"string"}],"name":"DeviceProfile","type":"record"}},{"doc":"Broker time of its enrolment.","name":"enrolled_ms","type":"long"},{"doc":"SHA-256 of the raw enrolment record, 32 bytes.","name":"request_sha256","type":"bytes"},{"default":0,"doc":"Which text of this entry: counted up by whoever signs it, so that an older one cannot come back; 0: not counted.","name":"version","type":"long"}],"name":"Participant","namespace":"org.fluvial.v1","type":"record"}',
        ),
    ),
    records.PublishedModel: (
        Version(
            record=records.PublishedModel,
            number=1,
            fingerprint=bytes.fromhex("9f90ec872f79f5d7"),
            sha256="c8209d224ac14d4abbc518291daaedfe6079796b012bceefd11a4f6fc9fa5d77",
            schema='{"doc":"A model version in the audit log: the manifest by its digest.","fields":[{"doc":"Task.","name":"task","type":"string"},{"doc":"Version.","name":"version","type":"long"},{"doc":"Round.","name":"round","type":"long"},{"doc":"Attempt.","name":"attempt","type":"int"},{"doc":"Digest of the model, 32 bytes.","name":"model_digest","type":"bytes"},{"doc":"SHA-256 of the manifest\'s signed envelope as it stands in topic models, 32 bytes.","name":"manifest_sha256","type":"bytes"},{"doc":"Contributions that the rule took in.","name":"num_selected","type":"int"},{"doc":"Contributions that the round had.","name":"num_contributions","type":"int"}],"name":"PublishedModel","namespace":"org.fluvial.v1","type":"record"}',
        ),
    ),
    records.Receipt: (
        Version(
            record=records.Receipt,
            number=1,
            fingerprint=bytes.fromhex("ebfbe1e114a2baa0"),
            sha256="bc0e15798d396e4c38f9fab83a720c84543576c920ae4ce4bbe6d8b5c4d267fb",
            schema='{"doc":"What became of an accepted update.","fields":[{"doc":"Task.","name":"task","type":"string"},{"doc":"Round.","name":"round","type":"long"},{"doc":"Attempt.","name":"attempt","type":"int"},{"doc":"Participant.","name":"participant","type":"string"},{"doc":"Update.","name":"update_id","type":"string"},{"doc":"What became of it.","name":"outcome","type":{"doc":"EXCLUDED: the aggregation rule left it out. ROUND_FAILED: the round had no quorum; publish again for the next attempt.","name":"Outcome","symbols":["INCLUDED","EXCLUDED","LATE","ROUND_FAILED"],"type":"enum"}},{"doc":"Model version it is part of, or was compared for; 0 for none.","name":"version","type":"long"},{"doc":"Its weight.","name":"weight","type":"long"},{"doc":"Digest of that model, 32 bytes; empty for none.","name":"model_digest","type":"bytes"}],"name":"Receipt","namespace":"org.fluvial.v1","type":"record"}',
        ),
    ),
    records.Release: (
        Version(
            record=records.Release,
            number=1,
            fingerprint=bytes.fromhex("b6f18a387f571da7"),
            sha256="8edcd3f2d01e27564a89b44070f108cb64d3cdf58c08dd5495cdd60da5cdd692",
            schema='{"doc":"What evaluation measured of a model version.","fields":[{"doc":"Task.","name":"task","type":"string"},{"doc":"Version.","name":"version","type":"long"},{"doc":"Digest of the model, 32 bytes.","name":"model_digest","type":"bytes"},{"doc":"Measurements on the task\'s evaluation set.","name":"metrics","type":{"items":{"doc":"One measurement.","fields":[{"doc":"accuracy, loss, auc, ...","name":"name","type":"string"},{"doc":"Its value.","name":"value","type":"double"}],"name":"Metric","type":"record"},"type":"array"}},{"doc":"Examples of the evaluation set.","name":"num_examples","type":"long"},{"doc":"Device that computed it: cpu or cuda.","name":"device","type":"string"},{"doc":"Time of the inference step.","name":"duration_ms","type":"long"}],"name":"Release","namespace":"org.fluvial.v1","type":"record"}',
        ),
        Version(
            record=records.Release,
            number=2,
            fingerprint=bytes.fromhex("94653ddfe93a4d1e"),
            sha256="81d79b497341b073bd0b39e7c226bb16ff908abe19c795309cb6cd137e34b1c8",
            schema='{"doc":"What evaluation measured of a model version.","fields":[{"doc":"Task.","name":"task","type":"string"},{"doc":"Version.","name":"version","type":"long"},{"doc":"Digest of the model, 32 bytes.","name":"model_digest","type":"bytes"},{"doc":"Measurements on the task\'s evaluation set.","name":"metrics","type":{"items":{"doc":"One measurement.","fields":[{"doc":"accuracy, loss, auc, ...","name":"name","type":"string"},{"doc":"Its value.","name":"value","type":"double"}],"name":"Metric","type":"record"},"type":"array"}},{"doc":"Examples of the evaluation set.","name":"num_examples","type":"long"},{"doc":"Device that computed it: cpu or cuda.","name":"device","type":"string"},{"doc":"Time of the inference step.","name":"duration_ms","type":"long"},{"default":"","doc":"Why the model was not measured; empty where it was. Then there are no metrics.","name":"reason","type":"string"}],"name":"Release","namespace":"org.fluvial.v1","type":"record"}',
        ),
    ),
    records.Round: (
        Version(
            record=records.Round,
            number=1,
            fingerprint=bytes.fromhex("275100142c74c1df"),
            sha256="75a9e50df75fc42eab8d45a9065eae97650e8c34090b563de546635db9e68ab5",
            schema='{"doc":"A round of a task: what participants train from and what an update must satisfy. Signed by the aggregator; payload of the topic rounds.","fields":[{"doc":"Task.","name":"task","type":"string"},{"doc":"Round, from 1.","name":"round","type":"long"},{"doc":"Attempt, from 1; a failed round is opened again with the next attempt.","name":"attempt","type":"int"},{"doc":"Whether updates are asked for.","name":"status","type":{"doc":"FINISHED: the task has had all its rounds; base_version is its last model.","name":"RoundStatus","symbols":["OPEN","FINISHED"],"type":"enum"}},{"doc":"Version to train from.","name":"base_version","type":"long"},{"doc":"Digest of that model, 32 bytes.","name":"base_digest","type":"bytes"},{"doc":"Its chunks in topic model-blobs, in chunk order.","name":"base_chunks","type":{"items":{"doc":"One chunk of tensor bytes: where it lies in its blob topic and what its bytes must be.","fields":[{"doc":"Partition of the blob topic.","name":"partition","type":"int"},{"doc":"Offset of the record that holds the chunk.","name":"offset","type":"long"},{"doc":"Bytes of the chunk.","name":"length","type":"int"},{"doc":"SHA-256 of the chunk, 32 bytes.","name":"sha256","type":"bytes"}],"name":"ChunkReference","type":"record"},"type":"array"}},{"doc":"Layout of the model.","name":"layout","type":{"items":{"doc":"One tensor of a model; models and updates are these tensors, flattened in row-major order and concatenated.","fields":[{"doc":"Name within the model.","name":"name","type":"string"},{"doc":"Sizes of its dimensions; empty for a scalar.","name":"shape","type":{"items":"long","type":"array"}}],"name":"TensorLayout","type":"record"},"type":"array"}},{"doc":"Digest of the model\'s layout, 32 bytes.","name":"layout_digest","type":"bytes"},{"doc":"Elements of the flattened model.","name":"num_elements","type":"long"},{"doc":"Elements per chunk; the last chunk may be shorter.","name":"chunk_elements","type":"int"},{"doc":"When it was opened.","name":"opened_ms","type":"long"},{"doc":"Broker time after which an update is late.","name":"deadline_ms","type":"long"},{"doc":"Least number of updates that makes a model.","name":"quorum","type":"int"},{"doc":"Number of updates that closes the round at once.","name":"target","type":"int"},{"doc":"Largest absolute value of an element of an update.","name":"max_abs","type":"double"},{"doc":"Largest L2 norm of an update; 0 for no limit.","name":"max_norm","type":"double"},{"doc":"Largest weight of an update.","name":"max_weight","type":"long"},{"doc":"Fraction bits of the fixed-point sum.","name":"fraction_bits","type":"int"},{"doc":"Versions of the model whose chunks are kept; version v uses slot v mod kept_versions.","name":"kept_versions","type":"int"},{"doc":"Aggregation rule, as JSON: name and parameters.","name":"rule","type":"string"},{"doc":"Server optimizer that turns the aggregate into the next model, as JSON: name and parameters; empty: the aggregate is added as it is.","name":"server_optimizer","type":"string"},{"doc":"The optimizer\'s moments so far, float32 in topic model-blobs: for each moment the chunks in chunk order; empty before the first step.","name":"optimizer_chunks","type":{"items":"ChunkReference","type":"array"}},{"doc":"Which updates are taken, and what closes the round.","name":"window","type":{"doc":"SYNCHRONOUS: updates of this round alone. BUFFERED: the target closes it, with updates of any base version within max_staleness. TUMBLING: broker time closes it, at deadline_ms.","name":"WindowMode","symbols":["SYNCHRONOUS","BUFFERED","TUMBLING"],"type":"enum"}},{"doc":"How long after the deadline updates are still taken while the quorum is missing.","name":"grace_ms","type":"long"},{"doc":"How many rounds back an update may have been trained for; 0 when synchronous.","name":"max_staleness","type":"long"},{"doc":"How an update of an earlier round is weighted, as JSON: name and parameters; empty: as a current one.","name":"staleness","type":"string"},{"doc":"Public seed by which participants are invited, 32 bytes.","name":"seed","type":"bytes"},{"doc":"Share of the participants that is invited; 1 for all.","name":"invited_fraction","type":"double"},{"doc":"Whether the round publishes its exact sum, for a parent federation, instead of a model.","name":"partial","type":"boolean"},{"doc":"Tensor encodings that are accepted.","name":"encodings","type":{"items":"string","type":"array"}},{"doc":"Agreement that a participant must have signed; empty for none.","name":"agreement","type":"string"},{"doc":"Training configuration for participants, as JSON.","name":"training","type":"string"}],"name":"Round","namespace":"org.fluvial.v1","type":"record"}',
        ),
    ),
    records.RoundEvent: (
        Version(
            record=records.RoundEvent,
            number=1,
            fingerprint=bytes.fromhex("b1842c60e7d8c74d"),
            sha256="6948f5de9ca6c155055717d11c9293c9501805fbb1b5fb791d6e7910ce5708a2",
            schema='{"doc":"A round in the audit log.","fields":[{"doc":"Task.","name":"task","type":"string"},{"doc":"Round.","name":"round","type":"long"},{"doc":"Attempt.","name":"attempt","type":"int"},{"doc":"What happened to it.","name":"transition","type":{"doc":"FAILED: the deadline passed without a quorum.","name":"RoundTransition","symbols":["OPENED","CLOSED","FAILED","FINISHED"],"type":"enum"}},{"doc":"Updates admitted so far.","name":"num_updates","type":"int"},{"doc":"Version it trains from.","name":"base_version","type":"long"}],"name":"RoundEvent","namespace":"org.fluvial.v1","type":"record"}',
        ),
    ),
    records.SequencedEvent: (
        Version(
            record=records.SequencedEvent,
            number=1,
            fingerprint=bytes.fromhex("a9cae17facec6949"),
            sha256="770edf38f2df7235f43625ee10bfe168e5622b4c8af4363f4b7bf56e44ccd37e",
            schema='{"doc":"A leaf of the audit log: the event, its position and the hash of the leaf before it. The raw bytes of this record are the leaf.","fields":[{"doc":"Position in the log, from 0, without gaps.","name":"sequence","type":"long"},{"doc":"SHA-256 of the leaf before it; 32 zero bytes for the first.","name":"previous_sha256","type":"bytes"},{"doc":"The event.","name":"event","type":{"doc":"Something that happened, for the audit log: a CloudEvent whose data is an Avro record. Its id is a function of its cause, so that a repeat can be recognised.","fields":[{"doc":"CloudEvents id, deterministic.","name":"id","type":"string"},{"doc":"CloudEvents source: the stage.","name":"source","type":"string"},{"doc":"CloudEvents type: org.fluvial.<record>.v1.","name":"type","type":"string"},{"doc":"CloudEvents subject: the participant, task or model concerned.","name":"subject","type":"string"},{"doc":"Broker time of the cause.","name":"time_ms","type":"long"},{"doc":"Avro single-object encoding of the record: enums, numbers and digests, at most 32 KiB.","name":"data","type":"bytes"}],"name":"AuditEvent","type":"record"}}],"name":"SequencedEvent","namespace":"org.fluvial.v1","type":"record"}',
        ),
    ),
    records.Task: (
        Version(
            record=records.Task,
            number=1,
            fingerprint=bytes.fromhex("81a4047483df44a5"),
            sha256="9f06486fb0defb1d02bc16bf6e05d1b9cd7a7f4286d0bcbdb81e5c827e5ae422",
            schema='{"doc":"A task of the federation. Signed by the operator; in the topic registry.","fields":[{"doc":"Task.","name":"task","type":"string"},{"doc":"The task file, as JSON (schemas/task.schema.json).","name":"specification","type":"string"},{"doc":"Layout of the model.","name":"layout","type":{"items":{"doc":"One tensor of a model; models and updates are these tensors, flattened in row-major order and concatenated.","fields":[{"doc":"Name within the model.","name":"name","type":"string"},{"doc":"Sizes of its dimensions; empty for a scalar.","name":"shape","type":{"items":"long","type":"array"}}],"name":"TensorLayout","type":"record"},"type":"array"}},{"doc":"Version the first round starts from.","name":"base_version","type":"long"},{"doc":"Digest of that model, 32 bytes.","name":"base_digest","type":"bytes"},{"doc":"Its chunks in topic model-blobs.","name":"base_chunks","type":{"items":{"doc":"One chunk of tensor bytes: where it lies in its blob topic and what its bytes must be.","fields":[{"doc":"Partition of the blob topic.","name":"partition","type":"int"},{"doc":"Offset of the record that holds the chunk.","name":"offset","type":"long"},{"doc":"Bytes of the chunk.","name":"length","type":"int"},{"doc":"SHA-256 of the chunk, 32 bytes.","name":"sha256","type":"bytes"}],"name":"ChunkReference","type":"record"},"type":"array"}},{"doc":"When it was created.","name":"created_ms","type":"long"}],"name":"Task","namespace":"org.fluvial.v1","type":"record"}',
        ),
        Version(
            record=records.Task,
            number=2,
            fingerprint=bytes.fromhex("1d29a659f3e491f0"),
            sha256="faf7093d682605de88c46b4b119420e41c0591ea09ef49d09fbf6a00b28bb28d",
            schema='{"doc":"A task of the federation. Signed by the operator; in the topic registry.","fields":[{"doc":"Task.","name":"task","type":"string"},{"doc":"The task file, as JSON (schemas/task.schema.json).","name":"specification","type":"string"},{"doc":"Layout of the model.","name":"layout","type":{"items":{"doc":"One tensor of a model; models and updates are these tensors, flattened in row-major order and concatenated.","fields":[{"doc":"Name within the model.","name":"name","type":"string"},{"doc":"Sizes of its dimensions; empty for a scalar.","name":"shape","type":{"items":"long","type":"array"}}],"name":"TensorLayout","type":"record"},"type":"array"}},{"doc":"Version the first round starts from.","name":"base_version","type":"long"},{"doc":"Digest of that model, 32 bytes.","name":"base_digest","type":"bytes"},{"doc":"Its chunks in topic model-blobs.","name":"base_chunks","type":{"items":{"doc":"One chunk of tensor bytes: where it lies in its blob topic and what its bytes must be.","fields":[{"doc":"Partition of the blob topic.","name":"partition","type":"int"},{"doc":"Offset of the record that holds the chunk.","name":"offset","type":"long"},{"doc":"Bytes of the chunk.","name":"length","type":"int"},{"doc":"SHA-256 of the chunk, 32 bytes.","name":"sha256","type":"bytes"}],"name":"ChunkReference","type":"record"},"type":"array"}},{"doc":"When it was created.","name":"created_ms","type":"long"},{"default":0,"doc":"Which text of this entry: counted up by whoever signs it, so that an older one cannot come back; 0: not counted.","name":"version","type":"long"}],"name":"Task","namespace":"org.fluvial.v1","type":"record"}',
        ),
    ),
    records.Verdict: (
        Version(
            record=records.Verdict,
            number=1,
            fingerprint=bytes.fromhex("d6d8bf0f5da88a0e"),
            sha256="61354d2cb1b4c4820937f3a8b2bb012b8ae7c718018e35fc7ac589b77fbcf191",
            schema='{"doc":"What validation decided about one input record; exactly one per record of the topics updates and enrolments.","fields":[{"doc":"Topic of the record judged.","name":"source_topic","type":"string"},{"doc":"Its partition.","name":"source_partition","type":"int"},{"doc":"Its offset.","name":"source_offset","type":"long"},{"doc":"Its broker time.","name":"source_timestamp_ms","type":"long"},{"doc":"SHA-256 of its raw value, 32 bytes.","name":"record_sha256","type":"bytes"},{"doc":"Participant; a claim where the signature was not verified.","name":"participant","type":"string"},{"doc":"Task; empty where not known.","name":"task","type":"string"},{"doc":"Round; 0 where not known.","name":"round","type":"long"},{"doc":"Attempt; 0 where not known.","name":"attempt","type":"int"},{"doc":"Update; empty where not known.","name":"update_id","type":"string"},{"doc":"The decision.","name":"decision","type":{"doc":"DUPLICATE: the same bytes were judged before.","name":"Decision","symbols":["ACCEPT","REJECT","QUARANTINE","DUPLICATE"],"type":"enum"}},{"doc":"The reason.","name":"reason","type":{"doc":"Why; ACCEPTED for an accepted record. governance/admission documents each.","name":"Reason","symbols":["ACCEPTED","SIZE_LIMIT","ENVELOPE","KEY_UNKNOWN","KEY_REVOKED","SIGNATURE","SCHEMA_UNKNOWN","DECODE","NON_CANONICAL","PARTICIPANT_MISMATCH","TASK_UNKNOWN","ROUND_UNKNOWN","STALE_ROUND","WRONG_BASE","AGREEMENT","DUPLICATE_IGNORED","EQUIVOCATION","MANIFEST_MISMATCH","ENCODING","WEIGHT","INCOMPLETE","CHUNK_MISMATCH","NON_FINITE","MAGNITUDE_EXCEEDED","NORM_EXCEEDED","TOKEN_INVALID","NOT_INVITED"],"type":"enum"}},{"doc":"L2 norm of the update; 0 where the content was not read.","name":"norm","type":"double"},{"doc":"Largest absolute element; 0 where the content was not read.","name":"max_abs","type":"double"}],"name":"Verdict","namespace":"org.fluvial.v1","type":"record"}',
        ),
        Version(
            record=records.Verdict,
            number=2,
            fingerprint=bytes.fromhex("a0462f7bc1e3b906"),
            sha256="cfab0e488282a78d8857041082a79a2dcfccb19e5136fb829c3734c2a5c2d5cd",
            schema='{"doc":"What validation decided about one input record; exactly one per record of the topics updates and enrolments.","fields":[{"doc":"Topic of the record judged.","name":"source_topic","type":"string"},{"doc":"Its partition.","name":"source_partition","type":"int"},{"doc":"Its offset.","name":"source_offset","type":"long"},{"doc":"Its broker time.","name":"source_timestamp_ms","type":"long"},{"doc":"SHA-256 of its raw value, 32 bytes.","name":"record_sha256","type":"bytes"},{"doc":"Participant; a claim where the signature was not verified.","name":"participant","type":"string"},{"doc":"Task; empty where not known.","name":"task","type":"string"},{"doc":"Round; 0 where not known.","name":"round","type":"long"},{"doc":"Attempt; 0 where not known.","name":"attempt","type":"int"},{"doc":"Update; empty where not known.","name":"update_id","type":"string"},{"doc":"The decision.","name":"decision","type":{"doc":"DUPLICATE: the same bytes were judged before.","name":"Decision","symbols":["ACCEPT","REJECT","QUARANTINE","DUPLICATE"],"type":"enum"}},{"doc":"The reason.","name":"reason","type":{"default":"OTHER","doc":"Why; ACCEPTED for an accepted record. governance/admission documents each.","name":"Reason","symbols":["ACCEPTED","SIZE_LIMIT","ENVELOPE","KEY_UNKNOWN","KEY_REVOKED","SIGNATURE","SCHEMA_UNKNOWN","DECODE","NON_CANONICAL","PARTICIPANT_MISMATCH","TASK_UNKNOWN","ROUND_UNKNOWN","STALE_ROUND","WRONG_BASE","AGREEMENT","DUPLICATE_IGNORED","EQUIVOCATION","MANIFEST_MISMATCH","ENCODING","WEIGHT","INCOMPLETE","CHUNK_MISMATCH","NON_FINITE","MAGNITUDE_EXCEEDED","NORM_EXCEEDED","TOKEN_INVALID","NOT_INVITED","OTHER","CHUNK_CLAIMED","TOO_MANY_FAILURES"],"type":"enum"}},{"doc":"L2 norm of the update; 0 where the content was not read.","name":"norm","type":"double"},{"doc":"Largest absolute element; 0 where the content was not read.","name":"max_abs","type":"double"},{"default":[],"doc":"What evidence beyond the limits measured of the update, by name.","name":"scores","type":{"items":{"doc":"What one kind of evidence measured of an update.","fields":[{"doc":"What was measured.","name":"name","type":"string"},{"doc":"The measure.","name":"value","type":"double"}],"name":"Score","type":"record"},"type":"array"}}],"name":"Verdict","namespace":"org.fluvial.v1","type":"record"}',
        ),
    ),
}
"""Of each record its versions, from the first: the closed list of what is decoded."""
