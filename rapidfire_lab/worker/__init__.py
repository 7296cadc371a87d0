"""The slot process: the only place where user code and the device live."""
