"""A training run that can be stopped at any moment and gone on with.

Every step draws its batch and its dropout from its own number: there is no random state to save,
and a run that was killed ends where an unbroken one does.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kcsearch.atomic_file import replacing
from kcsearch.errors import InputError


@dataclass(frozen=True)
class Pace:
    """How fast a run learns: the rate rises over `warmup` steps and then falls to 0 at `steps`."""

    steps: int
    rate: float
    warmup: int = 0

    def at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        return self.rate * (self.steps - step) / max(self.steps - self.warmup, 1)


TYPICAL_SIZE = 0.04  # root mean square of a matrix of kcbert-base and its like
LEAST_SCALE = 0.25  # or a matrix of zeros would never move

_STEPS = 2  # raise it when steps are made otherwise: earlier checkpoints are refused then


def step_scale(weights: Tensor) -> float:
    """What the learning rate is multiplied by: a matrix of larger numbers moves by larger steps.

    Adam moves every number alike, which is much for a matrix of tiny ones and little for rows of
    norm sqrt(width), as the bundled model's embeddings are. The scale is that of Adafactor (Shazeer
    and Stern 2018, arXiv:1804.04235, section 8), 1 for a matrix of usual size and for vectors.
    """
    if weights.dim() < 2:
        return 1.0
    size = float(weights.detach().float().square().mean().sqrt())
    return max(size / TYPICAL_SIZE, LEAST_SCALE)


class Run:
    """Adam over a model, a step at a time.

    loss_of: from a generator that belongs to the step to the loss of a fresh batch.
    mark: what the run depends on; a checkpoint of another mark is refused.
    score_of: how good the model is by texts that are set apart; the best weights are kept.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        loss_of: Callable[[np.random.Generator], Tensor],
        pace: Pace,
        checkpoint: Path,
        *,
        seed: int,
        mark: str,
        score_of: Callable[[], float] | None = None,
        score_every: int = 0,
        patience: int = 0,
        autocast: bool = False,
    ) -> None:
        self.model, self.pace, self.checkpoint = model, pace, checkpoint
        self.seed, self.mark, self.step = seed, f"{mark}, steps {_STEPS}", 0
        self.best: dict[str, Tensor] | None = None
        self.best_score, self.n_worse = -np.inf, 0
        self._is_whole = True  # not in the midst of a step
        self._loss_of, self._score_of = loss_of, score_of
        self._score_every, self._patience, self._autocast = score_every, patience, autocast
        groups = [{"params": [w], "scale": step_scale(w)} for w in model.parameters()]
        self._adam = torch.optim.AdamW(groups, lr=pace.rate, weight_decay=0.0)
        if checkpoint.is_file():
            self._load()

    @property
    def is_over(self) -> bool:
        """Whether the last step is done, or the score has not risen for `patience` looks."""
        has_settled = bool(self._patience) and self.n_worse >= self._patience
        return self.step >= self.pace.steps or has_settled

    def run(
        self,
        until: int | None = None,
        *,
        save_every: float = 120.0,
        progress: Callable[[Run, float], None] | None = None,
    ) -> None:
        """Train to the end (or to step `until`), saving every so many seconds.

        progress: is called after every step with the run and the step's loss. An interruption saves
        a checkpoint before it goes on its way, unless it met half a step.
        """
        saved = time.monotonic()
        try:
            if self._score_of is not None and self.best is None:
                self.look()
            while not self.is_over and self.step != until:
                loss = self.one_step()
                if progress is not None:
                    progress(self, loss)
                if time.monotonic() - saved > save_every:
                    self.save()
                    saved = time.monotonic()
        finally:
            if self._is_whole:
                self.save()

    def one_step(self) -> float:
        """Train on one batch, and look at the score where it is time; returns the loss."""
        generator = np.random.default_rng((self.seed, self.step))
        for group in self._adam.param_groups:
            group["lr"] = self.pace.at(self.step) * group["scale"]
        device = next(self.model.parameters()).device
        self.model.train()
        with torch.random.fork_rng():
            torch.manual_seed(int(generator.integers(2**62)))
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=self._autocast):
                loss = self._loss_of(generator)
            self._adam.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self._is_whole = False
        self._adam.step()
        self.step += 1
        self._is_whole = True
        self.model.eval()
        is_time = self._score_every and self.step % self._score_every == 0
        if is_time or (self._score_of is not None and self.step == self.pace.steps):
            self.look()
        return loss.item()

    def look(self) -> None:
        """Score the model, and keep its weights if it was never better."""
        assert self._score_of is not None
        self.model.eval()
        score = self._score_of()
        if score > self.best_score:
            self.best_score, self.n_worse = score, 0
            self.best = {name: t.detach().clone() for name, t in self.model.state_dict().items()}
        else:
            self.n_worse += 1

    def save(self) -> None:
        """Write the checkpoint beside its place and rename it."""
        state: dict[str, Any] = {
            "mark": self.mark,
            "step": self.step,
            "model": self.model.state_dict(),
            "adam": self._adam.state_dict(),
            "best": self.best,
            "best_score": float(self.best_score),
            "n_worse": self.n_worse,
        }
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self.checkpoint) as draft:
            torch.save(state, draft)

    def _load(self) -> None:
        try:
            state = torch.load(self.checkpoint, weights_only=True)
            mark = state["mark"]
        except Exception as error:  # a damaged file raises whatever its bytes lead to
            raise InputError(
                "{path} is no checkpoint of a training run: remove it to begin anew",
                path=self.checkpoint,
            ) from error
        if mark != self.mark:
            raise InputError(
                "{path} belongs to a run with other texts or options: give those again to go on "
                "with it, or remove {folder} to begin anew",
                path=self.checkpoint,
                folder=os.fspath(self.checkpoint.parent),
            )
        self.model.load_state_dict(state["model"])
        self._adam.load_state_dict(state["adam"])
        self.step, self.best = state["step"], state["best"]
        self.best_score, self.n_worse = state["best_score"], state["n_worse"]
