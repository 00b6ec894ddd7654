#!/bin/sh
# The state of a job of Grid Engine, by its number: running, success or failed.
job=$1

# Without an answer nothing is known yet.
listed=$(qstat -u "$(id -un)") || { echo running; exit; }
case $(echo "$listed" | awk -v job="$job" '$1 == job { print $5; exit }') in
    # It could not start, and waits for somebody to look (`qstat -j`).
    *E*) qdel "$job" >&2; echo failed; exit ;;
    ?*) echo running; exit ;;
esac

# Of jobs with the same number the last.
ended=$(qacct -j "$job" 2>/dev/null | awk '
    $1 == "failed" { failed = $2 }
    $1 == "exit_status" { ended = failed != 0 || $2 != 0 ? "failed" : "success" }
    END { print ended }')
# An end takes seconds to reach qacct. One that was deleted before it started never does.
unknown=.snakemake/sge/$job.unknown
if [ -n "$ended" ]; then
    echo "$ended"
elif [ -n "$(find "$unknown" -mmin +5 2>/dev/null)" ]; then
    echo failed
else
    [ -e "$unknown" ] || touch "$unknown"
    echo running
fi
