"""How often published cells trained, by what their initialisation showed, and which changes made others train.

`python benchmarks/diagnosis/calibrate.py results` makes the tables anew.
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

CHANGES: dict[tuple[str, bool, bool, str], tuple[int, int, float | None]] = {
    ("risk of collapse", False, False, "activation relu"): (1, 2, 0.96),
    ("risk of collapse", False, False, "activation tanh"): (2, 2, 0.99),
    ("risk of collapse", False, False, "gradient transform clip_by_global_norm"): (0, 3, 1.21),
    ("risk of collapse", False, False, "init lecun_normal"): (1, 5, 1.01),
    ("risk of collapse", False, False, "init lsuv"): (0, 2, 0.99),
    ("risk of collapse", False, False, "norm batch"): (3, 3, 1.87),
    ("risk of collapse", False, False, "norm layer"): (0, 3, 2.14),
    ("risk of collapse", False, False, "optimizer adam"): (0, 4, 1.17),
    ("risk of collapse", False, False, "optimizer muon"): (1, 2, 3.83),
    ("risk of collapse", False, False, "skip highway"): (4, 4, 2.86),
    ("risk of collapse", False, False, "skip residual"): (4, 4, 1.04),
    ("risk of collapse", False, False, "skip rezero"): (2, 2, 1.22),
    ("risk of vanishing", False, False, "init lecun_normal"): (2, 3, 1.0),
    ("risk of vanishing", False, False, "norm layer"): (3, 3, 1.99),
    ("risk of vanishing", False, False, "optimizer adam"): (2, 3, 1.16),
    ("risk of vanishing", False, False, "skip residual"): (3, 3, 1.01),
    ("risk of vanishing", True, True, "cell chrono_lstm"): (1, 1, 3.48),
    ("risk of vanishing", True, True, "cell gru"): (2, 2, 1.98),
    ("risk of vanishing", True, True, "cell lru"): (0, 4, 1.34),
    ("risk of vanishing", True, True, "cell lstm"): (3, 3, 3.21),
    ("risk of vanishing", True, True, "cell mgu"): (2, 2, 1.91),
    ("risk of vanishing", True, True, "init orthogonal"): (0, 1, 1.0),
}
"""Cells that trained, all, and the median ratio of a step's duration to the reference's, of references that did not
train: by what their start showed, whether over time steps, whether their optimizer is invariant to the gradient's
scale, and the one slot that differs."""
