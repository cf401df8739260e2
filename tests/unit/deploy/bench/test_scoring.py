"""The measurement of candidate scoring, small."""

from deploy.bench.scoring import run


def test_every_way_has_a_rate_and_all_ways_agree():
    lines: list[str] = []
    result = run(candidates=8, examples=4, report=lines.append)
    rates = result["devices"]["cpu"]
    assert rates.keys() == {"loop", "stacked_8", "example_by_example", "with_scores"}
    assert all(rate > 0 for rate in rates.values())
    assert len(lines) == 4 * len(result["devices"])
