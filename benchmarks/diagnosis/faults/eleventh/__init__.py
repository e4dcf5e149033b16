"""The eleventh held-out set: a file a family or a theme, and in `sound` runs in order that look odd."""

from faults.eleventh import convolutional, feed_forward, graphs, language, recurrent, sound_a, transformer, unnamed_a

__all__ = ["convolutional", "feed_forward", "graphs", "language", "recurrent", "sound_a", "transformer", "unnamed_a"]
