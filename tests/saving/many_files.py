"""Saves many files in a folder where others do so at the same time."""

from __future__ import annotations

import sys

from rapidfire_lab.saving.folder import SavedFiles
from rapidfire_lab.saving.model_remover import LocalSubOptimalModelRemover


def save_files(folder, name):
    """Save ten files, each by itself, and remove every other one."""
    for number in range(10):
        files = SavedFiles(folder, protect=True)
        path = files.write(f"{name}/{number}", lambda target: target.write_text(name))
        files.commit()
        if number % 2 == 0:
            LocalSubOptimalModelRemover.rm_suboptimal_model([str(path)])


if __name__ == "__main__":
    save_files(*sys.argv[1:])
