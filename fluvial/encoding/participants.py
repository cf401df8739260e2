"""The encodings that participants choose among. One is one file and one line here."""

from fluvial.encoding.base import TensorEncoding
from fluvial.encoding.float32 import Float32Encoding
from fluvial.encoding.int8 import Int8Encoding

ENCODINGS: dict[str, TensorEncoding] = {encoding.name: encoding for encoding in (Float32Encoding(), Int8Encoding())}
