"""The same work by a plain PyTorch loop, one process per core, Ray Tune and rapidfire-lab, side by side.

``python -m benchmarks.compare WORKLOAD`` prints one line of JSON, ``python -m benchmarks.compare.report`` makes a table
of such lines. What is compared, and how it is kept fair:

* **The same work.** All sides train the same configs on the same rows for the same epochs, validate after each, keep
  loss and accuracy of every epoch, and write the final weights to disk. ``row_prep``, ``collate_fn``, ``create_model``
  and ``compute_forward`` are the same functions of the same file. Losses at the end are in the figures: they must be
  alike, not equal, for the sides shuffle differently.
* **As users write it.** ``plain`` is a ``Dataset`` over a data frame (``frame.iloc[position]``, as in PyTorch's
  tutorial), a ``DataLoader`` with its defaults (``num_workers=0``) and torch's default number of threads, one config
  after the other. ``--rows lean`` gives the loops dictionaries from a list instead, the fastest there is; the engine
  always makes a ``Series``.
* **processes**: the same loop in a pool with one process per core, with one thread each, forked once everything is
  imported. Configs are handed out one by one.
* **ray**: Ray Tune with one trial per core and its defaults (``reuse_actors`` off, its own loggers on), without its
  dashboard, which favours it. The trial is the same loop, which reports after each epoch.
* **cold**: rapidfire-lab with its defaults, in a home that nobody has used; no engine is running.
* **warm**: the same with an engine that has trained one small config per slot, of other data and in another
  experiment, and then came to rest. It has seen neither the data nor the spec.
* **again**: the call of ``cold`` made a second time, in another experiment of the same engine: what the engine keeps of
  data is there already. It has no target.
* **A process of its own** for each measurement, on the CPU, never two at once, in turns: each round begins with another
  side. Engines of rounds that are over have been stopped.

What is measured (``measure.py``), from when the side's process has imported all it needs (also what torch imports
only when it makes its first optimizer) and is told to go, until it has the results of all configs in hand:

* ``total_s``. For rapidfire-lab it holds ``Experiment(...)``, ``run_fit`` and ``get_results``; for Ray also
  ``ray.init``, which alone is ``init_s``: where the engine is warm, it is taken off Ray's total.
* ``whole_s``: the same, and what the process took to start and import. A cold engine's processes import torch after
  the go and a loop's before it, so cold calls are compared by this.
* ``first_step_s``: until the first optimizer step of any config.
* ``first_chunk_s``: until every config has the mean training loss of the same first chunk: the first quarter of its
  first epoch, which is what the engine trains first, too. Of a loop it is when it gets there, of the engine when its
  journal shows it.
* ``first_validation_s``: until every config has been validated once.
* ``cpu_s``: CPU time of the side's process and of all that descends from it, the engine included.
* ``peak_pss_mb``, ``peak_rss_mb``: the most memory of these processes together, looked at four times a second. PSS
  counts what processes share once.
* ``written_mb``: what they caused to be written to disks.
* ``others_cores``: cores that other processes used meanwhile. A line with more than 0.2 of it is worth little.
"""
