"""What is wrong with a request to the zoo."""

from __future__ import annotations

import rosin


class ZooError(rosin.RosinError, ValueError):
    """No such model or option, a package that is not installed, or a folder of another training."""
