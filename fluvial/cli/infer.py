"""`fluvial infer`: outputs of a task's released model for the examples of a file."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from fluvial.cli.common import (
    DEFAULT_FEDERATION,
    FederationOption,
    JsonOption,
    console,
    fail,
    load_federation,
    print_json,
    reported,
    seconds_option,
)
from fluvial.cli.places import KeyOption, key_path
from fluvial.identity.keys import SigningKey
from fluvial.inference.client import TIMEOUT_SECONDS, Client, InferenceRefused
from fluvial.inference.streaming import Answered, answers
from fluvial.inference.tensors import check_divisor, packed
from fluvial.wire.files import replacing
from fluvial.wire.numpy_files import read_array

_BATCH = 256


@reported
def infer(
    task: Annotated[str, typer.Argument(help="The task.")],
    name: Annotated[str, typer.Option("--name", help="The enrolled participant that asks.")],
    input_file: Annotated[
        Path,
        typer.Option(
            "--input",
            help="Examples: .npy, or .csv with one example a line, numbers alone; - for such lines on standard input, "
            "each answered when it comes.",
        ),
    ],
    output: Annotated[Path | None, typer.Option("--output", help="Write the outputs to this .npy file.")] = None,
    divisor: Annotated[
        float,
        typer.Option(
            help="What training divided the examples by. Pictures are best bytes in the .npy file with 255 here: a "
            "quarter of what float32 takes."
        ),
    ] = 1.0,
    key: KeyOption = None,
    timeout: Annotated[
        float,
        seconds_option(told="Seconds to wait for each batch of examples."),
    ] = TIMEOUT_SECONDS,
    federation: FederationOption = DEFAULT_FEDERATION,
    json: JsonOption = False,
) -> None:
    """Ask the newest promoted release. Each answer names the release, version and variant that gave it.

    Exit status 1 when the request was refused: nothing is released yet, or the examples do not fit the model.
    """
    check_divisor(divisor)
    if str(input_file) == "-":
        if output is not None:
            raise ValueError("answers to standard input go to standard output, as they come: leave --output out")
        with Client(load_federation(federation), name, SigningKey.load(key or key_path(name))) as client:
            _follow(answers(client, task, _lines(sys.stdin, divisor), timeout), json)
        return
    inputs = _read(input_file)
    with Client(load_federation(federation), name, SigningKey.load(key or key_path(name))) as client:
        try:
            parts = [inputs[first : first + _BATCH] for first in range(0, len(inputs), _BATCH)]
            futures = [client.submit(task, part, divisor=divisor) for part in parts]
            found = [future.result(timeout) for future in futures]
        except InferenceRefused as error:
            fail(str(error))
        except TimeoutError:
            fail(f"no answer within {timeout:.0f} s", "Is the stage inference running (fluvial submit inference)?")
    outputs = np.concatenate([answer.outputs for answer in found])
    if output is not None:
        with replacing(output if output.suffix == ".npy" else output.with_name(output.name + ".npy")) as file:
            np.save(file, outputs)
    last = found[-1]
    if json:
        print_json(
            {
                "task": task,
                "promotion": last.promotion,
                "version": last.version,
                "variant": last.variant,
                "artefact_sha256": last.artefact_sha256.hex(),
                "outputs": outputs.tolist(),
            }
        )
        return
    console.print(f"version {last.version}, {last.variant} (promotion {last.promotion}), {len(outputs)} examples")
    if output is None:
        for row in outputs.reshape(len(outputs), -1):
            console.print(" ".join(f"{value:.6g}" for value in row))


def _follow(stream: Iterable[Answered[str] | tuple[str, InferenceRefused]], json: bool) -> None:
    for one in stream:
        if not isinstance(one, Answered):
            fail(str(one[1]))
        if json:
            named = {"promotion": one.answer.promotion, "version": one.answer.version, "variant": one.answer.variant}
            print_json({"outputs": one.outputs.tolist(), **named})
        else:
            print(" ".join(f"{value:.6g}" for value in one.outputs.ravel()), flush=True)


def _lines(source: Iterable[str], divisor: float = 1.0) -> Iterator[tuple[str, NDArray[np.float32]]]:
    for number, text in enumerate(source):
        line = text if number else text.removeprefix("\ufeff")  # with which spreadsheets begin a file
        if not line.strip():
            continue
        try:
            if "_" in line:
                raise ValueError("1_000 is not the same number to everybody")
            with np.errstate(over="ignore"):  # what becomes infinite is refused where the model runs
                values = np.array([float(value) for value in line.split(",")], np.float32) / np.float32(divisor)
            yield text, values
        except ValueError as error:
            raise ValueError(
                f"a line is an example, numbers with commas between; this one is {line.strip()!r}"
            ) from error


def _read(path: Path) -> NDArray[np.generic]:
    """[B, ...]: uint8 and float16 as they are, all else as float32. Raises ValueError that says what is wrong."""
    if path.is_char_device() or path.is_block_device():
        raise ValueError(f"{path} is a device, and may have no end: name a file")
    try:
        if path.suffix == ".npy":
            values = read_array(path)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # of an empty file, which is told below
                values = np.loadtxt(path, delimiter=",", ndmin=2, encoding="utf-8-sig")
        inputs: NDArray[np.generic] = packed(values)[1]
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, MemoryError) as error:  # MemoryError: or says that it holds more than any memory
        raise ValueError(f"{path} holds no examples: {error}") from error
    if inputs.ndim < 2 or not len(inputs):
        raise ValueError(f"{path} holds no list of examples: its shape is {list(inputs.shape)}")
    return inputs
