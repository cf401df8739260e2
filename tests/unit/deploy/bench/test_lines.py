from deploy.bench import lines


def test_aggregation_tells_its_size_its_rates_and_whether_replay_has_the_same_bits() -> None:
    result = {
        "participants": 8,
        "megabytes": 40,
        "rounds": [{}, {}, {}],
        "uploads": "before",
        "seconds_per_round": 1.5,
        "share_of_sequential_read": 0.5,
        "megabytes_per_second": 512.4,
        "megabytes_per_second_from_upload": 300.0,
        "replay": {"bit_exact": False, "share_of_aggregation": 0.25, "megabytes_per_second": 128.0},
        "peak_rss_mb": {"broker": 400.0},
    }
    first, a_round, rate, _, replayed, memory = lines.aggregate(result)
    assert first == "8 participants, 40 MB each, 3 rounds, uploads before"
    assert a_round.split() == ["a", "round", "1.50", "s"]
    assert "512 MB/s, 0.50 of" in rate
    assert "128 MB/s  NOT bit-exact, 0.25" in replayed
    assert memory.endswith("400 MB  broker")


def test_a_flood_tells_of_its_phases_and_of_the_junk() -> None:
    phase = {"updates": 100, "judged": 99, "per_second": 49.5, "p50_ms": 20.0, "p99_ms": -1.0}
    junk = {"beside": {"stranger": {"records": 4000}}}
    result = {"per_second": 50, "seconds": 20, "parallelism": 1, "junk": junk, "quiet": phase, "beside": phase}
    first, quiet, beside, sent = lines.flood(result)
    assert first.startswith("50 honest updates a second for 20 s")
    assert quiet.split()[:2] == ["quiet", "49.5"]
    assert beside.endswith("p50 20 ms, p99 -1 ms  99 of 100")
    assert sent.split()[:2] == ["beside", "200"]


def test_what_was_not_measured_of_inference_is_not_told() -> None:
    load = {"answered_per_second": 2499.0, "offered_per_second": 2500.0, "p50_ms": 9.0, "p95_ms": 15.0, "failed": 0}
    only, memory = lines.inference({"single_half": load, "peak_rss_mb": {"job": 700.0}})
    assert only.split()[:4] == ["single_half", "2499", "of", "2500"]
    assert "p99" not in only
    assert "FastAPI" not in memory
