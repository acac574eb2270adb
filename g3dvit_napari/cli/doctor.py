"""g3dvit doctor: the facts about this installation, ready to be pasted into a report."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from g3dvit_napari.cli import terminal
from g3dvit_napari.cli.examining import Fact, examine


def report(*, as_json: bool) -> None:
    """Print the facts: a table on a terminal, plain lines elsewhere, or one JSON document."""
    facts = examine()
    if as_json:
        cures = {fact.name: fact.cure for fact in facts if fact.cure}
        terminal.print_json({"facts": {fact.name: fact.value for fact in facts}, "to_do": cures})
        return
    console = Console(highlight=False)
    if console.is_terminal:
        console.print(_table(facts))
    else:
        terminal.say_pairs({fact.name: fact.value for fact in facts})
    amiss = [fact for fact in facts if fact.cure]
    terminal.say("To do:" if amiss else "Nothing is amiss.", style="yellow" if amiss else "green")
    for fact in amiss:
        terminal.say(f"  {fact.name}: {fact.cure}")


def _table(facts: list[Fact]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2), pad_edge=True)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for fact in facts:
        value = Text(terminal.plain(fact.value), style="yellow" if fact.cure else "")
        table.add_row(fact.name, value)
    return table
