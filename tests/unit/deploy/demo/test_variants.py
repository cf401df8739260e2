"""What the demonstration shows of variants."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from deploy.demo.variants import VariantObserver, VariantRow, shortfalls_of, to_dicts, variants_table
from deploy.demo.variants_page import page
from fluvial.identity.envelope import seal
from fluvial.identity.keys import SigningKey
from fluvial.wire.records import GroupFinding, Promotion, PromotionDecision
from tests.unit.pipelines.promotion.builders import ARTEFACT, HARMFUL, SPEC, a_measurement, a_variant

KEY = SigningKey.generate()
HELD = VariantRow(
    name="int8",
    verdict="HELD",
    reason="held: int8 loses <7.9> points",
    bytes=1000,
    latency_us=35.4,
    throughput=1e5,
    accuracy=0.8194,
    worst_group="recall of defaulters aged 50 to 80: -7.9 points",
    processor="AVX2",
)
PROMOTED = replace(HELD, name="onnx", verdict="PROMOTED")


def a_promotion():
    finding = GroupFinding(
        metric="recall:1",
        group="age:50-80",
        num_examples=266,
        harmed=21,
        helped=0,
        value=0.5,
        drop=0.079,
        bound=0.11,
        margin=0.02,
        p_value=1e-6,
        verdict="HARMED",
    )
    return Promotion(
        task="credit",
        sequence=1,
        version=8,
        model_digest=bytes(32),
        variant="int8",
        artefact_sha256=ARTEFACT,
        runtime="onnxruntime",
        processor="AVX2",
        decision=PromotionDecision.HELD,
        reason="held: int8 loses 7.9 points",
        policy_sha256=bytes(32),
        measurements=(),
        findings=(finding,),
        gate_uses=1,
        signers=(),
        acts=(),
        created_ms=1,
    )


class Messages:
    """A transport whose topics hold what it was given."""

    def __init__(self, **values):
        self._values = values

    def read(self, topic):
        return _Reader(self._values.get(topic.rpartition(".")[2], []))


class _Reader:
    def __init__(self, values):
        self._values = values

    def poll(self, timeout):
        values, self._values = self._values, []
        return [type("Message", (), {"value": value}) for value in values]

    def close(self):
        pass


@pytest.fixture
def federation():
    class Topics:
        scope = ""
        variants, measurements, promotions = "f.variants", "f.measurements", "f.promotions"

    return type("Federation", (), {"aggregator_key": KEY.public_key.hex(), "topics": Topics})


def test_rows_come_from_what_was_signed(federation):
    other = SigningKey.generate()
    transport = Messages(
        variants=[seal(a_variant(), KEY, "aggregator"), seal(a_variant("onnx", failure="none"), KEY, "aggregator")],
        measurements=[b"junk", seal(a_measurement(HARMFUL), KEY, "aggregator")],
        promotions=[seal(replace(a_promotion(), reason="forged"), other, "x"), seal(a_promotion(), KEY, "aggregator")],
    )
    observer = VariantObserver(federation, transport, "credit", SPEC)
    assert not observer.is_decided(8)
    assert observer.poll(0.0)
    assert not observer.poll(0.0)
    assert observer.is_decided(8)
    (row,) = observer.rows(8)
    assert (row.name, row.verdict, row.reason) == ("int8", "HELD", "held: int8 loses 7.9 points")
    assert row.worst_group == "recall of defaulters aged 50 to 80: -7.9 points"
    assert row.accuracy == pytest.approx(11_995 / 12_000)
    observer.close()


def test_both_fates_must_be_seen():
    assert list(shortfalls_of([HELD, PROMOTED], SPEC)) == []
    assert list(shortfalls_of([PROMOTED], SPEC)) == [
        "nothing was decided on int8",
        "no variant was held: the gate saw no harm in any of them",
    ]


def test_the_table_and_the_page_show_every_variant():
    console = Console(width=150, record=True, file=io.StringIO())
    console.print(variants_table([HELD, PROMOTED]))
    text = console.export_text()
    assert "HELD" in text
    assert "81.94 %" in text
    html = page("credit <x>", 8, [HELD, PROMOTED])
    assert "credit &lt;x&gt;, version 8" in html
    assert "loses &lt;7.9&gt; points" in html
    assert html.count("<svg") == 1


def test_programs_get_numbers_as_they_are():
    first, _ = to_dicts([HELD, PROMOTED])
    assert {"name", "verdict", "reason", "bytes", "latency_us", "throughput", "accuracy", "worst_group"} <= first.keys()
    assert first["accuracy"] == 0.8194
