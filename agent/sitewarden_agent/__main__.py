"""`python -m sitewarden_agent`."""

import sys

from sitewarden_agent.cli import main

sys.exit(main())
