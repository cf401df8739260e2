"""FedAvg over one float32 array; writes when each round's model was there. Runs in Flower's environment."""

import time
from pathlib import Path

import numpy as np
from flwr.app import ArrayRecord, Context, MetricRecord
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Evaluation, which Flower does at the server before the first round and after each, is a look at the clock."""
    settings = context.run_config
    times_file = Path(str(settings["times-file"]))
    num_clients = int(settings["num-clients"])

    def note(server_round: int, arrays: ArrayRecord) -> MetricRecord | None:
        with times_file.open("a") as times:
            times.write(f"{server_round} {time.time()}\n")
        return None

    model = np.random.default_rng(1).standard_normal(int(settings["num-elements"]), np.float32)
    while len(list(grid.get_node_ids())) < num_clients:
        time.sleep(0.2)
    strategy = FedAvg(
        fraction_evaluate=0.0,
        min_train_nodes=num_clients,
        min_available_nodes=num_clients,
    )
    strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord([model]),
        num_rounds=int(settings["num-rounds"]),
        evaluate_fn=note,
    )
