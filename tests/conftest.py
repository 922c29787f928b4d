"""Small real models, made on the spot from a config and a seed. No network, no mocks."""

from __future__ import annotations

import json
import os
import signal

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports huggingface_hub
os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("busy machines", deadline=None)  # a slow moment is no failure
settings.load_profile("busy machines")

SPECIAL_PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]  # ids 0..4
KCBERT = Path(__file__).parents[1].parent / "shared/kcbert"  # vocab.txt and config.json only

# A background job of a shell ignores these, and what it starts inherits that: tests that send them
# to a process of kcsearch need them as a terminal has them.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def hangul_vocabulary() -> list[str]:
    """Special pieces, printable ASCII, and the 2,350 syllables of KS X 1001, whole and as `##`.

    A syllable outside KS X 1001 (뷁) and anything else (漢, 🙂) is [UNK].
    """
    ascii_pieces = [chr(code) for code in range(33, 127)]
    rows, cells = range(0xB0, 0xC9), range(0xA1, 0xFF)
    hangul = [bytes((row, cell)).decode("euc_kr") for row in rows for cell in cells]
    letters = [piece for piece in ascii_pieces if piece.isalnum()]
    return SPECIAL_PIECES + ascii_pieces + hangul + [f"##{piece}" for piece in letters + hangul]


def write_bert(
    folder: Path,
    *,
    vocabulary: Sequence[str] | None = None,
    seed: int = 0,
    with_pooler: bool = True,
    spread: float = 0.3,
    **config: Any,
) -> Path:
    """Save a random BERT as a Hugging Face folder: 2 layers x 32, 4 heads, 64 positions.

    vocabulary: pieces in id order; `hangul_vocabulary()` when None. spread: the standard deviation
    of every weight and bias around its neutral value, large enough that different texts get clearly
    different vectors. with_pooler: False saves it as `BertForMaskedLM`, without `pooler.*`.
    config: whatever `transformers.BertConfig` takes.
    """
    import torch
    from transformers import BertConfig, BertForMaskedLM, BertModel

    pieces = hangul_vocabulary() if vocabulary is None else list(vocabulary)
    shape = {
        "vocab_size": len(pieces),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": 64,
    }
    model_config = BertConfig(**(shape | config))
    model = BertModel(model_config) if with_pooler else BertForMaskedLM(model_config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in sorted(model.named_parameters()):
            neutral = 1.0 if name.endswith("LayerNorm.weight") else 0.0
            weight.copy_(neutral + spread * torch.randn(weight.shape, generator=generator))
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    tokenizer_config = {
        "do_lower_case": False,
        "model_max_length": model_config.max_position_embeddings,
        "tokenizer_class": "BertTokenizer",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def make_bert(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`make_bert(**options)`: a new folder of `write_bert` with these options."""
    return lambda **options: write_bert(tmp_path_factory.mktemp("bert"), **options)


@pytest.fixture(scope="session")
def tiny_bert(make_bert: Callable[..., Path]) -> Path:
    """A BERT folder of 2 layers x 32 with 64 positions. Read only: other tests share it."""
    return make_bert()


@pytest.fixture(scope="session")
def xlm_roberta(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """XLM-R with a unigram tokenizer.json, padding 1 and 42 positions, so room for 40 pieces."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import XLMRobertaConfig, XLMRobertaModel

    folder = tmp_path_factory.mktemp("xlmr")
    letters = [piece for piece in hangul_vocabulary() if len(piece) == 1] + ["▁", "▁안녕"]
    vocabulary = [(piece, 0.0) for piece in ("<s>", "<pad>", "</s>", "<unk>")]
    vocabulary += [(piece, -5.0) for piece in letters]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = XLMRobertaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=42,
        pad_token_id=1,
        type_vocab_size=1,
        initializer_range=0.3,
    )
    XLMRobertaModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def kcbert_folder() -> Path:
    """vocab.txt and config.json of beomi/kcbert-base (no weights); skips where they are not."""
    if not (KCBERT / "vocab.txt").is_file():
        pytest.skip(f"no kcbert vocabulary in {KCBERT}")
    return KCBERT


@pytest.fixture
def anyio_backend() -> str:
    """Of the tests that are coroutines, which are marked `anyio`."""
    return "asyncio"
