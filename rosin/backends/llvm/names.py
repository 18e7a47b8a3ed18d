"""What compiled programs and the runtime agree on, mostly names; to load a program takes no more of the backend."""

from __future__ import annotations

ENTRY = "program"
"""The function that runs a program."""
SETUP = "setup"
"""The function that makes what a program keeps from run to run."""
SIZES = "sizes"
"""The function that finds the symbolic sizes of a program."""
PARALLEL = "rosin_parallel"
ROUTINE = "rosin_"
"""What the names of routines begin with."""
BEGIN = "_begin"
"""What the name of what a routine does first ends with."""
CODE, NOW = "_code", "_now"
"""What ends the name of the variable that points to the code of a function, and that of the function which calls it."""
PLANNER = "planner"
"""The global of a routine that holds what `rosin_host` asks for plans; whoever loads the module sets it."""
HOST = "rosin_host"
RECEIVER = "host_receiver"
"""The global that holds what `rosin_host` passes calls on to; whoever loads the module sets it."""
GROW, FREE = "rosin_tape_grow", "rosin_tapes_free"
OUT_OF_MEMORY = 1
"""What a program returns when there is no room for a tape."""
LARGE_BYTES = 1 << 20
"""Results of so many bytes begin where lines of memory do."""
