"""The form: controls in groups over a fixed foot. Emits requests and never computes."""

from __future__ import annotations

from math import isnan
from pathlib import Path
from typing import Any

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QShortcut, QTabWidget, QVBoxLayout, QWidget

from g3dvit_napari.core.chance import p_of
from g3dvit_napari.core.types import Explanation, ExplanationRequest
from g3dvit_napari.plugin.asking.first_steps import FirstSteps
from g3dvit_napari.plugin.asking.model_box import CHECKPOINT_ENDINGS, ModelBox
from g3dvit_napari.plugin.asking.question_box import QuestionBox
from g3dvit_napari.plugin.asking.run_bar import RunBar
from g3dvit_napari.plugin.asking.standing import what_ran
from g3dvit_napari.plugin.asking.volume_box import VOLUME_ENDINGS, VolumeBox
from g3dvit_napari.plugin.comparing.compare_box import CompareBox
from g3dvit_napari.plugin.comparing.difference_box import DifferenceBox
from g3dvit_napari.plugin.controls.page import Page
from g3dvit_napari.plugin.export.export_box import ExportBox
from g3dvit_napari.plugin.jobs import LoadedModel
from g3dvit_napari.plugin.picture.looks_box import LooksBox
from g3dvit_napari.plugin.picture.maps import saved_differs
from g3dvit_napari.plugin.picture.marks_box import MarksBox
from g3dvit_napari.plugin.picture.view_box import ViewBox
from g3dvit_napari.plugin.threshold.threshold_box import ThresholdBox

WIDTH = 300
PAGES = ("Explain", "Compare", "True?", "Look", "Places", "Time", "QA")  # from left to right
_TABS = (  # fit into 280 px; Qt 5 takes the size from the bar, Qt 6 from the tab
    "QTabBar { font-size: 11px; }"
    "QTabBar::tab { font-size: 11px; padding: 5px 2px; min-width: 0px; min-height: 16px; }"
)
_SPECS = (".yaml", ".yml")


class ExplainForm(QWidget):
    """Everything a user can ask for, from top to bottom in the order of the questions."""

    explain_requested = Signal()
    list_dropped = Signal(str)  # a folder or a table of volumes
    refused = Signal(str)  # a dropped file that is neither a volume nor a checkpoint

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model, self.volume = ModelBox(), VolumeBox()
        self.question, self.view = QuestionBox(), ViewBox()
        self.threshold = ThresholdBox(self.view.switches["edge"])
        self.view.offer_map(False)
        self.compare, self.run, self.looks = CompareBox(), RunBar(), LooksBox()
        self.difference, self.marks, self.export = DifferenceBox(), MarksBox(), ExportBox()
        self.first_steps = FirstSteps()
        self.setAcceptDrops(True)
        self.setMinimumWidth(280)
        self.head = QVBoxLayout()  # what stays in sight above the pages
        self.pages = QTabWidget()
        self.pages.setDocumentMode(True)
        self.pages.setUsesScrollButtons(False)
        self.pages.setStyleSheet(_TABS)
        asked = Page(self.first_steps, self.model, self.volume, self.question, self.threshold)
        self.add_page("Explain", "What is asked, and how much of the answer is shown.", asked)
        compared = Page(self.compare, self.difference)
        self.add_page("Compare", "Several explanations side by side.", compared)
        look = Page(self.looks, self.view, self.marks, self.export)
        self.add_page("Look", "How volume and map are looked at, and saved as pictures.", look)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(self.head)
        layout.addWidget(self.pages, 1)
        layout.addWidget(self.run)
        self.run.compute_requested.connect(self.explain_requested)
        shortcut = QShortcut(QKeySequence("Ctrl+Return"), self)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(self.run.button.click)

    def add_page(self, title: str, tip: str, page: QWidget) -> None:
        """Add a page in its place in `PAGES`."""
        there = [self.pages.tabText(number) for number in range(self.pages.count())]
        place = sum(PAGES.index(other) < PAGES.index(title) for other in there)
        self.pages.setTabToolTip(self.pages.insertTab(place, page, title), tip)

    def turn_to(self, title: str) -> None:
        """Bring a page to the front."""
        titles = [self.pages.tabText(number) for number in range(self.pages.count())]
        self.pages.setCurrentIndex(titles.index(title))

    def sizeHint(self) -> QSize:
        """Wide enough for the rows; the height is the dock's affair."""
        return QSize(WIDTH, 640)

    def request(self) -> ExplanationRequest:
        """Return what the controls ask for."""
        question = self.question
        return ExplanationRequest(
            question.method,
            question.target,
            question.values(),
            self.threshold.threshold(),
            question.objective,
            question.against,
        )

    def show_model(self, model: LoadedModel | None) -> None:
        """Show a network's summary and offer its classes and methods."""
        if model is None:
            self.model.show_summary({})
            self.question.forget_model()
            self.compare.offer_model(None)
            return
        self.model.show_summary(model.handle.summary(), model.remarks)
        handle = model.handle
        self.question.offer_model(
            handle.class_names, handle.blocks, model.entries, model.reasons, handle.output
        )
        self.compare.show_method(self.question.entry)
        self.compare.offer_model(model)

    def show_explanation(self, found: Explanation) -> None:
        """Show the answer in words."""
        self.question.show_probabilities(found.prediction.probabilities, found.predicted)
        self.threshold.offer_raw(found.scaled.limits if found.status == "ok" else None)
        self.view.offer_map(True, saved_differs(found))
        self.marks.show_signed(found.signed)
        doubts = (found.message if found.status != "ok" else "", *found.warnings)
        ran = what_ran(found, self.question.cost_of(found.request.method))
        self.run.show_result(answer(found, ran), "\n".join(filter(None, doubts)))

    def dragEnterEvent(self, event: Any) -> None:
        """Accept local files."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:
        """Send every dropped file where its ending belongs."""
        for url in event.mimeData().urls():
            self.take_file(url.toLocalFile())
        event.acceptProposedAction()

    def take_file(self, path: str) -> None:
        """Open a checkpoint, a volume or a model spec."""
        name = Path(path).name.lower()
        if name.endswith(CHECKPOINT_ENDINGS):
            self.model.ask_for(path)
        elif name.endswith(VOLUME_ENDINGS):
            self.volume.file_requested.emit(path)
        elif name.endswith(_SPECS) and self.model.path:
            self.model.ask_for(self.model.path, spec=path)
        elif Path(path).is_dir() or name.endswith(".tsv"):
            self.list_dropped.emit(path)
        else:
            self.refused.emit(
                f"{Path(path).name} is neither a volume ({', '.join(VOLUME_ENDINGS)}) nor a "
                f"checkpoint ({', '.join(CHECKPOINT_ENDINGS)}); drop one of those"
            )


def answer(found: Explanation, ran: str) -> str:
    """Return an explanation's result in lines: the prediction, what is shown, what it took, and
    what the method measured.
    """
    names = found.prediction.class_names
    words = []
    if isnan(found.probability):  # a regression
        first = f"Predicted {names[0]}: {found.prediction.logits[0]:.4g}"
    else:
        chance = found.prediction.probabilities[found.predicted]
        first = f"Predicted {names[found.predicted]} ({p_of(chance)})"
        if found.target != found.predicted:
            words.append(f"shown: {found.target_name} ({p_of(found.probability)})")
    frame = found.relevance.source.frame if found.relevance.source else ""
    figures = [f"{name.replace('_', ' ')} {value:.3g}" for name, value in found.figures.items()]
    return "\n".join([first, *words, *([frame] if frame else []), ran, *figures])
