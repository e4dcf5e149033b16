"""The mitigations, one file a slot, each member one small function with its source;
importing this package registers them.
"""

from vgbench.mitigations import activations as _activations
from vgbench.mitigations import adaptive_optimizers as _adaptive_optimizers
from vgbench.mitigations import attention_residual as _attention_residual
from vgbench.mitigations import cells as _cells
from vgbench.mitigations import gradient_transforms as _gradient_transforms
from vgbench.mitigations import initializers as _initializers
from vgbench.mitigations import loss_scaling as _loss_scaling
from vgbench.mitigations import norms as _norms
from vgbench.mitigations import optimizers as _optimizers
from vgbench.mitigations import parallel_cells as _parallel_cells
from vgbench.mitigations import parametrizations as _parametrizations
from vgbench.mitigations import schedules as _schedules
from vgbench.mitigations import skips as _skips
from vgbench.mitigations import state_space_cells as _state_space_cells
from vgbench.mitigations import streams as _streams
from vgbench.mitigations import tuned_optimizers as _tuned_optimizers

del _activations, _adaptive_optimizers, _attention_residual, _cells, _gradient_transforms, _initializers
del _loss_scaling, _norms, _optimizers, _parallel_cells, _parametrizations, _schedules, _skips
del _state_space_cells, _streams, _tuned_optimizers
