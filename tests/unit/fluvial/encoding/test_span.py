import pytest

from fluvial.encoding.span import Span, size_of, spans
from fluvial.wire.records import TensorLayout

LAYOUT = (
    TensorLayout(name="a", shape=(2, 2)),
    TensorLayout(name="empty", shape=(0, 3)),
    TensorLayout(name="b", shape=()),
    TensorLayout(name="c", shape=(3,)),
)


def test_a_span_is_cut_where_tensors_meet() -> None:
    # elements   0 1 2 3 | 4 | 5 6 7      the span is [3, 7)
    assert list(Span(LAYOUT, 3, 4).tensors()) == [(0, 0, 1), (2, 1, 2), (3, 2, 4)]
    assert list(Span(LAYOUT, 5, 3).tensors()) == [(3, 0, 3)]
    assert list(Span(LAYOUT, 0, 8).tensors()) == [(0, 0, 4), (2, 4, 5), (3, 5, 8)]


def test_chunks_cover_a_model_and_the_last_may_be_shorter() -> None:
    assert size_of(LAYOUT) == 8
    assert [(span.start, span.size) for span in spans(LAYOUT, 3)] == [(0, 3), (3, 3), (6, 2)]
    assert [(span.start, span.size) for span in spans(LAYOUT, 8)] == [(0, 8)]
    assert list(spans((), 4)) == []
    with pytest.raises(ValueError, match="chunks of 0"):
        list(spans(LAYOUT, 0))
