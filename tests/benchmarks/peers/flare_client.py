"""A client that does not train: every element of the model plus a number of its own. Runs in FLARE's environment."""

import numpy as np
import nvflare.client as flare


def main() -> None:
    flare.init()
    own = np.float32(1e-3 * (1 + sum(flare.get_site_name().encode()) % 1000))
    while flare.is_running():
        model = flare.receive()
        params = {name: values + own for name, values in model.params.items()}
        flare.send(flare.FLModel(params=params, params_type=flare.ParamsType.FULL))


if __name__ == "__main__":
    main()
