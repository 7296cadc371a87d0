"""The engine: launcher and client (kernel side), controller, scheduler, slots and tracker (its own processes)."""
