"""A leaf's frame is the sink frame of its value and headers."""

from hypothesis import given
from hypothesis import strategies as st

from governance.audit.cloud_events import Attributes, headers
from governance.audit.sequencer import Leaf
from pipelines.audit.leaf_frames import LeafFrames
from pipelines.audit.leaf_headers import source_header
from pipelines.flink.frames import sink_frame

TEXTS = st.text(max_size=300).map(str.encode)
ATTRIBUTES = st.builds(
    Attributes, id=st.text(max_size=300), source=TEXTS, type=TEXTS, subject=TEXTS, time_ms=st.integers(0, 1 << 47)
)


@given(st.builds(Leaf, st.binary(max_size=600), ATTRIBUTES, st.integers(0, 1 << 20), st.integers(0, 1 << 62)))
def test_a_frame_holds_value_and_headers(leaf: Leaf) -> None:
    beside = [*headers(leaf.attributes), source_header(leaf.partition, leaf.offset)]
    assert LeafFrames("t.audit").frame(leaf) == sink_frame("t.audit", None, leaf.value, beside)
