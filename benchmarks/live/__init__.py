"""Real instrumentations against a model server that never guesses: what `benchmarks.live_instrumentations` is made of."""
