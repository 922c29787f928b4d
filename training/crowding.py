"""Pieces that say the same thing again count less, in the table and in the BERT alike.

In a plain sum a word that comes five times weighs five times as much, and so do five words of one
kind: a paragraph's vector is then of what it repeats. BM25 lets the number of occurrences saturate
(Robertson and Zaragoza 2009, section 3.4); here like pieces share one count:

    m_i = sum over the text's pieces j of exp(SHARPNESS (g_i . g_j - 1))
    weight of i = exp(STRENGTH * HALF / (HALF + m_i))

with g the piece's code, a unit vector. The codes are the table's rows in few dimensions, so that
like pieces have like codes. It is a function that attention computes: HALF + m_i is the denominator
of a softmax in which the special pieces stand for HALF, and build_bert.py writes it down so.

The four constants were chosen on KorQuAD, statutes and Wikipedia of the evaluation folder
(LOG.md, 19); near them little changes.
"""

import numpy as np
import torch

from training.vocabulary import N_SPECIAL

CODE_WIDTH = 16
SHARPNESS = 5.0
HALF = 4.0
STRENGTH = 4.5
MAX_CELLS = 4_000_000  # pairs of pieces looked at in one go


def piece_codes(table: np.ndarray) -> np.ndarray:
    """Unit rows of the table in their principal directions: float32 (n_pieces, CODE_WIDTH).

    Special pieces have none: zeros.
    """
    rows = table.astype(np.float64)
    rows[:N_SPECIAL] = 0
    rows /= np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-12)
    _, directions = np.linalg.eigh(rows.T @ rows)
    codes = rows @ directions[:, ::-1][:, :CODE_WIDTH]
    codes /= np.linalg.norm(codes, axis=1, keepdims=True).clip(1e-12)
    return codes.astype(np.float32)


def crowds(codes: torch.Tensor, ids: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """How many pieces of its text stand where each piece stands, itself included: m above.

    codes float32 (n_pieces, width), ids int64 (n,), offsets int64 (n_texts,) as F.embedding_bag
    takes them -> float32 (n,), at least 1 for a piece that has a code.
    """
    lengths = torch.diff(offsets, append=torch.tensor([len(ids)]))
    found = torch.empty(len(ids))
    order = lengths.argsort(descending=True)
    first = 0
    while first < len(order):
        longest = int(lengths[order[first]])
        texts = order[first : first + max(1, MAX_CELLS // max(longest, 1) ** 2)]
        places = torch.arange(longest)
        mask = places < lengths[texts, None]
        own = (offsets[texts, None] + places)[mask]
        rows = torch.zeros(len(texts), longest, codes.shape[1])
        rows[mask] = codes[ids[own]]
        near = torch.baddbmm(torch.tensor(-SHARPNESS), rows, rows.mT, alpha=SHARPNESS).exp_()
        found[own] = (near @ mask[:, :, None].float())[:, :, 0][mask]
        first += len(texts)
    return found


def crowd_weights(codes: torch.Tensor, ids: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """What each piece of each text counts: float32 (n,). Arguments as of `crowds`."""
    return torch.exp(STRENGTH * HALF / (HALF + crowds(codes, ids, offsets)))
