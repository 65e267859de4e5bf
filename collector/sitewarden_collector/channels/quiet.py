"""apprise, loaded so that nothing of it reaches our log.

Its log lines quote addresses with their tokens; they are read from results instead (`apprise_channel`). Its plugins
are loaded once, here, because some of them import modules that Python has deprecated.
"""

from __future__ import annotations

import logging
import warnings
from typing import Any

import apprise

_log = logging.getLogger("apprise")
_log.propagate = False
_log.addHandler(logging.NullHandler())
_log.setLevel(logging.DEBUG)  # the code of a refusal stands in its debug lines
logging.getLogger("urllib3").setLevel(logging.INFO)  # whose debug lines hold paths, and so tokens

_ASSET = apprise.AppriseAsset(app_id="Sitewarden", app_desc="Sitewarden", storage_mode="memory")


def instantiate(url: str) -> Any:
    """The service that `url` names, or None when apprise cannot use the URL."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return apprise.Apprise.instantiate(url, asset=_ASSET, suppress_exceptions=True)
