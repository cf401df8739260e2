"""A client that does not train: every element of the model plus a number of its own. Runs in Flower's environment."""

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """Every client sends another array, so that none is recognised as known already."""
    (model,) = message.content["arrays"].to_numpy_ndarrays()
    update = model + np.float32(1e-3 * (1 + context.node_id % 1000))
    content = RecordDict({"arrays": ArrayRecord([update]), "metrics": MetricRecord({"num-examples": 1})})
    return Message(content=content, reply_to=message)
