"""The twelfth held-out set: a file a family or a theme, and in `sound_a` and `sound_b` runs in order that look odd."""
