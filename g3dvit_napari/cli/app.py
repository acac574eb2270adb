"""The commands and their options; each hands its work to the module that does it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from g3dvit_napari.cli import benchmarking
from g3dvit_napari.cli.method_options import MethodCommand
from g3dvit_napari.core.errors import G3DViTError
from g3dvit_napari.core.memory import lacks_memory, short_of_memory

app = typer.Typer(
    help="Why did the 3D Vision Transformer say so? Explanations that lie where they belong.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(benchmarking.app, name="benchmark")

Spec = Annotated[
    str | None,
    typer.Option(help="Model spec: a preset or a YAML file. Default: the one next to CKPT."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the shell; a refusal is a sentence on stderr and exit code 2, never a traceback."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        app(words, prog_name="g3dvit")
    except (G3DViTError, OSError) as error:
        _refuse(str(error), words)
    except (MemoryError, RuntimeError) as error:
        if not lacks_memory(error):
            raise
        _refuse(short_of_memory(error), words)


def _refuse(message: str, words: Sequence[str]) -> NoReturn:
    from g3dvit_napari.cli import terminal

    terminal.refuse(message, as_json="--json" in words)
    sys.exit(2)


@app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from g3dvit_napari import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.command(cls=MethodCommand)
def explain(
    context: typer.Context,
    volumes: Annotated[list[Path], typer.Argument(metavar="VOLUME", help="NIfTI or MGH files.")],
    model: Annotated[Path, typer.Option(metavar="CKPT", help="Checkpoint of the network.")],
    spec: Spec = None,
    target: Annotated[
        str | None, typer.Option(help="Class by name or number. Default: the predicted one.")
    ] = None,
    method: Annotated[str, typer.Option(help="See `g3dvit methods`.")] = "g3dvit",
    objective: Annotated[
        Literal["logit", "probability", "log_probability", "contrast"],
        typer.Option(help="The number of the class that is explained."),
    ] = "logit",
    against: Annotated[
        str | None, typer.Option(help="For --objective contrast: the class to compare with.")
    ] = None,
    keep: Annotated[
        float | None, typer.Option(min=0, max=100, help="Show the strongest KEEP per cent.")
    ] = None,
    mass: Annotated[
        float | None,
        typer.Option(min=0, max=100, help="Show the places that hold MASS per cent of it."),
    ] = None,
    value: Annotated[
        float | None, typer.Option(min=0, max=1, help="Cut at this height of the scaled map.")
    ] = None,
    absolute: Annotated[
        float | None, typer.Option(help="Cut at this value of the raw map, in its own units.")
    ] = None,
    threshold: Annotated[
        Literal["keep", "mass", "otsu", "value", "absolute", "none"] | None,
        typer.Option(help="How the map is cut. Default: keep, 5 per cent."),
    ] = None,
    stage: Annotated[
        Literal["patches", "voxels"] | None,
        typer.Option(help="Cut before (patches) or after (voxels) interpolation."),
    ] = None,
    frame: Annotated[
        str | None,
        typer.Option(
            help="Of a 4-D series: mean, a number, all, or 'every 10'. Default: the spec's."
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("g3dvit_output"),
    as_json: Json = False,
) -> None:
    """Explain volumes; write the maps and where they come from.

    Every parameter of the method is an option, too: --pooling max, --block -2; `g3dvit methods`
    lists them. Exit code 0: all done; 1: some volumes failed, the others are done; 2: none done.
    """
    from g3dvit_napari.cli.explaining import Order, explain_volumes
    from g3dvit_napari.cli.method_options import cut_from

    amounts = {"keep": keep, "mass": mass, "value": value, "absolute": absolute}
    order = Order(
        volumes=volumes,
        model=model,
        spec=spec,
        device=device,
        method=method,
        options=context.meta["parameters"],
        own_options=context.meta["own options"],
        target=target,
        cut=cut_from(threshold, amounts, stage),
        objective=objective,
        against=against,
        frame=frame,
        out=out,
    )
    raise typer.Exit(explain_volumes(order, as_json=as_json))


@app.command()
def evaluate(
    volume: Annotated[Path, typer.Argument(metavar="VOLUME", help="A NIfTI or MGH file.")],
    model: Annotated[Path, typer.Option(metavar="CKPT", help="Checkpoint of the network.")],
    spec: Spec = None,
    method: Annotated[
        str, typer.Option(help="Names with commas between them; see `g3dvit methods`.")
    ] = "g3dvit",
    target: Annotated[
        str | None, typer.Option(help="Class by name or number. Default: the predicted one.")
    ] = None,
    mask: Annotated[
        Path | None, typer.Option(metavar="ROI", help="Where the signal is known to be.")
    ] = None,
    brain: Annotated[
        Path | None, typer.Option(metavar="MASK", help="Where relevance counts. Default: all.")
    ] = None,
    distractor: Annotated[
        Path | None, typer.Option(metavar="ROI", help="Where something only looks like it.")
    ] = None,
    twin: Annotated[
        Path | None, typer.Option(metavar="VOLUME", help="The same volume without the signal.")
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(help="Names with commas between them, or all. Default: those that are quick."),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="METRIC.SETTING=VALUE", help="Of a metric; repeatable."),
    ] = None,
    frame: Annotated[
        str | None, typer.Option(help="Of a 4-D series: mean or a number. Default: the spec's.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    seed: Annotated[int, typer.Option(help="Of everything that is drawn at random.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("g3dvit_output"),
    as_json: Json = False,
) -> None:
    """Judge the maps of one volume: scores beside what chance and the best map would get."""
    from g3dvit_napari.cli.evaluating import Trial, evaluate_volume

    trial = Trial(
        volume=volume,
        model=model,
        spec=spec,
        device=device,
        methods=method,
        target=target,
        mask=mask,
        brain=brain,
        distractor=distractor,
        twin=twin,
        metrics=metrics,
        settings=setting or (),
        frame=frame,
        seed=seed,
        out=out,
    )
    evaluate_volume(trial, as_json=as_json)


@app.command()
def inspect(
    checkpoint: Annotated[Path, typer.Argument(metavar="CKPT", help="Checkpoint of a network.")],
    spec: Spec = None,
    write_spec: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Write the spec here, to be edited.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what a checkpoint holds and what it leaves open."""
    from g3dvit_napari.cli.inspecting import inspect_file

    inspect_file(checkpoint, spec, write_spec, as_json=as_json)


@app.command()
def methods(
    model: Annotated[
        Path | None,
        typer.Option(metavar="CKPT", help="Also say which of them this network cannot serve."),
    ] = None,
    spec: Spec = None,
    as_json: Json = False,
) -> None:
    """List the explanation methods and their parameters."""
    from g3dvit_napari.cli.terminal import show_methods

    reasons: dict[str, str | None] = {}
    if model is not None:
        from g3dvit_napari import api

        handle = api.load_model(model, spec)
        reasons = {name: api.why_not(name, handle) for name in api.METHODS}
    show_methods(reasons, as_json=as_json)


@app.command()
def metrics(as_json: Json = False) -> None:
    """List the metrics that judge a map, and their settings."""
    from g3dvit_napari.cli.terminal import show_metrics

    show_metrics(as_json=as_json)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Say what is installed, what draws and what computes here: to be pasted into a report."""
    from g3dvit_napari.cli.doctor import report

    report(as_json=as_json)


@app.command()
def demo(
    headless: Annotated[
        bool, typer.Option("--headless", help="Write screenshots and results, then close.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for screenshots and results.")] = None,
) -> None:
    """Open napari with the sample brain, explained."""
    if find_spec("napari") is None or not any(map(find_spec, ("PyQt6", "PyQt5", "PySide6"))):
        raise G3DViTError(
            "the demo needs napari and a Qt binding, and they are not installed here; "
            'pip install "g3dvit-napari[pyqt5]"'
        )
    from g3dvit_napari.cli.terminal import say
    from g3dvit_napari.plugin.demo import run_demo

    say("Opening napari with the sample brain; the first start takes a little longer.")
    raise typer.Exit(run_demo(out, headless, say))
