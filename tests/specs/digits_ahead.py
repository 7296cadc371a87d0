"""The digits, augmented, and slow enough to be prepared ahead; each process that prepares notes its number."""

import os
import time

from digits_augmented import MLSpec as Augmented

NOTED = set()


class MLSpec(Augmented):
    def row_prep(self, row, cfg, mode):
        if os.getpid() not in NOTED:
            NOTED.add(os.getpid())
            notes = os.open(cfg["notes"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.write(notes, f"{os.getpid()}\n".encode())
            os.close(notes)
        time.sleep(0.003)
        return super().row_prep(row, cfg, mode)
