"""Every bound of the command line, with its unit and the reason for it."""

from __future__ import annotations

from typing import Final

#: Seconds for which all notifications of a run may take together: a mail server that answers does
#: it in seconds, and a scheduler waits for the run.
NOTIFY_LIMIT_S: Final = 60.0

#: Seconds that the command of ``--on-end`` may take: enough to copy a report away.
ON_END_LIMIT_S: Final = 600.0

#: Seconds between asking the command of ``--on-end`` to end and killing it.
ON_END_GRACE_S: Final = 5.0
