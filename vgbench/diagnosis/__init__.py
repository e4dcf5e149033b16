"""What records of a training run say: findings with their evidence, distinguished from what looks like them."""

from vgbench.diagnosis.answer import Diagnosis, Missing
from vgbench.diagnosis.diagnose import diagnose, verdict
from vgbench.diagnosis.evidence import Evidence
from vgbench.diagnosis.findings import Finding, Name

__all__ = ["Diagnosis", "Evidence", "Finding", "Missing", "Name", "diagnose", "verdict"]
