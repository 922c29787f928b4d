"""Step 3: a BERT whose pooled [CLS] is the table's weighted mean.

    python -m training.build_bert --work DIR --table WORK/table.npz --out MODEL

Nothing is trained here: the weights are written down. Choose an orthonormal basis of R^H: the ones
direction, r, s, two waves a frequency, and the content directions C. A piece with unit direction d
and length n becomes sqrt(H) (sqrt(1 - c^2) C d + c r): of zero mean and norm sqrt(H), so that
LayerNorm leaves it alone. r holds the attention logit that gives the piece its length back as a
weight; s marks special pieces, which get none; positions are waves of one length, which LayerNorm
takes off all pieces alike. A piece with a code g has .3 sqrt(H) of its row along it, C' g, and the
content so much less.

The last layer attends from [CLS] with that logit and copies content; the pooler is small enough
that tanh is linear. Where the table has codes (crowding.py), the layer before it counts: a head in
which like pieces attend to each other, and to the special pieces, whose share of the attention goes
on as the direction y and into the last layer's logit. Other layers add nothing yet, but their heads
look where word order shows: at the neighbours one, two and three places to the left and right. So
training starts from the table and has what it needs to leave it.
"""

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

from training import crowding
from training.model_folder import write_model_folder
from training.ragged import read_npz
from training.vocabulary import N_SPECIAL

LARGEST_C = 0.7  # content keeps at least sqrt(1 - 0.49) = 0.71 of a row, 0.65 beside a code
SPECIAL_LOGIT = -30.0  # what a special piece gets: e^-30 of a weight
VALUE_GAIN = 4.0  # of the attention output over the [CLS] row it is added to
WAVE = 0.5  # norm of a position beside that of a piece
OFFSETS = (-1, 1, -2, 2, -3, 3)
SHARPNESS = 1.5  # of a look at a neighbour: its logit stands 12 above the mean, with eight waves
# [PAD], [UNK] and [MASK]: special to the last layer, nothing to the one that counts. They stand at
# -y, where a logit is -STRENGTH / CROWD, -22.5.
NOT_COUNTED = [0, 1, 4]
CODE = 0.3  # norm of a piece's code beside that of its row
CROWD = 0.2  # norm along y, beside that of a row, between a piece alone and one in a crowd
POOLER_GAIN = 0.2  # tanh is nearly linear: mean cosine .9997 to the sum (.9982 at 0.4)


def principal_directions(table: np.ndarray, n_directions: int) -> np.ndarray:
    """Largest principal directions of the rows, uncentred: float64 (width, n_directions)."""
    rows = table[N_SPECIAL:].astype(np.float64)
    energy, directions = np.linalg.eigh(rows.T @ rows)
    share = energy[-n_directions:].sum() / energy.sum()
    print(f"{n_directions} principal directions keep {share:.4f} of the energy")
    return directions[:, ::-1][:, :n_directions]


def attention_places(lengths: np.ndarray, taken: float = 0.0) -> tuple[np.ndarray, float]:
    """Place c in [-0.7, 0.7] of every piece, and the slope from c sqrt(H) to its logit per unit.

    The logit must be sigma = ln n - ln sqrt(1 - taken - c^2), since content is shortened by that
    root (`taken`: the code's share of a row's energy); sigma depends on c, c is affine in sigma: a
    fixed point. Returns c float64 (n_pieces,) and the logit's span per unit of c.
    """
    logs = np.log(np.maximum(lengths, np.quantile(lengths[N_SPECIAL:], 0.001)))
    c = np.zeros_like(logs)
    for _ in range(50):
        sigma = logs - 0.5 * np.log1p(-taken - c**2)
        low, high = sigma[N_SPECIAL:].min(), sigma[N_SPECIAL:].max()
        c = LARGEST_C * (2 * (sigma - low) / (high - low) - 1)
    return c, float((high - low) / (2 * LARGEST_C))


@dataclass(frozen=True)
class Basis:
    """Orthonormal directions of R^H, all orthogonal to the ones vector."""

    r: np.ndarray  # (width,)
    s: np.ndarray  # (width,)
    waves: np.ndarray  # (width, 2 * n_waves): cosine and sine of each frequency
    y: np.ndarray  # (width, 1), or (width, 0) where no piece has a code
    codes: np.ndarray  # (width, code width), as the table's codes are
    content: np.ndarray  # (width, all the rest)

    @property
    def not_content(self) -> np.ndarray:
        """What neither values nor pooler let through: (width, some)."""
        return np.column_stack([self.r, self.s, self.waves, self.y, self.codes])


def basis(width: int, n_waves: int, seed: int, code_width: int = 0) -> Basis:
    """Draw the directions from a seed."""
    random = np.random.default_rng(seed).standard_normal((width, width))
    random[:, 0] = 1.0
    q, _ = np.linalg.qr(random)
    ends = np.cumsum([3, 2 * n_waves, bool(code_width), code_width])
    waves, y, codes, content = np.split(q, ends, axis=1)[1:]
    return Basis(q[:, 1], q[:, 2], waves, y, codes, content)


def turn_to_model(table: np.ndarray, n_waves: int, seed: int, code_width: int = 0) -> np.ndarray:
    """The map from the table's space to the model's: float64 (table width, model width).

    A sentence's sum of table rows times this matrix is what the pooler shows (up to length).
    """
    content = basis(table.shape[1], n_waves, seed, code_width).content
    return principal_directions(table, content.shape[1]) @ content.T


def frequencies(n_waves: int) -> np.ndarray:
    """Radians a place, of ratios that meet at no distance that a text has."""
    return 3.0 * 0.72 ** np.arange(n_waves)


def positions(directions: Basis, n_positions: int) -> np.ndarray:
    """A row of norm WAVE sqrt(H) a place: float64 (n_positions, width); no waves, no rows."""
    width, n_waves = len(directions.r), directions.waves.shape[1] // 2
    if not n_waves:
        return np.zeros((n_positions, width))
    angles = np.arange(n_positions)[:, None] * frequencies(n_waves)
    waves = np.stack([np.cos(angles), np.sin(angles)], -1).reshape(n_positions, -1)
    return WAVE * np.sqrt(width / n_waves) * waves @ directions.waves.T


def row_length(directions: Basis) -> float:
    """What LayerNorm leaves of a piece's row, beside the waves."""
    width, n_waves = directions.waves.shape
    return math.sqrt(width / (1 + WAVE**2) if n_waves else width)


def bag_attention(directions: Basis, slope: float, n_heads: int) -> dict[str, np.ndarray]:
    """The last layer's attention and the pooler, by name within layer and model.

    `slope` is the logit's span per unit of c; a row holds c sqrt(H) along r, special rows sqrt(H)
    along s, both shortened by LayerNorm as much as the waves lengthen a row.
    """
    r, s = directions.r, directions.s
    width, size = len(r), len(r) // n_heads
    root = row_length(directions)
    key = np.zeros((width, width))
    # The query is a bias of sqrt(size) on each head's first coordinate: it cancels attention's
    # 1 / sqrt(size), so the logit is just what the key holds there.
    key[::size] = slope / root * r + SPECIAL_LOGIT / root * s
    key[::size] += crowding.STRENGTH / (CROWD * root) * directions.y.sum(1)
    query_bias = np.zeros(width)
    query_bias[::size] = np.sqrt(size)
    content = np.eye(width) - directions.not_content @ directions.not_content.T
    return {
        "attention.self.query.bias": query_bias,
        "attention.self.key.weight": key,
        "attention.self.value.weight": content,
        "attention.output.dense.weight": VALUE_GAIN * np.eye(width),
        "pooler": POOLER_GAIN * content,
    }


def crowd_attention(directions: Basis, n_heads: int) -> dict[str, np.ndarray]:
    """The attention of the layer that counts, in its first head; the other heads are zero.

    A piece attends to others by their codes, and to the special pieces by a logit that makes them
    weigh what HALF pieces of its own kind would. Their share, HALF / (HALF + m), is added along y.
    """
    width, n_codes = directions.codes.shape
    size, root = width // n_heads, row_length(directions)
    if size <= n_codes:
        raise ValueError(f"codes of {n_codes} numbers need heads of more than {n_codes}")
    query, key, value, output = np.zeros((4, width, width))
    query_bias = np.zeros(width)
    gain = math.sqrt(crowding.SHARPNESS * math.sqrt(size)) / (CODE * root)
    query[:n_codes] = key[:n_codes] = gain * directions.codes.T
    n_specials = 2  # [CLS] and [SEP]
    query_bias[n_codes] = math.sqrt(size)
    logit = crowding.SHARPNESS + math.log(crowding.HALF / n_specials)
    key[n_codes] = logit / root * directions.s
    value[0] = directions.s / root
    output[:, 0] = CROWD * root * directions.y[:, 0]
    return {
        "attention.self.query.weight": query,
        "attention.self.query.bias": query_bias,
        "attention.self.key.weight": key,
        "attention.self.value.weight": value,
        "attention.output.dense.weight": output,
        "attention.output.dense.bias": -output[:, 0] / 2,  # so that LayerNorm has little to do
    }


def neighbour_attention(
    directions: Basis, n_heads: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Queries, keys and values of a layer whose heads look at OFFSETS, the rest anywhere."""
    width, n_waves = len(directions.r), directions.waves.shape[1] // 2
    size = width // n_heads
    query, key = rng.normal(0, 0.02, (2, width, width))
    # A product of two waves' coordinates is WAVE^2 H / (n_waves (1 + WAVE^2)) cos(...), and
    # attention divides by sqrt(size).
    product = WAVE**2 * width / (max(n_waves, 1) * (1 + WAVE**2)) / np.sqrt(size)
    gain = np.sqrt(SHARPNESS / product)
    for head, offset in enumerate(OFFSETS[:n_heads] if 2 * n_waves <= size else ()):
        for wave, angle in enumerate(offset * frequencies(n_waves)):
            place = slice(head * size + 2 * wave, head * size + 2 * wave + 2)
            both = directions.waves[:, 2 * wave : 2 * wave + 2].T
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            query[place] += gain * turn @ both
            key[place] += gain * both
    return {
        "attention.self.query.weight": query,
        "attention.self.key.weight": key,
        "attention.self.value.weight": rng.normal(0, width**-0.5, (width, width)),
    }


def bert_from_table(
    table: np.ndarray,
    config: BertConfig,
    n_waves: int = 8,
    seed: int = 1,
    codes: np.ndarray | None = None,
) -> BertModel:
    """Build the BERT that computes `table`'s normalised sum in its pooler_output.

    codes: of the pieces, float32 (n_pieces, code width): like ones share a count. ValueError if
    there is no layer for that.
    """
    if codes is None:
        codes = np.zeros((len(table), 0), np.float32)
    elif config.num_hidden_layers < 2:
        raise ValueError("a table with codes needs two layers: one counts, one sums")
    width, n_heads, n_layers = (
        config.hidden_size,
        config.num_attention_heads,
        config.num_hidden_layers,
    )
    n_codes = codes.shape[1]
    directions = basis(width, n_waves, seed, n_codes)
    rows = table @ turn_to_model(table, n_waves, seed, n_codes)
    lengths = np.linalg.norm(rows, axis=1)
    taken = CODE**2 if n_codes else 0.0
    c, slope = attention_places(lengths, taken)
    rows /= np.maximum(lengths, 1e-12)[:, None]
    rows = np.sqrt(1 - taken - c**2)[:, None] * rows + np.outer(c, directions.r)
    rows += CODE * codes @ directions.codes.T
    rows[:N_SPECIAL] = directions.s
    if n_codes:
        rows[NOT_COUNTED] = -directions.y[:, 0]
    written = bag_attention(directions, slope, n_heads)
    pooler = written.pop("pooler")
    written = {f"encoder.layer.{n_layers - 1}.{name}": value for name, value in written.items()}
    rng = np.random.default_rng(seed)
    for layer in range(n_layers):
        if layer < n_layers - 1:
            attention = (
                crowd_attention(directions, n_heads)
                if n_codes and layer == n_layers - 2
                else neighbour_attention(directions, n_heads, rng)
            )
            for name, value in attention.items():
                written[f"encoder.layer.{layer}.{name}"] = value
        # Read, but not yet answered: what follows starts at zero.
        written[f"encoder.layer.{layer}.intermediate.dense.weight"] = rng.normal(
            0, width**-0.5, (config.intermediate_size, width)
        )
    written["pooler.dense.weight"] = pooler
    written["embeddings.word_embeddings.weight"] = np.sqrt(width) * rows
    written["embeddings.position_embeddings.weight"] = positions(
        directions, config.max_position_embeddings
    )
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


def bert_config(
    n_pieces: int, width: int, layers: int, heads: int, inner: int | None = None
) -> BertConfig:
    """The shape of the bundled model."""
    return BertConfig(
        vocab_size=n_pieces,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=inner or 4 * width,
        max_position_embeddings=300,
        pad_token_id=0,
    )


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for intermediate files")
    parser.add_argument("--table", type=Path, required=True, help="the .npz of training.table")
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--inner", type=int, help="of the feed-forward part [default: 4 x width]")
    parser.add_argument("--waves", type=int, default=8, help="frequencies of the positions")
    parser.add_argument("--seed", type=int, default=1, help="of the basis")
    args = parser.parse_args(argv)
    arrays = read_npz(args.table)
    table, codes = arrays["table"], arrays.get("codes")
    tokenizer = Tokenizer.from_file(str(args.work / "tokenizer.json"))
    config = bert_config(len(table), table.shape[1], args.layers, args.heads, args.inner)
    model = bert_from_table(table, config, args.waves, args.seed, codes)
    hashes = write_model_folder(model, tokenizer, args.out)
    print(json.dumps(hashes, indent=1))


if __name__ == "__main__":
    main()
