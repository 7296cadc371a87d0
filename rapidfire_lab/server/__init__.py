"""The Jupyter server extension: REST routes over the engine, with no state of their own."""
