"""The textbook form of every phase, as a study would first write it: what the product must equal, and outrun.

Imported by tests, which compare results, and by ``tests/benchmarks``, which compare times.

Shape letters: B batch, T rows of a case, L past rows, H predicted rows, F feature (C control, then P predicted).
"""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from surrogate_modeling.networks.base import Network
from surrogate_modeling.networks.deeponet import DeepONet
from surrogate_modeling.networks.layers import Encoder


def decimate(table: pd.DataFrame, step: float) -> pd.DataFrame:
    """One grid time after another, between the two rows of the table around it; column 0 is time."""
    time = table.iloc[:, 0].to_numpy()
    rows, k = [], 0
    for i in range(int(np.floor((time[-1] - time[0]) / step + 1e-6)) + 1):
        wanted = time[0] + i * step
        while k < len(time) - 2 and time[k + 1] <= wanted:
            k += 1
        left, right = table.iloc[k], table.iloc[k + 1]
        weight = min(1.0, (wanted - time[k]) / (time[k + 1] - time[k]))
        rows.append(left + weight * (right - left))
    return pd.DataFrame(rows)


def read_case(path: Path, step: float) -> pd.DataFrame:
    """A case file on the grid; line 2 holds units."""
    return decimate(pd.read_csv(path, skiprows=[1]), step)


def make_windows(
    values: np.ndarray, mean: np.ndarray, scale: np.ndarray, in_len: int, controls: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every window of a case, cut from its table: past (W, L, F), control (W, 1, C), truth (W, 1, P)."""
    table = (pd.DataFrame(values) - mean) / scale
    past, control, truth = [], [], []
    for i in range(in_len, len(table)):
        window = table.iloc[i - in_len : i + 1].to_numpy()
        past.append(window[:in_len])
        control.append(window[in_len:, :controls])
        truth.append(window[in_len:, controls:])
    return np.array(past), np.array(control), np.array(truth)


class WindowPerItem(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """One window per index, for PyTorch's loader to collate."""

    def __init__(self, past: np.ndarray, control: np.ndarray, truth: np.ndarray) -> None:
        self.past, self.control, self.truth = past, control, truth

    def __len__(self) -> int:
        return len(self.past)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        return (
            torch.tensor(self.past[index], dtype=torch.float32),
            torch.tensor(self.control[index], dtype=torch.float32),
            torch.tensor(self.truth[index], dtype=torch.float32),
        )


def torch_encoder(encoder: Encoder, dim: int, heads: int, fc_dim: int) -> nn.TransformerEncoder:
    """PyTorch's own encoder, which computes every row of every layer, with the weights of ours."""
    layer = nn.TransformerEncoderLayer(dim, heads, fc_dim, dropout=0.0, batch_first=True)
    twin = nn.TransformerEncoder(layer, len(encoder.layers), enable_nested_tensor=False)
    for ours, theirs in zip(encoder.layers, twin.layers, strict=True):
        theirs.load_state_dict(
            {
                "self_attn.in_proj_weight": torch.cat((ours.query.weight, ours.key_value.weight)),
                "self_attn.in_proj_bias": torch.cat((ours.query.bias, ours.key_value.bias)),
                "self_attn.out_proj.weight": ours.out.weight,
                "self_attn.out_proj.bias": ours.out.bias,
                "linear1.weight": ours.fc_in.weight,
                "linear1.bias": ours.fc_in.bias,
                "linear2.weight": ours.fc_out.weight,
                "linear2.bias": ours.fc_out.bias,
                "norm1.weight": ours.norm_attention.weight,
                "norm1.bias": ours.norm_attention.bias,
                "norm2.weight": ours.norm_fc.weight,
                "norm2.bias": ours.norm_fc.bias,
            }
        )
    return twin


class PlainDeepONet(nn.Module):
    """A DeepONet with the weights of ours that computes a token and its head for every past row.

    The last tokens are then kept, and the product with the branch is taken column by column. The perceptron trunk has
    one token per output row in any form.
    """

    def __init__(self, ours: DeepONet) -> None:
        super().__init__()
        self.ours = ours
        self.name = type(ours.trunk).__name__
        if self.name == "TransformerTrunk":
            encoder = ours.trunk.encoder
            layer = encoder.layers[0]
            self.encoder = torch_encoder(encoder, layer.fc_in.in_features, layer.heads, layer.fc_in.out_features)

    def tokens(self, past: Tensor) -> Tensor:
        """A token per past row (B, L, D), or per output row for the perceptron."""
        trunk = self.ours.trunk
        if self.name == "TransformerTrunk":
            return trunk.norm(self.encoder(trunk.dropout(trunk.embedding(past) + trunk.positions)))
        if self.name == "LstmTrunk":
            outputs = trunk.lstm(past)[0]
            return 0.5 * (outputs + outputs[:, -1:])
        return trunk(past)

    def forward(self, past: Tensor, control: Tensor) -> Tensor:
        ours, width = self.ours, self.ours.width
        trunk = torch.relu(ours.head(self.tokens(past)))
        branch = ours.branch(control)
        columns = []
        for p in range(len(ours.bias)):
            block = slice(p * width, (p + 1) * width)
            product = torch.einsum("btw,btw->bt", trunk[:, -control.shape[1] :, block], branch[:, :, block])
            columns.append(product + ours.bias[p])
        return torch.stack(columns, dim=-1)


def free_run(network: Network | nn.Module, past: np.ndarray, control: np.ndarray) -> np.ndarray:
    """One case, one row after another, each fetched into numpy: past (L, F), control (H, C) -> (H, P) standardised."""
    rows = []
    for controls in control:
        with torch.no_grad():
            inputs = torch.tensor(past, dtype=torch.float32)[None], torch.tensor(controls, dtype=torch.float32)
            row = network(inputs[0], inputs[1][None, None]).numpy()[0, 0]
        rows.append(row)
        past = np.concatenate((past[1:], np.concatenate((controls, row))[None]))
    return np.array(rows)


def draw_figure(path: Path, time: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> None:
    """One picture with its own figure and axes."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 3.6))
    axes.plot(time, truth, label="truth")
    axes.plot(time[-len(predicted) :], predicted, "--", label="prediction")
    axes.set_xlabel("time [s]")
    axes.set_ylabel("column")
    axes.set_title("case: column, ADE, FDE")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def write_csv(path: Path, names: list[str], time: np.ndarray, values: np.ndarray) -> None:
    """One predicted case."""
    pd.DataFrame(np.column_stack((time, values.astype(np.float64))), columns=["time", *names]).to_csv(path, index=False)
