"""A model folder's tokenizer, with the ids that transformers gives, by `tokenizers` alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from kcsearch.errors import InputError, ModelError
from kcsearch.models import ModelFolder


def load_tokenizer(folder: ModelFolder) -> Tokenizer:
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


def cuts_characters(tokenizer: Tokenizer) -> bool:
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


def refuse_surrogates(text: str) -> None:
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
