#!/bin/sh
# Runs a command as a job: job.sh TITLE COMMAND [ARGUMENT...]
#
# Each line that the command prints is a line of the job's log, and is printed as ever; its exit code says whether the
# job is done or has failed, and is that of job.sh. The command runs to its end, whether the daemon is there or not.
#
# WEBSOCK_URL is the daemon, http://localhost:8096 if it is not set; WEBSOCK_KEY the backend's key, on another host.
set -u

say() {
  # The key goes through a pipe: a command line can be seen by others.
  printf '%s' "${WEBSOCK_KEY:+Authorization: Bearer $WEBSOCK_KEY}" |
    curl -sSf -o /dev/null --max-time 10 -H @- "$@" "${WEBSOCK_URL:-http://localhost:8096}/jobs" || :
}

title=$1
shift
job=$(cat /proc/sys/kernel/random/uuid)
say -d opcode=open -d "id=$job" --data-urlencode "title=$title"

# What it prints goes line by line to 3, which is our own output; its exit code to 4.
exec 3>&1
code=$(
  {
    {
      "$@" 2>&1 3>&- 4>&-
      echo $? >&4
    } | while IFS= read -r line || [ -n "$line" ]; do
      printf '%s\n' "$line" >&3
      say -d opcode=log -d "job=$job" --data-urlencode "text=$line"
    done
  } 4>&1
)

if [ "$code" -eq 0 ]; then
  say -d opcode=done -d "job=$job"
else
  say -d opcode=failed -d "job=$job" -d "text=exit code $code"
fi
exit "$code"
