"""Three ways from texts to unit rows, for measuring: a table, a model folder, a bag of bigrams."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from scipy.sparse import csr_matrix
from tokenizers import Tokenizer
from transformers import BertModel

from training.pieces import MAX_PIECES
from training.ragged import Ragged, read_npz
from training.table import bags, weighted
from training.table import embed as embed_pieces

Pooling = Literal["pooler", "cls", "mean"]
Embed = Callable[[list[str]], np.ndarray | csr_matrix]
MAX_BATCH_PIECES = 8_000


def table_embedder(table_path: Path, tokenizer_path: Path) -> Embed:
    """Texts -> float32 (n, width), unit rows: the normalised sum of the table's rows."""
    tokenizer = Tokenizer.from_file(str(tokenizer_path))
    arrays = read_npz(table_path)
    table = torch.from_numpy(arrays["table"])
    codes = torch.from_numpy(arrays["codes"]) if "codes" in arrays else None
    return lambda texts: table_vectors(table, tokenizer, texts, codes)


def table_vectors(
    table: torch.Tensor,
    tokenizer: Tokenizer,
    texts: list[str],
    codes: torch.Tensor | None = None,
) -> np.ndarray:
    """The normalised sums of a table's rows: float32 (n, width), unit rows."""
    texts = [unicodedata.normalize("NFC", text) for text in texts]
    encodings = tokenizer.encode_batch(texts, add_special_tokens=False)
    rows = [np.array(encoding.ids[:MAX_PIECES], np.int64) for encoding in encodings]
    return embed_pieces(table, weighted(bags(Ragged.from_rows(rows)), codes)).numpy()


def model_embedder(folder: Path, pooling: Pooling) -> Embed:
    """Texts -> float32 (n, width), unit rows, with plain transformers in fp32."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    model = BertModel.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer.enable_truncation(model.config.max_position_embeddings)
    tokenizer.no_padding()
    return lambda texts: model_vectors(model, tokenizer, texts, pooling)


def model_vectors(
    model: BertModel, tokenizer: Tokenizer, texts: list[str], pooling: Pooling = "pooler"
) -> np.ndarray:
    """Pool one vector a text, in batches of like length: float32 (n, width), unit rows."""
    texts = [unicodedata.normalize("NFC", text) for text in texts]
    ids = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    order = sorted(range(len(ids)), key=lambda number: len(ids[number]))
    vectors = np.zeros((len(ids), model.config.hidden_size), np.float32)
    start = 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and len(ids[order[stop]]) * (stop - start + 1) <= MAX_BATCH_PIECES:
            stop += 1
        batch = order[start:stop]
        vectors[batch] = pool_batch(model, [ids[number] for number in batch], pooling)
        start = stop
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@torch.inference_mode()
def pool_batch(model: BertModel, ids: list[list[int]], pooling: Pooling) -> np.ndarray:
    """Pad, run and pool one batch: float32 (n, width), not normalised."""
    longest = max(map(len, ids))
    padded = torch.tensor([row + [0] * (longest - len(row)) for row in ids])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in ids])
    output = model(input_ids=padded, attention_mask=mask)
    if pooling == "pooler":
        return output.pooler_output.numpy()
    if pooling == "cls":
        return output.last_hidden_state[:, 0].numpy()
    weights = mask[:, :, None].float()
    return ((output.last_hidden_state * weights).sum(1) / weights.sum(1)).numpy()


def bigrams(text: str) -> list[str]:
    """Two-character pieces within each word; a word of one character stays whole."""
    words = re.findall(r"\w+", unicodedata.normalize("NFC", text).lower())
    return [word[i : i + 2] for word in words for i in range(max(1, len(word) - 1))]


def bigram_embedder(n_buckets: int = 2**20) -> Embed:
    """Texts -> sparse (n, n_buckets), unit rows, log(1 + tf) weights: what needs no training.

    No idf: a function of texts alone cannot know the collection.
    """
    numbers: dict[str, int] = {}

    def embed(texts: list[str]) -> csr_matrix:
        data: list[float] = []
        columns: list[int] = []
        offsets = [0]
        for text in texts:
            counts = Counter(bigrams(text))
            weights = [1 + math.log(n) for n in counts.values()]
            length = math.sqrt(sum(weight**2 for weight in weights)) or 1.0
            data += [weight / length for weight in weights]
            columns += [numbers.setdefault(two, len(numbers)) % n_buckets for two in counts]
            offsets.append(len(columns))
        return csr_matrix((data, columns, offsets), shape=(len(texts), n_buckets))

    return embed
