"""The network that Strata chose, in plain PyTorch: it needs this folder, torch, numpy and pandas, and no Strata.

    python predict.py new.csv                 predictions for every row that has a whole window behind it
    python predict.py new.csv --out said.csv  the same, into a file

`network.json` says what it is and how it was trained, `weights.npz` holds the weights (no pickle). In your own program:

    from predict import load
    network, settings = load()
    outputs = network(inputs)                 # (batch, time, features) -> (batch, outputs), or (batch, time, outputs)
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor, nn

HERE = Path(__file__).resolve().parent
BATCH = 1024


class Network(nn.Module):
    """Stacked LSTM layers, each passing its whole output sequence up, and a linear readout."""

    def __init__(self, inputs: int, outputs: int, depth: int, width: int, target: str, embedding: int = 0) -> None:
        super().__init__()
        self.target = target
        self.table = nn.Embedding(inputs, embedding) if embedding else None
        inputs = embedding or inputs
        self.layers = nn.ModuleList(
            nn.LSTM(width if layer else inputs, width, batch_first=True) for layer in range(depth)
        )
        self.readout = nn.Linear(width, outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """`(batch, time, features)`, or tokens `(batch, time)`, to one output a sequence, or one a step."""
        if self.table is not None:
            inputs = self.table(inputs)
        for layer in self.layers:
            inputs, _ = layer(inputs)
        return self.readout(inputs[:, -1] if self.target == "sequence" else inputs)


def load(folder: Path = HERE) -> tuple[Network, dict]:
    """The network with its weights, and everything that `network.json` says of it."""
    settings = json.loads((folder / "network.json").read_text())
    network = Network(**settings["shape"])
    with np.load(folder / "weights.npz", allow_pickle=False) as weights:
        network.load_state_dict({name: torch.from_numpy(weights[name]) for name in weights.files})
    return network.eval(), settings


def features(values: np.ndarray, scale: dict) -> np.ndarray:
    """Features `(n, window, 3 columns)` of windows `(n, window, columns)`, scaled as in training."""
    mean, sd, change_sd, horizon_sd = (np.array(scale[part]) for part in ("mean", "sd", "change_sd", "horizon_sd"))
    change = np.diff(values, axis=1, prepend=values[:, :1]) / change_sd
    relative = (values - values[:, -1:]) / (horizon_sd * np.sqrt(values.shape[1]))
    stacked = np.stack([change, relative, (values - mean) / sd], axis=-1)
    return np.clip(stacked, -20.0, 20.0).astype(np.float32).reshape(*values.shape[:2], -1)


@torch.no_grad()
def predict(table: pd.DataFrame) -> pd.DataFrame:
    """A prediction for every row with a whole window behind it; rows of a series are in order and without gaps.

    Raises ValueError, one line, for a table that does not fit.
    """
    network, settings = load()
    own = settings.get("table")
    if own is None:
        raise ValueError("this network reads arrays and not tables: use load()")
    needed = [*own["columns"], *([own["series"]] if own["series"] else []), *([own["label"]] if own["past"] else [])]
    if lacking := [column for column in needed if column not in table]:
        raise ValueError(f"the table has no column {lacking[0]!r}; it has {', '.join(map(str, table.columns))}")
    groups = table.groupby(table[own["series"]].astype(str), sort=False) if own["series"] else [("", table)]
    found = []
    for name, rows in groups:
        if name not in own["scales"]:
            raise ValueError(f"series {name!r} was not in the training data; known: {', '.join(own['scales'])}")
        scale, window = own["scales"][name], own["window"]
        if len(rows) < window:
            continue
        values = rows[own["columns"]].to_numpy(dtype=np.float64)
        if not np.isfinite(values).all():
            raise ValueError("the table has missing or infinite values: fill them, or leave these rows out")
        inputs = features(sliding_window_view(values, window, axis=0).transpose(0, 2, 1), scale)
        if own["past"]:
            codes = pd.Index(own["classes"]).get_indexer(rows[own["label"]].astype(str))
            if (codes < 0).any():
                raise ValueError(f"column {own['label']!r} holds a class that was not in the training data")
            hot = np.eye(len(own["classes"]), dtype=np.float32)[codes]
            inputs = np.concatenate([inputs, sliding_window_view(hot, window, axis=0).transpose(0, 2, 1)], axis=-1)
        outputs = torch.cat([network(part) for part in torch.from_numpy(inputs).split(BATCH)]).numpy().astype(float)
        shown = [column for column in (own["time"], own["series"]) if column]
        said = rows[shown].iloc[window - 1 :].copy()
        if own["predict"] == "class":
            odds = np.exp(outputs - outputs.max(axis=1, keepdims=True))
            said[own["answer"]] = np.array(own["classes"])[outputs.argmax(axis=1)]
            said["probability"] = (odds / odds.sum(axis=1, keepdims=True)).max(axis=1)
        elif own["predict"] == "change":
            said[own["answer"]] = values[window - 1 :, 0] + outputs[:, 0] * scale["horizon_sd"][0]
        else:
            said[own["answer"]] = scale["mean"][0] + outputs[:, 0] * scale["sd"][0]
        found.append(said)
    if not found:
        raise ValueError(f"the table is too short: {own['window']} rows of a series are needed for one prediction")
    return pd.concat(found).sort_index()


def main() -> int:
    """The command line; an error is one line and exit code 2."""
    parser = argparse.ArgumentParser(description="Predict new rows with the network that Strata chose.")
    parser.add_argument("table", help="a CSV (also packed) or Parquet file with the columns of the training data")
    parser.add_argument("--out", help="write the predictions to this CSV file")
    parser.add_argument("--separator", default=",")
    given = parser.parse_args()
    try:
        packed = given.table.endswith((".parquet", ".pq"))
        table = pd.read_parquet(given.table) if packed else pd.read_csv(given.table, sep=given.separator)
        said = predict(table)
    except (OSError, ValueError) as error:
        print(f"predict: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    said.to_csv(given.out or sys.stdout, index=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
