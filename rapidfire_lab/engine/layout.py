"""Files of an experiment.

::

    <experiment>/
      spec.json, spec/                    source snapshot of the MLSpec and its sibling modules
      templates/<hash>/                   source snapshot of a model template and the modules that go with it
      runs/<run_id>/plots.json            plots that a trial of a model template has defined
      runs/<run_id>/run.log               what user code printed
      runs/<run_id>/state/lease-*         the last two checkpoints to go on from, named after who made them
      runs/<run_id>/state/lease-0.*       the checkpoint of another run that a warm start begins with
      jobs/<job_id>/job.log               what user code printed in a test or prediction
      jobs/<job_id>/weights.*             the weights that it uses, until it is over
      jobs/<job_id>/parts/                its results so far, until it is over
      runs/<run_id>/checkpoints/final.safetensors, final.json, epoch-<n>.safetensors, epoch-<n>.json
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import msgspec

from rapidfire_lab.files import link_or_copy, sync, write_private


class SpecInfo(msgspec.Struct, kw_only=True):
    """What ``spec.json`` says of the snapshot."""

    main: str
    hash: str
    original: str


@dataclass(frozen=True)
class ExperimentLayout:
    root: Path

    @property
    def spec(self) -> Path:
        return self.root / "spec"

    def template(self, source_hash: str) -> Path:
        return self.root / "templates" / source_hash

    def run(self, run_id: int) -> Path:
        return self.root / "runs" / str(run_id)

    def log(self, run_id: int) -> Path:
        return self.run(run_id) / "run.log"

    def plots(self, run_id: int) -> Path:
        return self.run(run_id) / "plots.json"

    def weights(self, run_id: int, lease: int) -> Path:
        return self._state_folder(run_id) / f"lease-{lease}.safetensors"

    def state(self, run_id: int, lease: int) -> Path:
        return self._state_folder(run_id) / f"lease-{lease}.state.pt"

    def checkpoints(self, run_id: int) -> Path:
        return self.run(run_id) / "checkpoints"

    def epoch_weights(self, run_id: int, epoch: int) -> Path:
        return self.checkpoints(run_id) / f"epoch-{epoch}.safetensors"

    def final_weights(self, run_id: int) -> Path:
        return self.checkpoints(run_id) / "final.safetensors"

    def job(self, job_id: int) -> Path:
        return self.root / "jobs" / str(job_id)

    def job_log(self, job_id: int) -> Path:
        return self.job(job_id) / "job.log"

    def job_weights(self, job_id: int) -> Path:
        return self.job(job_id) / "weights.safetensors"

    def job_parts(self, job_id: int) -> Path:
        return self.job(job_id) / "parts"

    def job_part(self, job_id: int, part: int, lease: int) -> Path:
        """Result of a part, named after who made it."""
        return self.job_parts(job_id) / f"part-{part}-{lease}"

    def _state_folder(self, run_id: int) -> Path:
        return self.run(run_id) / "state"

    # Making and removing

    def write_spec(self, sources: dict[str, str], info: SpecInfo) -> None:
        """Keep a snapshot of the spec, from which slots import it; nothing of an earlier one stays."""
        _write_snapshot(self.spec, sources)
        write_private(self.root / "spec.json", msgspec.json.encode(info))

    def write_template(self, sources: dict[str, str], source_hash: str) -> None:
        """Keep a snapshot of a model template, from which slots import it; it is there whole or not at all."""
        folder = self.template(source_hash)
        if folder.exists():
            return  # of the same hash: trials may be reading it
        half_written = folder.with_name(f".{source_hash}.tmp")
        _write_snapshot(half_written, sources)
        half_written.replace(folder)

    def spec_info(self) -> SpecInfo:
        return msgspec.json.decode((self.root / "spec.json").read_bytes(), type=SpecInfo)

    def spec_folder_of_user(self) -> Path:
        """Folder that the snapshot was taken of."""
        return Path(self.spec_info().original).parent

    def make_run(self, run_id: int) -> None:
        self._state_folder(run_id).mkdir(mode=0o700, parents=True, exist_ok=True)
        self.checkpoints(run_id).mkdir(mode=0o700, exist_ok=True)

    def keep_final(self, run_id: int, lease: int, metadata: dict[str, object]) -> None:
        """Make the checkpoint of a lease the run's final one, or write its metadata alone where there is none.

        A final checkpoint of earlier stays as it is where there is no later one.
        """
        weights, final = self.weights(run_id, lease), self.final_weights(run_id)
        found = bool(lease) and weights.exists()
        if not found and final.exists():
            return
        self.make_run(run_id)
        if found:
            link_or_copy(weights, final)
        # This also has the folder synced.
        self.write_metadata(final, {**metadata, "weights": final.name if found else None})

    def checkpoint(self, run_id: int, lease: int) -> tuple[Path, Path]:
        """The files that a run goes on from; those of lease 0 are the ones that a warm start begins with."""
        return self.weights(run_id, lease), self.state(run_id, lease)

    def begin_with(self, run_id: int, parent: int, lease: int) -> None:
        """Give a new run a parent's checkpoint to begin with: it stays, whatever becomes of the parent.

        Of a trial of a model template that is one file.
        """
        self.make_run(run_id)
        for source, target in zip(self.checkpoint(parent, lease), self.checkpoint(run_id, 0), strict=True):
            if source.exists() or source.suffix != ".pt":
                link_or_copy(source, target)
        for folder in (self._state_folder(run_id), self.run(run_id), self.run(run_id).parent):
            sync(folder)

    @staticmethod
    def write_metadata(weights: Path, metadata: dict[str, object]) -> None:
        """Write the JSON file that goes with a checkpoint."""
        write_private(weights.with_suffix(".json"), msgspec.json.format(msgspec.json.encode(metadata)))

    def keep_checkpoints(self, run_id: int, leases: set[int]) -> None:
        """Drop the checkpoints of all leases before the last of these but for these: one to fall back on.

        Later ones may be being written.
        """
        kept = {path.name for lease in leases for path in self.checkpoint(run_id, lease)}
        for path in self._state_folder(run_id).glob("*lease-*"):  # with what killed slots had half written
            if path.name not in kept and int(path.name.partition("lease-")[2].partition(".")[0]) < max(leases):
                path.unlink(missing_ok=True)
        for path in self.checkpoints(run_id).glob(".*.tmp"):
            path.unlink(missing_ok=True)

    def begin_job(self, job_id: int, weights: list[Path]) -> None:
        """Make the folder of a job, and keep a checkpoint's files for it, whatever becomes of the run."""
        self.job_parts(job_id).mkdir(mode=0o700, parents=True, exist_ok=True)
        for source in weights:
            target = self.job_weights(job_id)
            link_or_copy(source, target.with_suffix(".state.pt") if source.suffix == ".pt" else target)
        for folder in (self.job(job_id), self.job(job_id).parent, self.root):
            sync(folder)

    def end_job(self, job_id: int) -> None:
        """Free the disk of a job that is over; its log stays."""
        shutil.rmtree(self.job_parts(job_id), ignore_errors=True)
        for path in self.job(job_id).glob("weights.*"):
            path.unlink(missing_ok=True)

    def drop_run(self, run_id: int) -> None:
        """Free a deleted run's disk; its log stays."""
        for folder in (self._state_folder(run_id), self.checkpoints(run_id)):
            shutil.rmtree(folder, ignore_errors=True)


def _write_snapshot(folder: Path, sources: dict[str, str]) -> None:
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
    for name, text in sources.items():
        target = folder / name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(target, text.encode())
