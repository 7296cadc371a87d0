"""Tables of runs, from the journal."""

from __future__ import annotations

import json

from rapidfire_lab.journal import JournalWriter
from rapidfire_lab.results import runs_info
from tests.server.conftest import add_experiment, add_run, config


def test_configs_are_whole_and_what_a_notebook_keeps_of_them_has_no_secret(tmp_path):
    with JournalWriter(tmp_path / "journal.sqlite", "first") as journal:
        with journal.transaction():
            experiment = add_experiment(journal, tmp_path)
            journal._db.execute("UPDATE fits SET data = ?", (json.dumps({"handle_id": "h"}),))
            add_run(journal, experiment, leaf=config(hf_token="hf_secret"))
        info = runs_info(journal, experiment, journal.runs(experiment))
    assert info["config"][0]["user_knobs"]["hf_token"] == "hf_secret"
    for shown in (repr(info), info._repr_html_()):
        assert "AdamW" not in shown
        assert "hf_secret" not in shown
