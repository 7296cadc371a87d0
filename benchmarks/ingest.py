"""Many small objects from a local S3 server: ``DataHandle.download()`` beside ``aws s3 cp --recursive``.

Both are processes of their own that end when all objects are files in a new folder, in turns, with their defaults. Ours
also fetches and prepares the table that names the objects, checks each against its ETag, and waits until all are on the
disk. The server is moto's, in one more process, and Amazon's program is that of PyPI (version 1) in an environment
of its own, made at the first call and kept in the benchmarks' cache folder.

``s`` is the time of whole processes, imports included, and ``objects_per_s`` follows from it; ``ratio`` is ours over
Amazon's. ``download_s`` is the call of ``download()`` alone, and ``start_s`` what ``aws --version`` takes:
``ratio_without_start`` compares what is left. ``cpu_s`` is of the process, without the server.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.common import OtherLoad, one_json_line, tell
from benchmarks.compare.inputs import cache_folder
from rapidfire_lab.storage.s3 import make_client

if TYPE_CHECKING:
    from collections.abc import Iterator

_AWSCLI = "awscli==1.46.2"
_BUCKET = "benchmark"
_SERVER = "from moto.server import main; main()"
_DOWNLOAD = """
import sys, time
from rapidfire_lab import DataHandle
handle = DataHandle({"train": "s3://benchmark/train.csv", "train_objects": "s3://benchmark/objects"})
start = time.perf_counter()
handle.download(sys.argv[1])
print(time.perf_counter() - start)
"""


def aws_program() -> Path:
    """Amazon's program; installed at the first call."""
    folder = cache_folder() / f"{_AWSCLI.replace('==', '-')}-{platform.python_version()}"
    program = folder / "bin" / "aws"
    if not program.exists():
        tell(f"installing {_AWSCLI} into {folder}")
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        subprocess.run([folder / "bin" / "pip", "install", "--quiet", _AWSCLI], check=True, stdout=sys.stderr)
    return program


@contextlib.contextmanager
def s3_server() -> Iterator[subprocess.Popen[bytes]]:
    """An S3 server in a process of its own, which boto3 and Amazon's program find by the environment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [sys.executable, "-W", "ignore", "-c", _SERVER, "-H", "127.0.0.1", "-p", port]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(
        AWS_ACCESS_KEY_ID="nobody",
        AWS_SECRET_ACCESS_KEY="nothing",  # noqa: S106 - what this server takes for a secret
        AWS_DEFAULT_REGION="us-east-1",
        AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}",
    )
    try:
        while not _answers(int(port)):
            time.sleep(0.1)
        yield server
    finally:
        server.kill()
        server.wait()


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def fill(objects: int, size: int) -> None:
    """Put the objects and the table that names them, each in one of a hundred folders."""
    client = make_client()
    client.create_bucket(Bucket=_BUCKET)
    names = [f"{number % 100:02}/{number}.bin" for number in range(objects)]

    def put(name: str) -> None:
        content = name.encode().ljust(size, b".")
        client.put_object(Bucket=_BUCKET, Key=f"objects/{name}", Body=content)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, names))
    table = "id,file\n" + "".join(f"{number},{name}\n" for number, name in enumerate(names))
    client.put_object(Bucket=_BUCKET, Key="train.csv", Body=table.encode())


def measured(*command: str | Path) -> tuple[dict[str, float], str]:
    """Seconds of a process and its CPU's, and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return {"s": round(seconds, 2), "cpu_s": round(cpu, 2)}, done.stdout


def files_in(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*.bin"))


def amazon(folder: Path, objects: int) -> dict[str, float]:
    program = aws_program()
    start, _ = measured(program, "--version")
    source = f"s3://{_BUCKET}/objects"
    figures, _ = measured(program, "s3", "cp", "--recursive", "--only-show-errors", source, folder)
    if files_in(folder) != objects:
        raise SystemExit(f"{program} fetched {files_in(folder)} of {objects} objects")
    return {**figures, "start_s": start["s"]}


def ours(folder: Path, objects: int) -> dict[str, float]:
    figures, printed = measured(sys.executable, "-c", _DOWNLOAD, folder)
    if files_in(folder) != objects:
        raise SystemExit(f"rapidfire-lab fetched {files_in(folder)} of {objects} objects")
    return {**figures, "download_s": round(float(printed.split()[-1]), 2)}


def medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(one[name] for one in rounds), 2) for name in rounds[0]}


def compare(objects: int, rounds: int) -> dict[str, Any]:
    sides = {"aws": amazon, "rapidfire": ours}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in sorted(sides, reverse=bool(number % 2)):
            with tempfile.TemporaryDirectory(prefix="rapidfire_lab-benchmark-") as folder:
                figures = sides[name](Path(folder) / "fetched", objects)
            tell(f"{name}, round {number + 1}: {figures}")
            found[name].append(figures)
    aws, rapidfire = medians(found["aws"]), medians(found["rapidfire"])
    return {
        "aws": {**aws, "objects_per_s": round(objects / aws["s"])},
        "rapidfire": {**rapidfire, "objects_per_s": round(objects / rapidfire["s"])},
        "ratio": round(aws["s"] / rapidfire["s"], 2),
        "ratio_without_start": round((aws["s"] - aws["start_s"]) / rapidfire["download_s"], 2),
        "rounds": found,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.ingest", description=__doc__)
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--bytes", type=int, default=4_096)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    aws_program()
    with one_json_line("ingest") as figures, s3_server() as server:
        tell(f"putting {options.objects:,} objects of {options.bytes:,} bytes")
        fill(options.objects, options.bytes)
        load = OtherLoad(lambda: _seconds_of(server.pid))
        figures.update(objects=options.objects, bytes=options.bytes, awscli=_AWSCLI.split("==")[1])
        figures.update(compare(options.objects, options.rounds))
        figures["busy_cores_of_others"] = load.cores()


def _seconds_of(server: int) -> float:
    """CPU seconds of the server, of this process and of those that it has waited for."""
    import psutil

    times = [psutil.Process(server).cpu_times(), psutil.Process().cpu_times()]
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(one.user + one.system for one in times) + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    main()
