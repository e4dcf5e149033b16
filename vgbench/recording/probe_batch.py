"""What is read of all modules of a model in training: its loss on a probe batch, traced once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from vgbench.boundary.run_file import Module
from vgbench.instruments.model import Opened
from vgbench.instruments.passes import Traced, signals
from vgbench.instruments.readout import all_rows, log10_smallest, read_taps
from vgbench.instruments.tracing import trace
from vgbench.instruments.tree import named


@dataclass(frozen=True)
class ProbeBatch:
    """A model's loss on one batch.

    Attributes:
        model: the model as it was; what the optimizer does not change stays so.
        batch: the probe batch.
        found: the traced loss.
    """

    model: Opened
    batch: Any
    found: Traced

    def read(self, parameters: Any) -> Any:
        """Read every module on the device, from parameters by name as the optimizer has them."""
        given = named(parameters)
        own = [given.get(name, array) for name, array in self.model.parameters.items()]
        data = [*self.model.others, *jax.tree.leaves(self.batch)]
        passes = [signals(self.found, how, own, data) for how in self.found.plans(parameters=False)]
        reads = [(read_taps(self.found, each, spectra=False), each.exponents) for each in passes]
        return reads, [layer for _, layer, _ in passes[0].values]

    def modules(self, read: Any) -> dict[str, Module]:
        """What `read` gave, on the host, by the modules' names in the order of the forward pass."""
        reads, layers = read
        rows, _ = all_rows(self.found, self.found.plans(parameters=False), reads, layers)
        return {row.name: row.module for row in rows}

    def depth(self, name: str) -> tuple[int, ...]:
        """What sorts arrays of weights, and layers of stacks, by their first use in the forward pass."""
        parameter, _, layer = name.removesuffix("]").partition("[")
        places = {each: i for i, each in enumerate(self.model.parameters)}
        if parameter not in places:
            return (len(self.found.closed.jaxpr.eqns),)
        return self.found.depth(places[parameter], int(layer or 0))

    @property
    def dtype(self) -> str:
        """The narrowest dtype of parameters and of what is read."""
        dtypes = [leaf.dtype for leaf in self.model.parameters.values()]
        dtypes += [dtype for site in self.found.sites for dtype in site.dtypes]
        return str(jnp.dtype(max(dtypes, key=log10_smallest)))


def probe_batch(model: Opened, loss: Callable[[Any, Any], Any], batch: Any) -> ProbeBatch:
    """Trace a model's loss on a batch.

    Raises:
        InputError: the loss is no scalar, or the model has no floating-point arrays.
    """
    return ProbeBatch(model, batch, trace(model, loss, batch))
