"""Step 3: a BERT whose pooled [CLS] is the table's weighted mean.

    python -m training.build_bert --work DIR --table WORK/table.npz --out kcsearch/model

Nothing is trained here: the weights are written down. Choose an orthonormal basis of R^H: the ones
vector, r, s, and H - 3 content directions C. A piece with unit direction d and length n becomes
sqrt(H) (sqrt(1 - c^2) C d + c r): of zero mean and norm sqrt(H), so that LayerNorm leaves it alone.
r holds the attention logit that gives the piece its length back as a weight; s marks special
pieces, which get none. The first layer attends from [CLS] with that logit and copies content, the
second layer and the feed-forward parts add nothing, the pooler is small enough that tanh is linear.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

from training.model_folder import write_model_folder
from training.ragged import read_npz
from training.vocabulary import N_SPECIAL

LARGEST_C = 0.7  # content keeps at least sqrt(1 - 0.49) = 0.71 of a row
SPECIAL_LOGIT = -30.0  # what a special piece gets: e^-30 of a weight
VALUE_GAIN = 4.0  # of the attention output over the [CLS] row it is added to
POOLER_GAIN = 0.2  # tanh is nearly linear: mean cosine .9997 to the sum (.9982 at 0.4)


def principal_directions(table: np.ndarray, n_directions: int) -> np.ndarray:
    """Largest principal directions of the rows, uncentred: float64 (width, n_directions)."""
    rows = table[N_SPECIAL:].astype(np.float64)
    energy, directions = np.linalg.eigh(rows.T @ rows)
    share = energy[-n_directions:].sum() / energy.sum()
    print(f"{n_directions} principal directions keep {share:.4f} of the energy")
    return directions[:, ::-1][:, :n_directions]


def attention_places(lengths: np.ndarray) -> tuple[np.ndarray, float]:
    """Place c in [-0.7, 0.7] of every piece, and the slope from c sqrt(H) to its logit per unit.

    The logit must be sigma = ln n - ln sqrt(1 - c^2), since content is shortened by sqrt(1 - c^2);
    sigma depends on c, c is affine in sigma: a fixed point. Returns c float64 (n_pieces,) and the
    logit's span per unit of c.
    """
    logs = np.log(np.maximum(lengths, np.quantile(lengths[N_SPECIAL:], 0.001)))
    c = np.zeros_like(logs)
    for _ in range(50):
        sigma = logs - 0.5 * np.log1p(-(c**2))
        low, high = sigma[N_SPECIAL:].min(), sigma[N_SPECIAL:].max()
        c = LARGEST_C * (2 * (sigma - low) / (high - low) - 1)
    return c, float((high - low) / (2 * LARGEST_C))


def basis(width: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """r (width,), s (width,) and C (width, width - 3), orthonormal and orthogonal to the ones."""
    random = np.random.default_rng(seed).standard_normal((width, width))
    random[:, 0] = 1.0
    q, _ = np.linalg.qr(random)
    return q[:, 1], q[:, 2], q[:, 3:]


def turn_to_model(table: np.ndarray, seed: int) -> np.ndarray:
    """The map from the table's space to the model's: float64 (width, width), rank width - 3.

    A sentence's sum of table rows times this matrix is what the pooler shows (up to length).
    """
    width = table.shape[1]
    _, _, content = basis(width, seed)
    return principal_directions(table, width - 3) @ content.T


def attention_weights(
    r: np.ndarray, s: np.ndarray, slope: float, n_heads: int
) -> dict[str, np.ndarray]:
    """Weights of the attention that weighs content by its logits, and of the pooler, by name.

    `slope` is the logit's span per unit of c; a row holds c sqrt(H) along r, special rows sqrt(H)
    along s.
    """
    width, size = len(r), len(r) // n_heads
    root = np.sqrt(width)
    key = np.zeros((width, width))
    # The query is a bias of sqrt(size) on each head's first coordinate: it cancels attention's
    # 1 / sqrt(size), so the logit is just what the key holds there.
    key[::size] = slope / root * r + SPECIAL_LOGIT / root * s
    query_bias = np.zeros(width)
    query_bias[::size] = np.sqrt(size)
    content = np.eye(width) - np.outer(r, r) - np.outer(s, s)
    attention = "encoder.layer.0.attention"
    return {
        f"{attention}.self.query.bias": query_bias,
        f"{attention}.self.key.weight": key,
        f"{attention}.self.value.weight": content,
        f"{attention}.output.dense.weight": VALUE_GAIN * np.eye(width),
        "pooler.dense.weight": POOLER_GAIN * content,
    }


def bert_from_table(table: np.ndarray, config: BertConfig, seed: int = 1) -> BertModel:
    """Build the BERT that computes `table`'s normalised sum in its pooler_output."""
    width = config.hidden_size
    rows = table @ turn_to_model(table, seed)
    lengths = np.linalg.norm(rows, axis=1)
    directions = rows / np.maximum(lengths, 1e-12)[:, None]
    c, slope = attention_places(lengths)
    r, s, _ = basis(width, seed)
    embedding = np.sqrt(1 - c**2)[:, None] * directions + np.outer(c, r)
    embedding[:N_SPECIAL] = s
    written = attention_weights(r, s, slope, config.num_attention_heads)
    written["embeddings.word_embeddings.weight"] = np.sqrt(width) * embedding
    model = BertModel(config)
    # What is not written is 0, but for LayerNorms, which are left to norm.
    weights = {
        name: torch.full_like(value, name.endswith("LayerNorm.weight"))
        for name, value in model.state_dict().items()
    }
    weights |= {name: torch.from_numpy(value).float() for name, value in written.items()}
    model.load_state_dict(weights)
    model.eval()
    return model


def bert_config(n_pieces: int, width: int, layers: int, heads: int) -> BertConfig:
    """The shape of the bundled model."""
    return BertConfig(
        vocab_size=n_pieces,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        max_position_embeddings=300,
        pad_token_id=0,
    )


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for intermediate files")
    parser.add_argument("--table", type=Path, required=True, help="the .npz of training.table")
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--heads", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1, help="of the basis")
    args = parser.parse_args(argv)
    table = read_npz(args.table)["table"]
    tokenizer = Tokenizer.from_file(str(args.work / "tokenizer.json"))
    config = bert_config(len(table), table.shape[1], args.layers, args.heads)
    model = bert_from_table(table, config, args.seed)
    hashes = write_model_folder(model, tokenizer, args.out)
    print(json.dumps(hashes, indent=1))


if __name__ == "__main__":
    main()
