"""What GPUs cost and give, on a machine that may have no network: `carry` makes the folder that is taken there.

Each part prints one line of JSON. Everything is trained on made-up tables by `benchmarks/specs/layers.py`, with dropout
and batch normalisation, so that random numbers and buffers have to be right as well.

* ``hops``: the same configs without hops (one after the other, whole epochs) and with hops to runs on the device, in
  the host's memory and on the disk. ``identical`` says whether weights and metrics of all are the same to the bit;
  ``hop_ms`` is what a lease takes longer than without hops.
* ``swap``: a run of the given size that is taken from the device, from the host's memory, and from the disk, without an
  engine. Seconds until the device is through; of the host also what moving out takes, and the first time, in which
  memory has to be pinned.
* ``sharing``: the same configs with one slot on the GPU and with several.
* ``total``: the configs in a plain loop, one after the other, and by the engine, in turns.
* ``fused``: four times as many smaller configs with and without ``fuse="auto"``, in turns, and how they were trained.

Times are medians of ``--repeats`` rounds, without the start of the engine and after a first run that loads what CUDA
needs. ``--device cpu`` is a dry run, to see that everything works: there is no level in the host's memory then.
"""
