"""A drop-down list says when its text goes on."""

from __future__ import annotations

from g3dvit_napari.plugin.controls.choice import Choice

LONG = "a class with a very long name · 12.3 %"


def test_a_long_text_ends_in_dots_and_a_short_one_does_not(qtbot) -> None:
    choice = Choice()
    qtbot.addWidget(choice)
    choice.offer({1: LONG, 2: "short"})
    choice.resize(120, 26)
    choice.show()
    assert choice.shown.endswith("…")
    assert LONG.startswith(choice.shown[:-1])
    assert len(choice.shown) > 5
    narrow = choice.grab().toImage()
    choice.resize(600, 26)
    assert choice.shown == LONG
    choice.resize(120, 26)
    choice.choose(2)
    assert choice.shown == "short"
    assert choice.grab().toImage() != narrow
