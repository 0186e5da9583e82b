"""The next step of a job: a decision over its state and over what is known of it.

``lifecycle.py`` has the states and what may happen in each; ``existing.py`` has what a record
of the job's name means. The engine asks here, carries out the step, and asks again, until the
job needs another stage (PREPARE, WAIT) or has ended (END).
"""

from __future__ import annotations

from bulkload.core.existing import ExistingDecision, JobFacts, decide_about
from bulkload.core.lifecycle import FINAL, JobState, Step


def next_step(facts: JobFacts) -> ExistingDecision:
    """Return what to do next for a job."""
    if facts.state in FINAL or facts.has_given_up:
        return ExistingDecision(Step.END)
    if facts.state is JobState.CONFIRMED:
        return ExistingDecision(Step.ATTACH if facts.is_to_attach else Step.WAIT)
    if facts.found is not None:
        return decide_about(facts.found, facts)
    return ExistingDecision(Step.PREPARE if facts.prepared is None else Step.UPLOAD)
