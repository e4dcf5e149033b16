"""The slot that a mitigation changes, by which pictures colour it."""

from vgbench.spec.case import Case

REFERENCE, OTHER = "reference", "other"
SLOTS = {
    "cell": ("cell",),
    "skip": ("skip",),
    "norm": ("norm",),
    "optimizer": ("optimizer",),
    "gradient transform": ("gradient_transform",),
    "init": ("init",),
    "activation": ("activation",),
    "precision": ("dtype", "loss_scaling", "matmul_precision"),
}
"""Slots in words, and the fields of the case that belong to each. A case that changes several counts with the first."""


def slot_of(case: Case | None, reference: Case | None) -> str:
    """The first of `SLOTS` in which a case differs from its reference.

    A case that is its own reference, or has none, is `REFERENCE`; one that differs in other fields alone is `OTHER`.
    """
    if case is None or reference is None or case.cell_id == reference.cell_id:
        return REFERENCE
    changed = (
        slot
        for slot, fields in SLOTS.items()
        if any(getattr(case, name) != getattr(reference, name) for name in fields)
    )
    return next(changed, OTHER)
