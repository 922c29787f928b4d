"""Texts to unit vectors: normalise to NFC, tokenise, choose an engine, pool, scale to length one.

The forward pass itself is in the engines. Nothing here imports torch.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, chain
from pathlib import Path
from typing import Any, Literal, TypedDict, get_args

import numpy as np
from tokenizers import AddedToken, Encoding, Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from kcsearch.bert_layout import supports
from kcsearch.errors import InputError, ModelError
from kcsearch.hangul import normalize, split_sentences
from kcsearch.models import ModelFolder
from kcsearch.types import Engine, Role

EngineName = Literal["auto", "numpy", "torch", "transformers"]
Precision = Literal["auto", "fp32", "bf16", "int8"]

FEW_TEXTS = 8  # up to here numpy answers sooner than torch can be imported (0.95 s, DESIGN.md)


class Tokens(TypedDict):
    """What BertTokenizer prints, a list a text, and the pieces themselves."""

    input_ids: list[list[int]]
    token_type_ids: list[list[int]]
    attention_mask: list[list[int]]
    pieces: list[list[str]]


class TextEncoder:
    """The Encoder of a model folder.

    >>> encoder = TextEncoder(models.resolve())
    >>> encoder.encode(["안녕하세요", "하이!"]) @ encoder.encode(["반갑습니다"], "query").T

    precision, device, threads: as the engine understands them; threads None leaves them alone.
    engine: auto chooses by the model and by how many texts there are.
    """

    def __init__(
        self,
        folder: ModelFolder,
        *,
        precision: Precision = "auto",
        device: str = "auto",
        threads: int | None = None,
        engine: EngineName = "auto",
    ) -> None:
        for value, choices in ((precision, get_args(Precision)), (engine, get_args(EngineName))):
            if value not in choices:
                raise InputError("{value!r} is none of {choices}", value=value, choices=choices)
        self.folder = folder
        self._precision, self._device, self._threads = precision, device, threads
        self._engine_name = engine
        self._engines: dict[str, Engine] = {}
        self._tokenizer = _load_tokenizer(folder)
        self._limit = folder.max_length - self._tokenizer.num_special_tokens_to_add(False)
        self._cuts_characters = _cuts_characters(self._tokenizer)
        prompts = (folder.query_prompt, folder.passage_prompt)
        n_pieces = {text: len(self._tokenizer.encode(text).ids) for text in prompts}
        self._longest_prompt = max(prompts, key=lambda text: n_pieces[text])
        if n_pieces[self._longest_prompt] >= folder.max_length:
            raise ModelError("{path}: its prompts leave no room for a text", path=folder.path)

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
        ids = [encoding.ids for encoding in self._encodings(texts, prompt)]
        self._refuse_long(texts, ids)
        return self._engine(len(ids)).pool(ids)

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
        nfc = normalize(text)
        if not self._cuts_characters and len(self._longest_prompt) + len(nfc) <= self._limit:
            return [text]
        _refuse_surrogates(text)
        windows, start = [], 0
        while start < len(nfc):
            end = self._window_end(nfc, start)
            windows.append(nfc[start:end])
            start = end
        if len(windows) <= 1:
            return [text]
        return windows if nfc == text else list(_as_written(text, windows))

    def _window_end(self, text: str, start: int) -> int:
        size = 3 * self._limit  # characters; Korean has about two a piece
        while (fits := self._n_fitting(text[start : start + size])) == size:
            size *= 2
        end = start + fits
        while end < len(text):  # a cut can change the pieces beside it, so count again
            cut = _last_boundary(text, start, end)
            end = start + self._n_fitting(text[start:cut])
            if end == cut:
                break
        return end

    def _n_fitting(self, text: str) -> int:
        """How many characters of `text`, at least one, fit into a window after the prompt."""
        prompt = self._longest_prompt
        encoding = self._tokenizer.encode(prompt + text, add_special_tokens=False)
        if len(encoding.ids) <= self._limit:
            return len(text)
        return max(1, encoding.offsets[self._limit][0] - len(prompt))

    def _encodings(
        self, texts: Sequence[str], prompt: str = "", *, with_special_pieces: bool = True
    ) -> list[Encoding]:
        whole = [prompt + normalize(text) for text in texts]
        try:
            return self._tokenizer.encode_batch(whole, add_special_tokens=with_special_pieces)
        except TypeError:  # how `tokenizers` says that a str is no Unicode text
            for text in texts:
                _refuse_surrogates(text)
            raise

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
        return is_fp32_on_cpu and ".safetensors" in self.folder.weights.suffixes

    def _new_engine(self, name: EngineName) -> Engine:
        if name == "numpy":
            from kcsearch.numpy_engine import NumpyEngine

            return NumpyEngine(self.folder)
        if name == "torch":
            from kcsearch.torch_engine import TorchEngine

            return TorchEngine(self.folder, self._precision, self._device, self._threads)
        from kcsearch.transformers_engine import TransformersEngine

        return TransformersEngine(self.folder, self._precision, self._device, self._threads)


def _last_boundary(text: str, start: int, end: int) -> int:
    """The best place in (start, end] to cut `text`, leaving more than white space before it."""
    lookahead = 3  # characters that split_sentences wants to see behind a mark
    sentences = split_sentences(text[start : end + lookahead])
    ends = [start + offset for offset in accumulate(map(len, sentences[:-1]))]
    at_sentences = [min(cut, end) for cut in ends if not text[end:cut].strip()]
    at_spaces = (cut for cut in range(end, start, -1) if text[cut - 1].isspace())
    anywhere = range(end, start, -1)
    for cut in chain(reversed(at_sentences), at_spaces, anywhere):
        if text[start:cut].strip() and _starts_a_character(text[cut : cut + 1]):
            return cut
    return end


def _starts_a_character(char: str) -> bool:
    """Say whether NFC never joins `char` to what stands before it (checked over all of Unicode)."""
    is_jamo = "\u1161" <= char <= "\u1175" or "\u11a8" <= char <= "\u11c2"
    return not is_jamo and not unicodedata.category(char or " ").startswith("M")


def _as_written(text: str, windows: Sequence[str]) -> Iterator[str]:
    """Cut a text that is not NFC where its NFC form was cut into `windows`."""
    starts = [i for i, char in enumerate(text) if i and _starts_a_character(char)]
    ends = list(accumulate(map(len, windows)))[:-1]
    begin = last = n_normal = 0
    for end in starts:
        n_normal += len(normalize(text[last:end]))
        last = end
        if ends and n_normal >= ends[0]:
            yield text[begin:end]
            begin = end
            ends = [later for later in ends if later > n_normal]
    yield text[begin:]


def _refuse_surrogates(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            "character {n} of a text is half of a surrogate pair ({code}), so it is no Unicode "
            "text: {start!r}",
            n=error.start + 1,
            code=f"U+{ord(text[error.start]):04X}",
            start=text[:20],
        ) from error


def _cuts_characters(tokenizer: Tokenizer) -> bool:
    """Say whether a text can have more pieces than characters, after NFC.

    Not with WordPiece behind a BertNormalizer that leaves accents: it drops characters, or puts
    spaces beside them, and a piece is at least one character.
    """
    normalizer = tokenizer.normalizer
    return not (
        isinstance(tokenizer.model, WordPiece)
        and isinstance(normalizer, BertNormalizer)
        and not normalizer.lowercase
        and not normalizer.strip_accents
    )


def _load_tokenizer(folder: ModelFolder) -> Tokenizer:
    """Load tokenizer.json, or else build what BertTokenizer makes of vocab.txt."""
    if folder.tokenizer.suffix == ".txt":
        tokenizer = _word_piece_tokenizer(folder.tokenizer, folder.tokenizer_config)
    else:
        try:
            tokenizer = Tokenizer.from_file(str(folder.tokenizer))
        except Exception as error:  # `tokenizers` raises nothing narrower
            raise ModelError(
                "{path} is not a tokenizer: {reason}", path=folder.tokenizer, reason=error
            ) from error
    tokenizer.no_truncation()  # files of sentence-transformers say both
    tokenizer.no_padding()
    n_pieces, n_rows = tokenizer.get_vocab_size(), folder.config.get("vocab_size")
    if isinstance(n_rows, int) and n_pieces > n_rows:
        raise ModelError(
            "{path} has {n_pieces} pieces, but the model has vectors for {n_rows}: these files "
            "are of different models",
            path=folder.tokenizer,
            n_pieces=n_pieces,
            n_rows=n_rows,
        )
    return tokenizer


def _word_piece_tokenizer(path: Path, config: dict[str, Any]) -> Tokenizer:
    try:
        with path.open(encoding="utf-8") as lines:
            vocabulary = {line.rstrip("\n"): number for number, line in enumerate(lines)}
    except UnicodeDecodeError as error:
        raise ModelError("{path} is not UTF-8: {reason}", path=path, reason=error) from error
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    lacks = [piece for piece in special if piece not in vocabulary]
    if lacks or not any(piece.startswith("##") for piece in vocabulary):
        raise ModelError(
            "{path} is no WordPiece vocabulary: {lacks} missing",
            path=path,
            lacks=", ".join(lacks) or "##pieces",
        )
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = BertNormalizer(
        handle_chinese_chars=bool(config.get("tokenize_chinese_chars", True)),
        strip_accents=config.get("strip_accents"),
        lowercase=bool(config.get("do_lower_case", False)),
    )
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(piece, vocabulary[piece]) for piece in ("[CLS]", "[SEP]")],
    )
    tokenizer.add_special_tokens([AddedToken(piece, special=True) for piece in special])
    return tokenizer
