"""What there is to name in a task's file, for who looks at one without decoding anything."""

NAMES = ("float32", "float16", "bfloat16", "int8", "int4", "top_k", "partial_sum")
"""Of `DECODINGS`, in their order."""
