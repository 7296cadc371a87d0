"""One config after the other, with torch's default threads."""

from __future__ import annotations

from benchmarks.compare.job import Job, serve
from benchmarks.compare.loop import Loop, summary


def main() -> None:
    job = Job.from_arguments()

    def work() -> dict[str, object]:
        loop = Loop(job)
        return summary([loop.train(number) for number in range(len(job.configs))])

    serve(work)


if __name__ == "__main__":
    main()
