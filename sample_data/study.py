"""Write a list of made-up subjects, to try the page QA with: `python -m sample_data.study FOLDER`.

Nine held-out brains with a lesion on the left or on the right, a table of them with the true
classes, and one file in between that is no volume, as a failed download leaves it. Needs nilearn
for the template (`pip install -e ".[dev]"`), and takes a few seconds.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nibabel as nib

from sample_data import brain

COUNT, DAMAGED = 9, 4  # subjects; of these, the number of the one whose file is none


def write_study(folder: Path, count: int = COUNT, damaged: int = DAMAGED) -> Path:
    """Write subjects and a table of them with the true classes; return the table."""
    folder.mkdir(parents=True, exist_ok=True)
    draws, lines = brain.Brain(), ["participant_id\tpath\tlabel"]
    for number in range(count):
        label = 1 + number % 2
        name = f"sub-{number + 1:02d}_T1w.nii.gz"
        if number != damaged:
            data = draws.draw("held out", number, label).data
            nib.Nifti1Image(data, brain.AFFINE).to_filename(folder / name)
        else:
            (folder / name).write_bytes(b"<html>404 not found</html>")
        lines.append(f"sub-{number + 1:02d}\t{name}\t{brain.CLASSES[label]}")
    table = folder / "held_out.tsv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table


if __name__ == "__main__":
    print(write_study(Path(sys.argv[1] if len(sys.argv) > 1 else "study")))
