"""`python -m sitewarden_collector`."""

import sys

from sitewarden_collector.cli import main

sys.exit(main())
