"""The endpoints of the API, one module a resource. `ENDPOINTS` lists them all by name."""

from __future__ import annotations

from typing import Final

from bulkload.localstudio.routes import (
    batches,
    equipment,
    extends,
    identity,
    instances,
    measurements,
    projects,
    protocols,
    raw_data,
    readback,
    search,
    specifications,
    tags,
    uploads,
)

ENDPOINTS: Final = (
    *identity.ENDPOINTS,
    *projects.ENDPOINTS,
    *specifications.ENDPOINTS,
    *batches.ENDPOINTS,
    *instances.ENDPOINTS,
    # Before the measurements: their fixed words would else read as ids.
    *tags.ENDPOINTS,
    *uploads.ENDPOINTS,
    *extends.ENDPOINTS,
    *readback.ENDPOINTS,
    *measurements.ENDPOINTS,
    *raw_data.ENDPOINTS,
    *equipment.ENDPOINTS,
    *protocols.ENDPOINTS,
    *search.ENDPOINTS,
)
