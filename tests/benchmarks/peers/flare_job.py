"""Rounds of FedAvg in NVIDIA FLARE's simulator: `FedAvgRecipe` for numpy arrays, clients in threads, no training.

Runs in FLARE's environment. The server's log says when each round began and when the last one ended.
"""

import argparse
from pathlib import Path

import numpy as np
from nvflare.app_common.np.recipes.fedavg import NumpyFedAvgRecipe
from nvflare.recipe.sim_env import SimEnv


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--elements", type=int, required=True)
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--workspace", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.workspace.mkdir(parents=True, exist_ok=True)
    initial = arguments.workspace.resolve() / "initial.npy"
    np.save(initial, np.random.default_rng(1).standard_normal(arguments.elements, np.float32))
    recipe = NumpyFedAvgRecipe(
        name="rounds",
        initial_ckpt=str(initial),
        min_clients=arguments.clients,
        num_rounds=arguments.rounds,
        train_script=str(Path(__file__).with_name("flare_client.py")),
    )
    environment = SimEnv(num_clients=arguments.clients, workspace_root=str(arguments.workspace.resolve()))
    print(recipe.execute(environment).get_status())


if __name__ == "__main__":
    main()
