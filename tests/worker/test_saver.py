"""Checkpoints written in a thread of their own."""

from __future__ import annotations

import copy
import threading
from collections import Counter

import pytest
import torch

from rapidfire_lab.engine.protocol import LeaseDone
from rapidfire_lab.worker.saver import Saver, size_of, snapshot
from tests.conftest import wait_until


def done(lease):
    return LeaseDone(lease=lease, outcome="reached", step=1, completed_epochs=0)


@pytest.fixture
def saver():
    made = Saver()
    yield made
    made.close()


def test_answers_come_in_order_and_once(saver):
    for lease in range(20):
        saver.save(lease % 3, lambda lease=lease: done(lease), is_live=False)
    saver.close()
    assert [answer.lease for answer in saver.finished()] == list(range(20))
    assert saver.finished() == []


def test_somebody_who_waits_is_woken(saver):
    assert not saver.wakeup.poll(0)
    saver.save(1, lambda: done(1), is_live=False)
    assert saver.wakeup.poll(60_000)
    assert [answer.lease for answer in saver.finished()] == [1]
    assert not saver.wakeup.poll(0)


def test_a_run_is_waited_for_and_others_are_not(saver):
    gate = threading.Event()
    saver.save(1, lambda: gate.wait(60) and done(1), is_live=True)
    saver.wait_for(2)
    waited = threading.Thread(target=saver.wait_for, args=(1,), kwargs={"live": True})
    waited.start()
    assert waited.is_alive()
    gate.set()
    waited.join(60)
    assert not waited.is_alive()


def test_a_copy_need_not_be_waited_for(saver):
    gate = threading.Event()
    saver.save(1, lambda: gate.wait(60) and done(1), is_live=False)
    saver.wait_for(1, live=True)
    assert saver.finished() == []
    gate.set()
    saver.wait_for(1)
    assert [answer.lease for answer in saver.finished()] == [1]


def test_no_more_waits_for_the_disk_than_there_is_memory_for(saver):
    gate = threading.Event()
    for lease in (1, 2):
        saver.save(lease, lambda lease=lease: gate.wait(60) and done(lease), is_live=False)
    third = threading.Thread(target=saver.save, args=(3, lambda: done(3)), kwargs={"is_live": False})
    third.start()
    wait_until(third.is_alive, "the third to be under way")
    assert saver.finished() == []
    gate.set()
    third.join(60)
    saver.close()
    assert [answer.lease for answer in saver.finished()] == [1, 2, 3]


def test_a_snapshot_is_a_copy_of_all_and_keeps_what_is_tied():
    tensor = torch.arange(6.0)
    state = {
        "a": tensor,
        "b": [tensor, (1, "x", None)],
        "view": tensor[2:],
        "counted": Counter({3: 1}),
        "none": torch.empty(0),
    }
    before = copy.deepcopy(state)
    taken = snapshot(state)
    tensor += 1
    state["counted"][3] = 9
    assert torch.equal(taken["a"], before["a"])
    assert taken["a"].data_ptr() == taken["b"][0].data_ptr()
    assert torch.equal(taken["view"], before["view"])
    assert taken["b"][1] == (1, "x", None)
    assert taken["counted"] == Counter({3: 1})
    assert size_of(state) == 6 * 4 * 2 + 4 * 4
