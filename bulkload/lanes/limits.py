"""Every bound of lanes and parts, with its unit and the reason for it."""

from __future__ import annotations

from typing import Final

#: Cores for which one lane is enough: a lane delivers in some 6 ms of its CPU what its workers
#: prepare in some 17 ms, so that three to four workers keep it busy.
CORES_A_LANE: Final = 4

#: Parts for each lane of a new job, unless stated: the last parts of a run keep few
#: lanes busy, and with four a lane the idle end is short.
PARTS_A_LANE: Final = 4

#: Measurements up to which a new job has one part, unless stated: one lane has done
#: them before more of them have started and shared out the work.
SMALL_JOB: Final = 1000

#: Lanes of one run, at most: a lane takes some 120 MiB, and its workers more.
MAX_LANES: Final = 64

#: How often one part is given to a new lane after its lane died, before it is left to the next
#: run: a part that ends its lane each time will do so for ever.
MAX_RESTARTS: Final = 3

#: Seconds that a lane may take beyond the grace to close its journal and end: it flushes a disk.
LANE_END_S: Final = 10.0

#: Seconds between two states of a lane on its way to the supervisor: what people look at.
STATE_EVERY_S: Final = 1.0

#: Items of a plan that are held in memory before they are written to their parts' shares: about
#: 1 kB each.
HELD_ITEMS: Final = 20_000

#: Lanes for which a new job is divided that goes to a Dask cluster, unless parts are
#: stated: the cluster may be larger or smaller, and grow.
CLUSTER_LANES: Final = 16

#: Seconds in which the scheduler of a Dask cluster must be reached: one that is up answers in
#: milliseconds, and an address with a mistake in it should show.
CLUSTER_CONNECT_S: Final = 15.0

#: Seconds in which a Dask cluster must answer a question: the first one to a worker has it import
#: us, which took 15 s on a machine with six times the work that it has cores for.
CLUSTER_ANSWER_S: Final = 120.0

#: Seconds without a worker that can run parts, before the run is left to another one: a
#: scheduler of machines may take minutes to start some.
NO_WORKER_S: Final = 300.0

#: Seconds between two looks at which workers a Dask cluster has.
WORKERS_EVERY_S: Final = 1.0

#: Seconds that a part waits on a worker for whoever else holds it: the lane of a worker that was
#: lost ends when its worker does, and Dask notices a broken connection within these.
PART_HELD_S: Final = 60.0

#: Seconds between two tries to take such a part.
PART_HELD_EVERY_S: Final = 1.0
