"""What curves of a training run say: findings with their evidence, told apart from what looks like them."""

from vgbench.diagnosis.diagnose import diagnose, verdict
from vgbench.diagnosis.evidence import Evidence
from vgbench.diagnosis.findings import Finding, Name

__all__ = ["Evidence", "Finding", "Name", "diagnose", "verdict"]
