"""Adapt an encoder to a collection: batches of examples, a part held out, the best weights kept."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kcsearch.engines.torch_engine import choose_device
from kcsearch.engines.transformers_engine import load_model
from kcsearch.errors import InputError
from kcsearch.finetuning.examples import Example, Triple
from kcsearch.finetuning.forward import embed
from kcsearch.finetuning.losses import contrast
from kcsearch.finetuning.model_folder_writer import write_trained
from kcsearch.finetuning.run import Pace, Run
from kcsearch.models import ModelFolder
from kcsearch.new_folder import refuse_existing
from kcsearch.tokenizer import load_tokenizer

LEAST_EXAMPLES = 20
MOST_HELD_OUT = 500
MOST_DISTRACTORS = 4_500  # training texts that held-out answers have to stand out from
N_LOOKS, LEAST_STEPS = 10, 10  # looks at the held-out part in a run, steps between two


@dataclass(frozen=True)
class TrainingOptions:
    """How to train. max_length: pieces of a text that are read. held_out: share of the examples."""

    epochs: float = 3.0
    batch: int = 32
    rate: float = 5e-5
    temperature: float = 0.05
    max_length: int = 128
    held_out: float = 0.1
    patience: int = 3
    seed: int = 1


@dataclass(frozen=True)
class Recall:
    """Of the held-out queries, the share whose answer is first, and among the first ten."""

    first: float
    among_ten: float
    mean_reciprocal_rank: float


@dataclass(frozen=True)
class Look:
    """How far a run is. loss: mean since the last look, None at the first."""

    step: int
    n_steps: int
    loss: float | None
    recall: Recall


@dataclass(frozen=True)
class TrainingReport:
    """What a run ended with; recall before the first step and with the weights that were kept."""

    n_examples: int
    n_held_out: int
    n_steps: int
    before: Recall
    after: Recall
    path: Path


class Trainer:
    """One run of training, from examples to a model folder.

    The checkpoint lies in `<out>.training`; making a Trainer with the same arguments goes on from
    it. Raises InputError where `out` exists or the examples are too few.
    """

    def __init__(
        self,
        folder: ModelFolder,
        examples: Sequence[Example],
        out: Path,
        options: TrainingOptions | None = None,
        *,
        device: str = "auto",
        threads: int | None = None,
        on_look: Callable[[Look], None] | None = None,
    ) -> None:
        refuse_existing(out)
        if len(examples) < LEAST_EXAMPLES:
            raise InputError(
                "{n} texts or pairs to learn from are too few: at least {least} are needed",
                n=len(examples),
                least=LEAST_EXAMPLES,
            )
        if threads is not None:
            torch.set_num_threads(threads)
        self.folder, self.out = folder, out
        self.options = options = options or TrainingOptions()
        self._tokenizer = load_tokenizer(folder)
        self._tokenizer.enable_truncation(min(folder.max_length, options.max_length))
        order = np.random.default_rng(options.seed).permutation(len(examples))
        n_held_out = min(max(round(len(examples) * options.held_out), 5), MOST_HELD_OUT)
        self.held_out = [examples[place].trial() for place in order[:n_held_out]]
        self.examples = [examples[place] for place in order[n_held_out:]]
        self._answers = _answers(self.held_out, self.examples)
        n_steps = max(1, math.ceil(len(self.examples) / options.batch * options.epochs))
        self._recalls: list[Recall] = []
        self._losses: list[float] = []
        self._on_look = on_look
        self._model = load_model(folder).float().to(choose_device(device))
        self.run = Run(
            self._model,
            self._loss,
            Pace(n_steps, options.rate, warmup=n_steps // 10),
            out.with_name(f"{out.name}.training") / "checkpoint.pt",
            seed=options.seed,
            mark=self._mark(examples),
            score_of=self._score,
            score_every=max(LEAST_STEPS, n_steps // N_LOOKS),
            patience=options.patience,
        )

    def train(self, until: int | None = None) -> TrainingReport | None:
        """Run to the end and write the folder; or to a step, and return None."""
        self.run.run(until, progress=lambda _, loss: self._losses.append(loss))
        if not self.run.is_over:
            return None
        assert self.run.best is not None
        self._model.load_state_dict(self.run.best)
        after = self._recall()
        self._model.load_state_dict(load_model(self.folder).state_dict())
        before = self._recall()
        write_trained(self.folder, self.run.best, self.out, self.out.name)
        self.run.checkpoint.unlink()
        self.run.checkpoint.parent.rmdir()
        n_examples, n_held_out = len(self.examples), len(self.held_out)
        return TrainingReport(n_examples, n_held_out, self.run.step, before, after, self.out)

    def _ids(self, texts: Sequence[str], prompt: str) -> list[list[int]]:
        encodings = self._tokenizer.encode_batch([prompt + text for text in texts])
        return [encoding.ids for encoding in encodings]

    def _loss(self, rng: np.random.Generator) -> Tensor:
        """The loss of a fresh batch; pairs that share a text are no negatives of each other."""
        n = min(self.options.batch, len(self.examples))
        places = rng.choice(len(self.examples), n, replace=False)
        drawn = [self.examples[place].draw(rng) for place in places]
        anchors = self._ids([one.anchor for one in drawn], self.folder.query_prompt)
        negatives = [one.negative for one in drawn if one.negative is not None]
        texts = [one.positive for one in drawn] + negatives
        both = anchors + self._ids(texts, self.folder.passage_prompt)
        vectors = embed(self._model, both, self.folder.pooling)
        return contrast(vectors[:n], vectors[n:], _share_a_text(drawn), self.options.temperature)

    def _recall(self) -> Recall:
        """How well held-out queries find their answers."""
        self._model.eval()
        ids = self._ids([one.anchor for one in self.held_out], self.folder.query_prompt)
        queries = self._embed_still(ids)
        answers = self._embed_still(self._ids(self._answers, self.folder.passage_prompt))
        scores = queries @ answers.T
        place = {text: row for row, text in reversed(list(enumerate(self._answers)))}
        right = torch.tensor([place[one.positive] for one in self.held_out])
        own = scores[torch.arange(len(right)), right]
        ranks = 1 + (scores > own[:, None]).sum(1).double()
        return Recall(
            first=float((ranks <= 1).double().mean()),
            among_ten=float((ranks <= 10).double().mean()),
            mean_reciprocal_rank=float((1 / ranks).mean()),
        )

    def _embed_still(self, ids: list[list[int]]) -> Tensor:
        with torch.no_grad():
            parts = [ids[first : first + 512] for first in range(0, len(ids), 512)]
            return torch.cat(
                [embed(self._model, part, self.folder.pooling).cpu() for part in parts]
            )

    def _score(self) -> float:
        recall = self._recall()
        if self._on_look is not None:
            loss = float(np.mean(self._losses)) if self._losses else None
            self._on_look(Look(self.run.step, self.run.pace.steps, loss, recall))
        self._losses = []
        return recall.mean_reciprocal_rank

    def _mark(self, examples: Sequence[Example]) -> str:
        """Everything that the run depends on, in one line."""
        texts = hashlib.sha256(repr(list(examples)).encode()).hexdigest()
        return json.dumps([self.folder.fingerprint(), asdict(self.options), texts])


def _answers(held_out: Sequence[Triple], examples: Sequence[Example]) -> list[str]:
    """What held-out queries search: their answers, and texts of the training part."""
    others = [example.trial().positive for example in examples[:MOST_DISTRACTORS]]
    return list(dict.fromkeys([one.positive for one in held_out] + others))


def _share_a_text(drawn: Sequence[Triple]) -> Tensor:
    """Which pairs of a batch share a text: bool (n, n), False on the diagonal."""
    same = torch.zeros(len(drawn), len(drawn), dtype=torch.bool)
    for i, one in enumerate(drawn):
        for j, other in enumerate(drawn[:i]):
            if one.anchor == other.anchor or one.positive == other.positive:
                same[i, j] = same[j, i] = True
    return same
