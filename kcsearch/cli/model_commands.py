"""The commands that look at a model rather than at a collection: models, tokenize, embed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from kcsearch.cli import output
from kcsearch.cli.messages import examples, say
from kcsearch.cli.options import (
    DeterministicOption,
    DeviceOption,
    ModelOption,
    PrecisionOption,
    ThreadsOption,
)
from kcsearch.cli.printing import print_lines, tell
from kcsearch.cli.usage import Group
from kcsearch.errors import InputError

TextsArgument = Annotated[
    list[str],
    typer.Argument(metavar="TEXT", help=say("Texts, or - for a line each from stdin.")),
]


model_commands = typer.Typer()
models_app = typer.Typer(cls=Group, invoke_without_command=True)


@models_app.callback(
    help=say("List the models that are bundled or cached; show or export one.")
    + examples(
        "kcsearch models",
        "kcsearch models show",
        "kcsearch models export bundled my-model",
    )
)
def list_models(context: typer.Context) -> None:
    if context.invoked_subcommand is not None:
        return
    from kcsearch import models

    states = {
        "bundled": say("bundled"),
        "cached": say("cached"),
        "not cached": say("not cached"),
    }
    header = [say("name"), say("alias"), say("state"), say("kind"), "MB"]
    rows = [
        [
            model.name,
            model.alias or "",
            states[model.state],
            model.architecture or "",
            f"{model.size / 1e6:.1f}" if model.size else "",
        ]
        for model in models.known()
    ]
    print_lines([output.as_table(rows, header)])


@models_app.command(
    name="show",
    help=say("Print a model's configuration.")
    + examples("kcsearch models show", "kcsearch models show kcbert"),
)
def show_model(
    name: Annotated[str, typer.Argument(metavar="NAME", help=say("As for --model."))] = "bundled",
) -> None:
    from kcsearch import models

    folder = models.resolve(name)
    facts = {
        "name": folder.name,
        "revision": folder.revision,
        "path": str(folder.path),
        "dim": folder.dim,
        "pooling": folder.pooling,
        "max_length": folder.max_length,
        "query_prompt": folder.query_prompt,
        "passage_prompt": folder.passage_prompt,
        "config": folder.config,
    }
    print_lines([output.as_json(facts)])


@models_app.command(
    name="export",
    help=say(
        "Write a model as a folder for other programs.\n\n"
        "sentence-transformers loads it by its path and gives the same vectors. onnx: one graph "
        "from piece ids to unit vectors, with its tokenizer."
    )
    + examples(
        "kcsearch models export bundled my-model",
        "kcsearch models export kcbert my-model --format onnx",
    ),
)
def export_model(
    name: Annotated[str, typer.Argument(metavar="NAME", help=say("As for --model."))],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help=say("The new folder."))],
    format: Annotated[
        Literal["sentence-transformers", "onnx"],
        typer.Option("--format", "-f", help=say("For which program.")),
    ] = "sentence-transformers",
) -> None:
    from kcsearch import models
    from kcsearch.new_folder import refuse_existing

    model = models.resolve(name)
    refuse_existing(folder)  # before torch is loaded
    if format == "onnx":
        from kcsearch.model_export.onnx_graph import export
    else:
        from kcsearch.model_export.sentence_transformers_folder import export

    export(model, folder)
    tell(say("The model is in {path}."), path=folder)


@model_commands.command(
    help=say("Print pieces and ids as a BertTokenizer gives them.")
    + examples('kcsearch tokenize "안녕하세요" "하이!" --max-length 10')
)
def tokenize(
    texts: TextsArgument,
    model: ModelOption = None,
    max_length: Annotated[
        int | None,
        typer.Option(
            min=2,
            max=100_000,
            metavar="N",
            help=say("Cut to so many pieces, and fill up to them."),
            show_default=False,
        ),
    ] = None,
    padding: Annotated[
        Literal["none", "longest", "max_length"] | None,
        typer.Option(
            help=say("Fill up with [PAD] [default: max_length if given, else longest]."),
            show_default=False,
        ),
    ] = None,
) -> None:
    from kcsearch import models
    from kcsearch.encoder import TextEncoder

    chosen = padding or ("longest" if max_length is None else "max_length")
    encoder = TextEncoder(models.resolve(model))
    tokens: Any = encoder.tokenize(_lines(texts), max_length, chosen)
    rows = {name: tokens[name] for name in ("pieces", "input_ids", "attention_mask")}
    rows["token_type_ids"] = tokens["token_type_ids"]
    body = ",\n".join(
        f' "{name}": [\n  ' + ",\n  ".join(map(_json_line, lists)) + "\n ]"
        for name, lists in rows.items()
    )
    print_lines(["{\n" + body + "\n}"])


@model_commands.command(
    help=say("Print or save vectors.")
    + examples(
        'kcsearch embed "안녕하세요"',
        'kcsearch embed "안녕하세요" --level word',
        "kcsearch embed - --output vectors.npy < lines.txt",
    )
)
def embed(
    texts: TextsArgument,
    model: ModelOption = None,
    level: Annotated[
        Literal["sentence", "word"],
        typer.Option(help=say("sentence: the pooled vector; word: the last hidden states.")),
    ] = "sentence",
    normalize: Annotated[
        bool,
        typer.Option(
            help=say("Scale sentence vectors to length one [default: --normalize]."),
            show_default=False,
        ),
    ] = True,
    role: Annotated[
        Literal["query", "passage"],
        typer.Option(help=say("Which prompt goes before the text, if the model has one.")),
    ] = "passage",
    to: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.npy",
            help=say("Write float32 (n, dim) there [default: JSON lines on stdout]."),
            show_default=False,
        ),
    ] = None,
    precision: PrecisionOption = "auto",
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    deterministic: DeterministicOption = False,
) -> None:
    import numpy as np

    from kcsearch import models
    from kcsearch.atomic_file import refuse_file_of_collection, replacing
    from kcsearch.encoder import TextEncoder

    if to is not None:
        if to.suffix != ".npy":
            raise InputError("{name}: a name that ends in .npy is needed", name=to)
        refuse_file_of_collection(to)
    encoder = TextEncoder(
        models.resolve(model),
        precision=precision,
        device=device,
        threads=threads,
        deterministic=deterministic,
    )
    lines = _lines(texts)
    if level == "word":
        if to is not None:
            raise InputError("word vectors differ in number by text: they are printed as JSON only")
        for text, (pieces, states) in zip(lines, encoder.words(lines), strict=True):
            words = [
                {"piece": piece, "vector": _numbers(state)}
                for piece, state in zip(pieces, states, strict=True)
            ]
            print_lines([_json_line({"text": text, "words": words})])
        return
    vectors = encoder.encode(lines, role) if normalize else encoder.pool(lines, role)
    if to is None:
        for text, vector in zip(lines, vectors, strict=True):
            print_lines([_json_line({"text": text, "vector": _numbers(vector)})])
        return
    try:
        with replacing(to) as draft, open(draft, "wb") as file:
            np.save(file, vectors, allow_pickle=False)
    except OSError as error:
        raise InputError(
            "{path}: cannot be written ({reason})", path=to, reason=error.strerror
        ) from None


def _lines(texts: list[str]) -> list[str]:
    """The texts given, or for `-` the lines of standard input that hold any."""
    if texts != ["-"]:
        return texts
    from kcsearch.readers import read

    return [document.text for document in read(["-"])]


def _numbers(vector: Any) -> list[float]:
    """float32 as the shortest decimals that read back the same."""
    return [float(str(number)) for number in vector]


def _json_line(value: Any) -> str:
    return output.as_json_lines([value])
