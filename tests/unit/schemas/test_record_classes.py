"""Classes of records as they are written: what a former version lacks has its default when it is read."""

from fluvial.wire.records import DeviceProfile, EnrolmentRequest
from schemas.record_classes import python_default


def test_a_default_is_pythons_own() -> None:
    assert python_default(["null", "bytes"], None) == "None"
    assert python_default({"type": "array", "items": "string"}, []) == "()"
    assert python_default("string", 'a "word"') == '"a \\"word\\""'


def test_what_a_former_version_lacks_is_read_as_its_default() -> None:
    device = DeviceProfile(platform="linux", machine="x86_64", memory_bytes=1, accelerator="", network="")
    request = EnrolmentRequest(
        participant="anna", public_key=bytes(32), token="t", agreements=(), device=device, requested_ms=1
    )
    former = {name: value for name, value in request.to_avro().items() if name not in ("proof", "withdrawn")}
    assert EnrolmentRequest.from_avro(former) == request
    assert (request.proof, request.withdrawn) == (None, ())
