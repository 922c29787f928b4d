"""The command `train`: adapt a model to one's own texts, and what it tells about it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from kcsearch.cli import output
from kcsearch.cli.messages import examples, say
from kcsearch.cli.options import DeviceOption, ModelOption, ThreadsOption
from kcsearch.cli.printing import print_lines, tell
from kcsearch.errors import InputError

if TYPE_CHECKING:  # torch waits until a command needs it
    from kcsearch.finetuning.trainer import Look, Recall

train_command = typer.Typer()


@train_command.command(
    help=say("Adapt a model to your own texts or pairs, as a new model folder.")
    + examples(
        "kcsearch train laws.md --output law-model",
        "kcsearch train faq.csv --text-field question --positive-field answer --output faq-model",
        "kcsearch index laws.md --model law-model",
    )
)
def train(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH", help=say("Files, folders, patterns, or - for standard input.")
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="DIR", help=say("The model folder to write; a new one.")
        ),
    ],
    model: ModelOption = None,
    split: Annotated[
        Literal["line", "paragraph", "none"] | None,
        typer.Option(
            help=say("What one passage is [default: line; paragraph in Markdown]."),
            show_default=False,
        ),
    ] = None,
    text_field: Annotated[
        str, typer.Option(metavar="NAME", help=say("The field or column with the text."))
    ] = "text",
    positive_field: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=say("The field with what belongs to the text [default: texts are passages]."),
            show_default=False,
        ),
    ] = None,
    negative_field: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=say("The field with what only seems to belong to it."),
            show_default=False,
        ),
    ] = None,
    epochs: Annotated[
        float, typer.Option(min=0.01, metavar="N", help=say("Times that all texts are read."))
    ] = 3.0,
    batch: Annotated[int, typer.Option(min=2, metavar="N", help=say("Texts in a step."))] = 32,
    rate: Annotated[
        float, typer.Option(min=0, metavar="X", help=say("The highest learning rate."))
    ] = 5e-5,
    held_out: Annotated[
        float,
        typer.Option(
            min=0.01, max=0.5, metavar="SHARE", help=say("Part of the texts to measure by.")
        ),
    ] = 0.1,
    max_length: Annotated[
        int, typer.Option(min=8, metavar="N", help=say("Pieces of a text that are read."))
    ] = 128,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help=say("Of all random choices."))] = 1,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help=say("Print the report as JSON on stdout."))
    ] = False,
) -> None:
    import time
    from dataclasses import asdict

    if negative_field is not None and positive_field is None:
        raise InputError("--negative-field needs --positive-field")
    from kcsearch import models
    from kcsearch.finetuning.examples import examples as examples_of
    from kcsearch.finetuning.trainer import Trainer, TrainingOptions
    from kcsearch.readers import read

    started = time.monotonic()
    documents = read(paths, split=split, text_field=text_field, key_field="")
    trainer = Trainer(
        models.resolve(model),
        examples_of(documents, positive_field, negative_field),
        out,
        TrainingOptions(
            epochs=epochs,
            batch=batch,
            rate=rate,
            max_length=max_length,
            held_out=held_out,
            seed=seed,
        ),
        device=device,
        threads=threads,
        on_look=_tell_look,
    )
    if trainer.run.step:
        tell(say("Going on at step {step}."), step=f"{trainer.run.step:,}")
    tell(
        say("Learning from {n} texts or pairs; measuring by {held_out}."),
        n=f"{len(trainer.examples):,}",
        held_out=f"{len(trainer.held_out):,}",
    )
    try:
        report = trainer.train()
    except KeyboardInterrupt:
        tell(
            say(
                "Interrupted at step {step} of {n}. The same command goes on from there; "
                "to give it up, remove {folder}"
            ),
            step=f"{trainer.run.step:,}",
            n=f"{trainer.run.pace.steps:,}",
            folder=trainer.run.checkpoint.parent,
        )
        raise
    assert report is not None  # it ran to its end
    if report.after == report.before:
        tell(say("No step made it better: the new model equals the old one."))
    tell(
        say("Answers among the first ten: {before} before, {after} now ({seconds} s)"),
        before=_percent(report.before),
        after=_percent(report.after),
        seconds=f"{time.monotonic() - started:.0f}",
    )
    tell(
        say("The model is in {path}: `kcsearch index FILE --model {path}` uses it."),
        path=report.path,
    )
    if as_json:
        print_lines([output.as_json({**asdict(report), "path": str(report.path)})])


def _tell_look(look: Look) -> None:
    words = say("step {step} of {n}: among the first ten {percent}, first {first}, loss {loss}")
    tell(
        words,
        step=f"{look.step:,}",
        n=f"{look.n_steps:,}",
        percent=_percent(look.recall),
        first=f"{look.recall.first:.1%}",
        loss="-" if look.loss is None else f"{look.loss:.3f}",
    )


def _percent(recall: Recall) -> str:
    return f"{recall.among_ten:.1%}"
