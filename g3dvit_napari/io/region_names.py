"""Names of regions from the text files that stand beside images of labels; nothing is believed."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

Names = dict[int, str]
LARGEST = 4_000_000  # bytes: no list of names is longer
LONGEST = 120  # characters of a name
_INDEX = ("index", "value", "id", "label", "intensity", "roi", "number")
_NAME = ("name", "region", "label_name", "structure", "label", "abbreviation")
_SNAP = re.compile(r'^\s*(\d+)\s+.*"([^"]*)"\s*$')  # ITK-SNAP: the name comes last, in quotes
_LUT = re.compile(r"^\s*(\d+)\s+(\S.*?)(?:\s+\d+){3,4}\s*$")  # FreeSurfer: id name R G B A
_PLAIN = re.compile(r"^\s*(\d+)\s+(\S.*?)\s*$")


def names_beside(image: Path) -> tuple[Names, str]:
    """Return the names for an image of labels, and a remark where a file could not be used."""
    for path in _candidates(image):
        try:
            names = _READERS[path.suffix.lower()](path, image)
        except (OSError, ValueError, csv.Error, ElementTree.ParseError):
            names = {}
        if names:
            return names, ""
        if path.suffix.lower() != ".xml":
            return {}, f"{path.name} names no regions that could be read; they are numbered."
    return {}, ""


def stem_of(path: Path) -> str:
    """Return a file's name without its endings."""
    return re.sub(r"(\.nii|\.mgh|\.mgz|\.hdr|\.img)?(\.gz)?$", "", path.name, flags=re.IGNORECASE)


def _candidates(image: Path) -> Iterator[Path]:
    """Yield the files that may hold the names, the likeliest first."""
    stem = stem_of(image)
    same = (image.with_name(stem + ending) for ending in _READERS)
    yield from (path for path in same if path.is_file())
    entities = set(stem.split("_"))
    tables = [p for p in image.parent.glob("*dseg.tsv") if set(p.stem.split("_")) <= entities]
    yield from sorted(tables, key=lambda path: -len(path.stem.split("_")))
    for folder in (image.parent, image.parent.parent):  # FSL keeps the images one folder below
        yield from sorted(p for p in folder.glob("*.xml") if p.stem != stem)


def _text(path: Path) -> str:
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path.name} is too long for a list of names")
    return path.read_text("utf-8-sig", errors="replace")


def _clean(name: object) -> str:
    """Return a name as one printable line."""
    line = "".join(c if c.isprintable() else " " for c in str(name or ""))
    return " ".join(line.split())[:LONGEST]


def _table(path: Path, _image: Path) -> Names:
    """Read a table with a header that names its columns, or of two columns without one."""
    text = _text(path)
    delimiter = "\t" if "\t" in text.partition("\n")[0] else ","
    rows = [row for row in csv.reader(text.splitlines(), delimiter=delimiter) if row]
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    index = next((header.index(name) for name in _INDEX if name in header), None)
    others = [name for name in _NAME if name in header and header.index(name) != index]
    if index is not None:
        name = header.index(others[0]) if others else len(header)
        return _numbered((row[index], row[name]) for row in rows[1:] if len(row) > max(index, name))
    return _numbered((row[0], row[1]) for row in rows if len(row) > 1)


def _lookup(path: Path, _image: Path) -> Names:
    """Read a colour table of FreeSurfer or ITK-SNAP, or plain lines of number and name."""
    lines = [line for line in _text(path).splitlines() if not line.lstrip().startswith("#")]
    found = (_SNAP.match(line) or _LUT.match(line) or _PLAIN.match(line) for line in lines)
    return _numbered((match[1], match[2]) for match in found if match)


def _fsl(path: Path, image: Path) -> Names:
    """Read FSL's description of an atlas, where it is one of this image.

    In images of the likeliest region, label n + 1 stands for the probability map with index n.
    """
    text = _text(path)
    if "<!" in re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL):
        raise ValueError(f"{path.name} declares things that no list of names needs")
    root = ElementTree.fromstring(text)  # without declarations nothing can unfold
    images = root.iterfind(".//images/*")
    mentioned = {Path(str(entry.text or "").strip()).name for entry in images}
    if path.stem != stem_of(image) and stem_of(image) not in mentioned:
        return {}
    kind = str(root.findtext(".//header/type") or "").strip().lower()
    shift = 1 if kind.startswith("probabil") else 0
    labels = root.iterfind(".//data/label")
    found = _numbered((label.get("index", ""), label.text) for label in labels)
    return {number + shift: name for number, name in found.items()}


def _numbered(pairs: Iterator[tuple[object, object]]) -> Names:
    """Keep the pairs whose first is a whole number and whose second says something."""
    names: Names = {}
    for first, second in pairs:
        number = str(first).strip()
        if re.fullmatch(r"-?\d{1,9}(\.0*)?", number) and (name := _clean(second)):
            names[int(float(number))] = name
    return names


_READERS: dict[str, Callable[[Path, Path], Names]] = {
    ".tsv": _table,
    ".csv": _table,
    ".txt": _lookup,
    ".lut": _lookup,
    ".label": _lookup,
    ".xml": _fsl,
}
