"""Long texts to windows that a model can read whole, cut at sentence ends where it can be."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain

from tokenizers import Tokenizer

from kcsearch.hangul import normalize, split_sentences
from kcsearch.tokenizer import cuts_characters, refuse_surrogates


class Splitter:
    """Cuts texts for one tokenizer.

    limit: pieces that a window may have without the special ones, the prompt included.
    """

    def __init__(self, tokenizer: Tokenizer, limit: int, prompt: str) -> None:
        self._tokenizer = tokenizer
        self._limit = limit
        self._prompt = prompt
        self._cuts_characters = cuts_characters(tokenizer)

    def split(self, text: str) -> list[str]:
        """Cut a text into windows that the model can read whole; `"".join` gives it back.

        At sentence ends where it can, else at white space, else within a word. The longer of the
        two prompts fits in with each window.
        """
        nfc = normalize(text)
        if not self._cuts_characters and len(self._prompt) + len(nfc) <= self._limit:
            return [text]
        refuse_surrogates(text)
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
        prompt = self._prompt
        encoding = self._tokenizer.encode(prompt + text, add_special_tokens=False)
        if len(encoding.ids) <= self._limit:
            return len(text)
        return max(1, encoding.offsets[self._limit][0] - len(prompt))


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
