"""Texts to unit vectors: normalise to NFC, tokenise, choose an engine, pool, scale to length one.

The forward pass itself is in the engines. Nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict, get_args

import numpy as np
from tokenizers import Encoding

from kcsearch.engines.bert_layout import supports
from kcsearch.errors import InputError, ModelError
from kcsearch.hangul import clean_kcbert, normalize
from kcsearch.models import ModelFolder, resolve
from kcsearch.tokenizer import load_tokenizer, refuse_surrogates
from kcsearch.types import Engine, Role
from kcsearch.windows import Splitter

EngineName = Literal["auto", "numpy", "torch", "transformers"]
Precision = Literal["auto", "fp32", "bf16", "int8"]

FEW_TEXTS = 8  # up to here numpy answers sooner than torch can be imported (0.95 s measured)
WINDOW = 4_096  # texts that are sorted by length together


class Tokens(TypedDict):
    """What BertTokenizer prints, a list a text, and the pieces themselves."""

    input_ids: list[list[int]]
    token_type_ids: list[list[int]]
    attention_mask: list[list[int]]
    pieces: list[list[str]]


class TextEncoder:
    """The Encoder of a model folder.

    >>> encoder = TextEncoder()  # the bundled one; or a name, a path, or what models.resolve gives
    >>> encoder.encode(["안녕하세요", "하이!"]) @ encoder.encode(["반갑습니다"], "query").T

    precision, device, threads, deterministic: as the engine understands them; threads None leaves
    them alone, and where the engine has no way to be deterministic, encoding raises InputError.
    engine: auto chooses by the model and by how many texts there are.
    """

    def __init__(
        self,
        model: str | Path | ModelFolder | None = None,
        *,
        precision: Precision = "auto",
        device: str = "auto",
        threads: int | None = None,
        engine: EngineName = "auto",
        deterministic: bool = False,
    ) -> None:
        for value, choices in ((precision, get_args(Precision)), (engine, get_args(EngineName))):
            if value not in choices:
                raise InputError("{value!r} is none of {choices}", value=value, choices=choices)
        folder = model if isinstance(model, ModelFolder) else resolve(model)
        self.folder = folder
        self._precision, self._device, self._threads = precision, device, threads
        self._engine_name, self._deterministic = engine, deterministic
        self._engines: dict[str, Engine] = {}
        self._tokenizer = load_tokenizer(folder)
        self._limit = folder.max_length - self._tokenizer.num_special_tokens_to_add(False)
        prompts = (folder.query_prompt, folder.passage_prompt)
        n_pieces = {text: len(self._tokenizer.encode(text).ids) for text in prompts}
        longest = max(prompts, key=lambda text: n_pieces[text])
        if n_pieces[longest] >= folder.max_length:
            raise ModelError("{path}: its prompts leave no room for a text", path=folder.path)
        self._splitter = Splitter(self._tokenizer, self._limit, longest)

    @property
    def dim(self) -> int:
        return self.folder.dim

    def fingerprint(self) -> Mapping[str, Any]:
        """What decides a vector, as JSON values. Reads every byte of the weights."""
        return self.folder.fingerprint()

    def encode(self, texts: Sequence[str], role: Role = "passage") -> np.ndarray:
        """float32 (n, dim), unit rows, in the order of `texts`; a zero vector stays zero.

        Raises InputError for a text longer than the model's limit: `split` it first.
        """
        vectors = self.pool(texts, role)
        if not np.isfinite(vectors).all():
            raise ModelError("{path} gives vectors that are no numbers", path=self.folder.path)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: np.ndarray = vectors / np.maximum(norms, np.finfo(np.float32).tiny)
        return unit

    def pool(self, texts: Sequence[str], role: Role = "passage") -> np.ndarray:
        """float32 (n, dim) before normalisation: for `pooler`, what `pooler_output` holds."""
        prompt = self.folder.query_prompt if role == "query" else self.folder.passage_prompt
        windows = [texts[start : start + WINDOW] for start in range(0, len(texts), WINDOW)]
        vectors = [np.zeros((0, self.dim), np.float32)]
        for ids in self._tokenised_ahead(windows, prompt):
            vectors.append(self._engine(len(texts)).pool(ids))
        return np.concatenate(vectors)

    def words(self, texts: Sequence[str]) -> list[tuple[list[str], np.ndarray]]:
        """Per text its pieces and their last hidden states, float32 (length, hidden); no prompt."""
        encodings = self._encodings(texts)
        ids = [encoding.ids for encoding in encodings]
        self._refuse_long(texts, ids)
        states = self._engine(len(ids)).words(ids)
        return [(encoding.tokens, state) for encoding, state in zip(encodings, states, strict=True)]

    def tokenize(
        self,
        texts: Sequence[str],
        max_length: int | None = None,
        padding: Literal["none", "longest", "max_length"] = "none",
    ) -> Tokens:
        """What BertTokenizer gives for these texts, cut to `max_length` pieces if one is given."""
        n_special = self.folder.max_length - self._limit
        if max_length is not None and max_length < n_special:
            raise InputError(
                "max_length {n} has no room for {n_special} special pieces",
                n=max_length,
                n_special=n_special,
            )
        if max_length is None and padding == "max_length":
            raise InputError("padding to max_length needs a max_length")
        encodings = self._encodings(texts, with_special_pieces=False)
        for encoding in encodings:
            if max_length is not None:
                encoding.truncate(max_length - n_special)
        encodings = [self._tokenizer.post_process(encoding) for encoding in encodings]
        longest = max((len(encoding.ids) for encoding in encodings), default=0)
        pad_id = int(self.folder.config.get("pad_token_id") or 0)
        for encoding in encodings:
            if padding != "none":
                length = max_length if padding == "max_length" and max_length else longest
                pad_piece = self._tokenizer.id_to_token(pad_id) or "[PAD]"
                encoding.pad(length, pad_id=pad_id, pad_token=pad_piece)
        return Tokens(
            input_ids=[encoding.ids for encoding in encodings],
            token_type_ids=[encoding.type_ids for encoding in encodings],
            attention_mask=[encoding.attention_mask for encoding in encodings],
            pieces=[encoding.tokens for encoding in encodings],
        )

    def split(self, text: str) -> list[str]:
        """Cut a text into windows that the model can read whole; `"".join` gives it back.

        At sentence ends where it can, else at white space, else within a word. The longer of the
        two prompts fits in with each window.
        """
        return self._splitter.split(text)

    def _tokenised_ahead(
        self, windows: Sequence[Sequence[str]], prompt: str
    ) -> Iterator[list[list[int]]]:
        """The ids of each window, which are made while the caller works on the window before."""
        if len(windows) < 2:
            yield from (self._ids(window, prompt) for window in windows)
            return
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(max_workers=1) as ahead:
            coming = ahead.submit(self._ids, windows[0], prompt)
            for window in windows[1:]:
                ids = coming.result()
                coming = ahead.submit(self._ids, window, prompt)
                yield ids
            yield coming.result()

    def _ids(self, texts: Sequence[str], prompt: str) -> list[list[int]]:
        ids = [encoding.ids for encoding in self._encodings(texts, prompt)]
        self._refuse_long(texts, ids)
        return ids

    def _encodings(
        self, texts: Sequence[str], prompt: str = "", *, with_special_pieces: bool = True
    ) -> list[Encoding]:
        whole = [prompt + self._cleaned(text) for text in texts]
        try:
            return self._tokenizer.encode_batch(whole, add_special_tokens=with_special_pieces)
        except TypeError:  # how `tokenizers` says that a str is no Unicode text
            for text in texts:
                refuse_surrogates(text)
            raise

    def _cleaned(self, text: str) -> str:
        """NFC, and cleaned if the folder says so; what would lose every letter stays as it is."""
        text = normalize(text)
        return clean_kcbert(text) or text if self.folder.clean == "kcbert" else text

    def _refuse_long(self, texts: Sequence[str], ids: Sequence[Sequence[int]]) -> None:
        for text, sequence in zip(texts, ids, strict=True):
            if len(sequence) > self.folder.max_length:
                raise InputError(
                    "a text of {n} pieces is longer than the model's {limit}: {start!r}… "
                    "Split it into windows first",
                    n=len(sequence),
                    limit=self.folder.max_length,
                    start=text[:20],
                )

    def _engine(self, n_texts: int) -> Engine:
        name = self._engine_name
        if name == "auto":
            if not supports(self.folder.config):
                name = "transformers"
            elif n_texts <= FEW_TEXTS and "torch" not in self._engines and self._may_use_numpy():
                name = "numpy"
            else:
                name = "torch"
        if name not in self._engines:
            self._engines[name] = self._new_engine(name)
        return self._engines[name]

    def _may_use_numpy(self) -> bool:
        is_fp32_on_cpu = self._precision in ("auto", "fp32") and self._device in ("auto", "cpu")
        return (
            is_fp32_on_cpu
            and not self._deterministic
            and ".safetensors" in self.folder.weights.suffixes
        )

    def _new_engine(self, name: EngineName) -> Engine:
        if name == "numpy":
            from kcsearch.engines.numpy_engine import NumpyEngine

            return NumpyEngine(self.folder)
        options = self.folder, self._precision, self._device, self._threads
        if name == "torch":
            from kcsearch.engines.torch_engine import TorchEngine

            return TorchEngine(*options, self._deterministic)
        if self._deterministic:
            raise InputError("only BERT folders are encoded deterministically, not this one")
        from kcsearch.engines.transformers_engine import TransformersEngine

        return TransformersEngine(*options)
