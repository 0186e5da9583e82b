#!/usr/bin/env bash
# A planned job as a Slurm array: each task runs its share of the parts.
#
#   bulkload plan SOURCE --parts 64 --job JOB
#   sbatch --array=0-7 --export=ALL,JOB=/shared/JOB scripts/cluster/slurm_array.sh
#
# IONWORKS_API_KEY comes from the environment of sbatch. The number of tasks is free, up to that
# of parts: each runs every Nth. A task that is preempted or whose node is lost is started again by
# Slurm (--requeue) and goes on from the journals of its parts; so does the same sbatch line.
#SBATCH --job-name=bulkload
#SBATCH --requeue
#SBATCH --open-mode=append
set -u

# Exit code 5 (Studio out of reach, or a part in use) may pass by itself. 1, 2 and 4 need a person, and 3
# says that the shard is done and some measurements are rejected: none of them is tried again.
attempts=${ATTEMPTS:-3}
wait_s=${WAIT_S:-60}
shard="$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT"

for ((attempt = 1; ; attempt++)); do
    ${BULKLOAD:-bulkload} upload "$JOB" --shard "$shard" --lanes "${LANES:-1}" \
        --workers "${SLURM_CPUS_PER_TASK:-1}" &
    child=$!
    # Slurm's SIGTERM comes KillWait seconds before SIGKILL: open uploads may end until then.
    trap 'kill -TERM "$child" 2>/dev/null' TERM
    wait "$child"
    code=$?
    # A trapped signal ends the first wait, not the child.
    while kill -0 "$child" 2>/dev/null; do
        wait "$child"
        code=$?
    done
    if [ "$code" -ne 5 ] || [ "$attempt" -ge "$attempts" ]; then
        exit "$code"
    fi
    sleep "$wait_s"
done
