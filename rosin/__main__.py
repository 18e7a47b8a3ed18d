"""`python -m rosin` is the command line."""

import sys

from rosin.cli import main

sys.exit(main())
