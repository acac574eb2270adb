"""Background work: in order, one at a time, the newest wins, and nothing is lost or swallowed."""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
import threading
import time
import warnings
import weakref

import pytest

from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.plugin.lane import Lane


class Ear:
    """Hears everything a lane says."""

    def __init__(self, lane: Lane) -> None:
        self.results: list[object] = []
        self.failures: list[str] = []
        self.stages: list[str] = []
        self.busy: list[bool] = []
        self.cancelled = 0
        self.threads: set[int] = set()
        lane.succeeded.connect(self.on_succeeded)
        lane.failed.connect(self.failures.append)
        lane.progressed.connect(lambda _fraction, stage: self.stages.append(stage))
        lane.busy_changed.connect(self.busy.append)
        lane.cancelled.connect(self.on_cancelled)

    def on_succeeded(self, result: object) -> None:
        self.threads.add(threading.get_ident())
        self.results.append(result)

    def on_cancelled(self) -> None:
        self.cancelled += 1


@pytest.fixture
def lane(qtbot):
    lane = Lane("counting")
    yield lane
    lane.close()
    qtbot.waitUntil(lambda: not lane.busy)


@pytest.fixture
def ear(lane) -> Ear:
    return Ear(lane)


def idle(qtbot, lane) -> None:
    qtbot.waitUntil(lambda: not lane.busy, timeout=5000)


def counting(name: str, steps: int = 200):
    def work(report):
        for step in range(steps):
            report(step / steps, f"{name} {step}")
            time.sleep(0.005)
        return name

    return work


def test_work_runs_elsewhere_and_answers_here(qtbot, lane, ear) -> None:
    lane.submit(lambda report: (report(0.5, "half"), threading.get_ident())[1])
    idle(qtbot, lane)
    assert ear.results[0] != threading.get_ident()
    assert ear.threads == {threading.get_ident()}
    assert ear.stages == ["half"]
    assert ear.busy == [True, False]


def test_newest_request_wins(qtbot, lane, ear) -> None:
    lane.submit(counting("first"))
    qtbot.waitUntil(lambda: len(ear.stages) > 2)
    lane.submit(counting("second"))
    lane.submit(counting("third", steps=3))
    heard = len(ear.stages)
    idle(qtbot, lane)
    assert ear.results == ["third"]
    assert not [stage for stage in ear.stages[heard:] if not stage.startswith("third")]
    assert ear.cancelled == 0  # replaced is not cancelled
    assert ear.failures == []


def test_cancel_stops_at_the_next_step(qtbot, lane, ear) -> None:
    lane.submit(counting("long"))
    qtbot.waitUntil(lambda: len(ear.stages) > 2)
    started = time.perf_counter()
    lane.cancel()
    idle(qtbot, lane)
    assert time.perf_counter() - started < 0.5
    assert (ear.results, ear.failures, ear.cancelled) == ([], [], 1)
    lane.submit(lambda _report: "again")
    idle(qtbot, lane)
    assert ear.results == ["again"]


def test_late_result_of_cancelled_work_is_dropped(qtbot, lane, ear) -> None:
    go = threading.Event()
    lane.submit(lambda _report: go.wait(5))
    qtbot.wait(30)
    lane.cancel()
    go.set()
    idle(qtbot, lane)
    assert ear.results == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (VolumeError("no voxel; fetch it again"), "no voxel; fetch it again"),
        # a generator worker takes this kind for a deleted widget and would never finish
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), "RuntimeError: mat1 and mat2"),
        (RuntimeError("CUDA out of memory. Tried to"), "Choose the device 'cpu'"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes"), "Out of memory"),
        (MemoryError("no room"), "Out of memory"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError"),
    ],
)
def test_every_error_is_told_and_the_lane_goes_on(qtbot, lane, ear, caplog, error, words) -> None:
    def work(_report):
        raise error

    with caplog.at_level(logging.ERROR):
        lane.submit(work)
        idle(qtbot, lane)
    assert words in ear.failures[0]
    assert ear.busy == [True, False]
    assert bool(caplog.records) == (not isinstance(error, VolumeError))
    lane.submit(lambda _report: "again")
    idle(qtbot, lane)
    assert ear.results == ["again"]


def test_a_flood_of_reports_is_thinned(qtbot, lane, ear) -> None:
    def work(report):
        for step in range(20_000):
            report(step / 20_000, "permuting")

    lane.submit(work)
    idle(qtbot, lane)
    assert 1 <= len(ear.stages) < 200


def test_closed_lane_is_silent(qtbot) -> None:
    lane = Lane("closing")
    ear = Ear(lane)
    lane.submit(counting("long"))
    qtbot.waitUntil(lambda: len(ear.stages) > 2)
    lane.close()
    heard = len(ear.stages)
    qtbot.waitUntil(lambda: not lane.busy)
    lane.submit(counting("after"))
    qtbot.wait(30)
    assert not lane.busy
    assert (ear.results, ear.failures, ear.cancelled) == ([], [], 0)
    assert ear.busy == [True]
    assert len(ear.stages) == heard


def test_nothing_of_finished_work_is_kept(qtbot, lane, ear) -> None:
    class Big:
        pass

    big = Big()
    alive = weakref.ref(big)
    lane.submit(lambda _report, big=big: id(big))
    del big
    idle(qtbot, lane)
    qtbot.wait(20)
    gc.collect()
    assert ear.results
    assert alive() is None


def test_pictures_are_converted_while_lanes_wait_for_pythons_lock() -> None:
    code = """
import threading, time
from qtpy.QtCore import QCoreApplication
from qtpy.QtGui import QImage
from g3dvit_napari.plugin.lane import Lane
app = QCoreApplication([])
def spin(report):
    end = time.monotonic() + 3
    while time.monotonic() < end:
        pass
lanes = [Lane(str(n)) for n in range(12)]
for lane in lanes:
    lane.submit(spin)
time.sleep(0.2)
image = QImage(2000, 2000, QImage.Format.Format_ARGB32_Premultiplied)
for _ in range(20):
    app.processEvents()
    image.convertToFormat(QImage.Format.Format_ARGB32)
print("converted", flush=True)
import os
os._exit(0)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )
    assert "converted" in done.stdout, done.stderr


def test_a_warning_is_told_of_whoever_gave_it(qtbot, lane, caplog) -> None:
    ear, both = Ear(lane), threading.Barrier(2)

    def work(_report: object) -> int:
        both.wait(5)
        both.wait(5)  # the other has warned
        warnings.warn("the work itself", stacklevel=1)
        return 1

    with caplog.at_level(logging.WARNING):
        lane.submit(work)
        both.wait(5)
        warnings.warn("napari, meanwhile", UserWarning, stacklevel=1)
        both.wait(5)
        qtbot.waitUntil(lambda: ear.results == [1])
    theirs, own = caplog.messages
    assert "napari, meanwhile" in theirs
    assert not theirs.startswith("counting")
    assert "test_lane.py, line" in theirs
    assert own == "counting: UserWarning: the work itself"
