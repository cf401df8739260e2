"""Plots of the convergence study. They need matplotlib, which nothing else here does."""

from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.convergence_table import Curve

LABELS = {
    "rounds": ("Local work and how the data are divided", "round"),
    "optimizers": ("Server optimizers, two labels a participant", "round"),
    "stragglers": ("Rounds and buffers where some are slow", "simulated time (a participant's median is 1)"),
}
LOWEST = 0.8


class PlotError(RuntimeError):
    """There is nothing to plot with."""


def plot(curves: Sequence[Curve], output: Path) -> list[Path]:
    """SVG and PNG of each study beside the output file; their paths. Raises PlotError without matplotlib."""
    try:
        import matplotlib
    except ImportError as error:
        raise PlotError("no plots without matplotlib: pip install matplotlib") from error
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "fluvial"  # names within the SVG would be random otherwise
    from matplotlib import pyplot

    paths = []
    for study, (title, abscissa) in LABELS.items():
        chosen = [curve for curve in curves if curve.study == study and curve.points]
        if not chosen:
            continue
        figure, axes = pyplot.subplots(figsize=(6.4, 4.0), layout="constrained")
        for curve in chosen:
            times = [point[2] if study == "stragglers" else point[0] for point in curve.points]
            axes.plot(times, [100 * point[3] for point in curve.points], label=curve.name, linewidth=1.2)
        axes.axhline(97, color="grey", linewidth=0.6, linestyle="--")
        axes.set(title=title, xlabel=abscissa, ylabel="accuracy, %", ylim=(100 * LOWEST, 100))
        axes.legend(loc="lower right", fontsize="small")
        for suffix, metadata in ((".svg", {"Date": None}), (".png", {})):
            path = output.with_name(f"{output.stem}-{study}{suffix}")
            figure.savefig(path, dpi=100, metadata=metadata)
            paths.append(path)
        pyplot.close(figure)
    return paths
