"""`python -m rosin` is the command line."""

import sys

from rosin.frontend.cli import main

sys.exit(main())
