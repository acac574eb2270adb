"""g3dvit benchmark: make, train, run, table; each thin over the benchmark's own functions."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from g3dvit_napari.core.errors import Cancelled, G3DViTError

app = typer.Typer(
    help="Methods judged where the truth is known: make data, train networks, run, tabulate.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Out = Annotated[Path, typer.Option(help="Folder of the records, tables and figures.")]
Tier = Annotated[str, typer.Option(help="Which networks, how much: ci, nightly, claims or gpu.")]
Networks = Annotated[
    Path | None, typer.Option(help="Folder of trained networks. Default: the user's cache.")
]
Only = Annotated[str, typer.Option(help="Networks whose names begin so; several with commas.")]
Processes = Annotated[int, typer.Option(min=1, help="How many at once, one thread each.")]
USUAL = Path("g3dvit_benchmark")


@app.command()
def make(
    task: Annotated[str, typer.Argument(help="Such as brain-site, or the name of a cube task.")],
    *,
    split: Annotated[str, typer.Option(help="train, valid or test.")] = "test",
    count: Annotated[int, typer.Option(min=1, help="How many samples.")] = 8,
    out: Out = USUAL,
) -> None:
    """Write samples of a task as NIfTI files: volume, twin, truth, distractor."""
    _needs("nilearn", "the brains of the benchmark")
    from g3dvit_napari import benchmark
    from g3dvit_napari.cli import terminal

    with terminal.ProgressLine(1) as line:
        line.begin(task)
        path = benchmark.make(task, split, count, out, line.update)
    terminal.say(f"{count} samples; listed in {path}")


@app.command()
def train(
    *,
    tier: Tier = "ci",
    networks: Networks = None,
    only: Only = "",
    processes: Processes = 1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "cpu",
) -> None:
    """Train the networks of a tier; what is there is kept, what was stopped goes on."""
    _needs("nilearn", "the brains of the benchmark")
    from g3dvit_napari import benchmark
    from g3dvit_napari.cli import terminal

    with terminal.ProgressLine(1) as line:
        line.begin(f"tier {tier}")
        found = benchmark.train(
            tier, networks, line.update, device=device, processes=processes, only=only
        )
    for one in found:
        terminal.say(f"{one.id}: accuracy {one.accuracy:.3f}, trained in {one.seconds:.0f} s")


@app.command()
def run(
    *,
    tier: Tier = "ci",
    out: Out = USUAL,
    networks: Networks = None,
    seeds: Annotated[str | None, typer.Option(help="Such as 0,1,2. Default: all.")] = None,
    only: Only = "",
    methods: Annotated[
        str | None, typer.Option(help="Names with commas. Default: all; controls always.")
    ] = None,
    metrics: Annotated[
        str | None, typer.Option(help="Names with commas. Default: those of the tier.")
    ] = None,
    volumes: Annotated[
        str | None,
        typer.Option(
            help="Such as 30,10,10: of each network, for methods of many passes, for metrics of "
            "many passes. Default: those of the tier."
        ),
    ] = None,
    processes: Processes = 1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "cpu",
) -> None:
    """Judge every method by every metric; goes on where an earlier run was stopped."""
    _needs("nilearn", "the brains of the benchmark")
    from g3dvit_napari.benchmark.records.store import Store
    from g3dvit_napari.benchmark.running.entrants import entrants
    from g3dvit_napari.benchmark.running.plan import plan_of_tier, records_path
    from g3dvit_napari.benchmark.running.run import run as judge
    from g3dvit_napari.cli import terminal

    plan = plan_of_tier(tier, _names(methods), _names(metrics), _numbers(volumes, "--volumes"))
    store = Store(records_path(out))
    with terminal.ProgressLine(1) as line:
        line.begin("loading the networks")
        entered = entrants(
            tier,
            networks,
            seeds=_numbers(seeds, "--seeds"),
            only=only,
            volumes=plan.volumes or 1,
            device=device,
        )
        line.begin(f"tier {tier}")
        try:
            written = judge(entered, plan, store, processes=processes, progress=line.update)
        except KeyboardInterrupt as error:
            raise Cancelled(
                f"stopped; what was finished is kept in {store.path}, and the same command goes on"
            ) from error
    terminal.say(f"{written} new scores in {store.path}")


@app.command()
def table(
    *,
    out: Out = USUAL,
    figures: Annotated[bool, typer.Option(help="Draw the figures, too.")] = True,
) -> None:
    """Rebuild every table and figure from the records of a run."""
    if figures:
        _needs("matplotlib", "figures", ", or add --no-figures")
    from g3dvit_napari.benchmark.figures.gallery import draw_all
    from g3dvit_napari.benchmark.records.store import Store
    from g3dvit_napari.benchmark.running.plan import records_path
    from g3dvit_napari.benchmark.tables.report import write_report
    from g3dvit_napari.cli import terminal

    with terminal.ProgressLine(1) as line:
        line.begin("tables and figures" if figures else "tables")
        files = write_report(Store(records_path(out)), out, draw_all if figures else None)
    terminal.say(f"{len(files)} files; begin with {files[0]}")


def _needs(package: str, what: str, other: str = "") -> None:
    """Refuse in plain words when the extra is not installed."""
    if find_spec(package) is None:
        raise G3DViTError(
            f"{what} need {package}, which is not installed; "
            f'pip install "g3dvit-napari[benchmark]"{other}'
        )


def _names(words: str | None) -> list[str] | None:
    return None if words is None else [word.strip() for word in words.split(",") if word.strip()]


def _numbers(words: str | None, option: str) -> list[int] | None:
    names = _names(words)
    if names is None:
        return None
    if not all(name.isdigit() for name in names):
        raise G3DViTError(f"{option} takes whole numbers with commas between, got {words!r}")
    return [int(name) for name in names]
