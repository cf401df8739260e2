"""The encodings that participants choose among. One is one file and one line here."""

from fluvial.encoding.base import TensorEncoding
from fluvial.encoding.bfloat16 import BFloat16Encoding
from fluvial.encoding.float16 import Float16Encoding
from fluvial.encoding.float32 import Float32Encoding
from fluvial.encoding.int4 import Int4Encoding
from fluvial.encoding.int8 import Int8Encoding
from fluvial.encoding.top_k import TopKEncoding

_ENCODINGS: tuple[TensorEncoding, ...] = (
    Float32Encoding(),
    Float16Encoding(),
    BFloat16Encoding(),
    Int8Encoding(),
    Int4Encoding(),
    TopKEncoding(),
)
ENCODINGS: dict[str, TensorEncoding] = {encoding.name: encoding for encoding in _ENCODINGS}
