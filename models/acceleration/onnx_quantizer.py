"""onnxruntime's quantisers work on files: a folder of their own, and none of its names in the result."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path

import onnx
from onnxruntime.quantization.shape_inference import quant_pre_process

from fluvial.edge.training.onnx_export import bare, to_bytes


def quantised(model: onnx.ModelProto, quantise: Callable[[str, str], None]) -> bytes:
    """The model's bytes after `quantise(source, target)` on files. Raises ValueError for a model that it cannot
    take."""
    root = logging.getLogger()
    level = root.level
    with tempfile.TemporaryDirectory() as folder:
        exported, prepared, target = (Path(folder) / name for name in ("exported.onnx", "prepared.onnx", "target.onnx"))
        exported.write_bytes(to_bytes(model))
        root.setLevel(logging.ERROR)  # the tool advises to do what was just done
        try:
            quant_pre_process(str(exported), str(prepared), skip_symbolic_shape=True)
            quantise(str(prepared), str(target))
        except (ValueError, RuntimeError, NotImplementedError) as error:
            raise ValueError(f"the model cannot be quantised: {error}") from error
        finally:
            root.setLevel(level)
        return to_bytes(bare(onnx.load(str(target))))
