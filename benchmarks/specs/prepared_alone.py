"""The workloads of prepared_rows.py, with rows that each run prepares for itself."""

from prepared_rows import MLSpec as Shared


class MLSpec(Shared):
    share_prepared_rows = False
