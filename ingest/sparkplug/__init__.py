"""Sparkplug B 3.0: from a message and what its edge node said before to a batch of readings.

Nothing here opens, stores, publishes or knows the time: the collector does, and hands in values.
"""
