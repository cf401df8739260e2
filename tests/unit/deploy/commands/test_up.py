from deploy.commands.up import next_command


def test_the_next_command_runs_jobs_where_there_is_a_cluster_for_them() -> None:
    assert next_command(1, "").endswith("audit --target session")
    assert next_command(0, " --data-dir restored").endswith("audit --target local --data-dir restored")
