"""How often published cells trained, by what their initialisation showed.

`python benchmarks/diagnosis/calibrate.py results` makes the table anew.
"""

PUBLISHED: dict[tuple[str, str, bool, bool], tuple[int, int]] = {
    ("no risk", "", False, False): (37, 41),
    ("no risk", "", False, True): (13, 24),
    ("no risk", "", True, True): (1, 7),
    ("risk of collapse", "much", False, False): (0, 14),
    ("risk of collapse", "much", False, True): (1, 6),
    ("risk of exploding", "much", False, True): (0, 1),
    ("risk of exploding", "some", False, False): (4, 4),
    ("risk of vanishing", "much", False, False): (0, 3),
    ("risk of vanishing", "much", False, True): (1, 13),
    ("risk of vanishing", "much", True, True): (7, 9),
    ("risk of vanishing", "some", False, False): (2, 3),
    ("risk of vanishing", "some", False, True): (2, 2),
}
"""Cells that trained, and all, by risk, amount, whether over time steps, and whether the optimizer is invariant to the
gradient's scale."""
