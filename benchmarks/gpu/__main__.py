"""``python -m benchmarks.gpu``: what each part measures is said in ``benchmarks/gpu/__init__.py``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import torch

from benchmarks.common import one_json_line, tell
from benchmarks.gpu.engine_parts import fused, hops, sharing, total
from benchmarks.gpu.swap import swap
from benchmarks.gpu.work import FULL, SMALL, Size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PARTS: dict[str, Callable[[Size, str, int], dict[str, Any]]] = {
    "hops": hops,
    "swap": swap,
    "sharing": sharing,
    "total": total,
    "fused": fused,
}


def parts(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown part {unknown[0]!r}; there are {', '.join(PARTS)}")
    return names


def device_name(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else "cpu"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.gpu", description=__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--parts", type=parts, default=list(PARTS), help=f"of {', '.join(PARTS)}, with commas")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--small", action="store_true", help="little of everything, to see that it works")
    options = parser.parse_args(arguments)
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("torch sees no GPU; --device cpu is a dry run")
    size = SMALL if options.small else FULL
    for part in options.parts:
        tell(part)
        with one_json_line(f"gpu_{part}") as figures:
            figures.update(device=device_name(options.device), size=vars(size), repeats=options.repeats)
            figures.update(small=options.small or options.repeats < 3, cuda=torch.version.cuda)
            figures.update(PARTS[part](size, options.device, options.repeats))


if __name__ == "__main__":
    main()
