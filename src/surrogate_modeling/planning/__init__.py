"""Which cases to simulate next: candidates, what the surrogate does not know of them, a batch; and the loop."""
