#!/usr/bin/env bash
# Tells pages and jobs how far a script is, with nc (apt-get install netcat-openbsd): a line goes, lines come back.
#
#   nc.sh feedback UUID TEXT    tells the page that has this uuid
#   nc.sh broadcast TEXT        tells every page
#   nc.sh progress UUID         tells the page 0 to 100 %
#   nc.sh open TITLE            opens a job and prints its id
#   nc.sh job ID FILE...        does the work of the job: adds up the sizes of files
#
# WEBSOCK_URL is the daemon, http://localhost:8096 if it is not set (nc knows no https); WEBSOCK_KEY the backend's
# key, or a ticket. It ends with 0, or says why not and ends with 1.
set -euo pipefail

fail() {
  echo "nc.sh: $1" >&2
  exit 1
}

# Opens one connection to a resource: connect PATH.  It lasts as long as the script.
connect() {
  local url=${WEBSOCK_URL:-http://localhost:8096}
  [[ $url =~ ^http://\[?([^/]*[^]/])\]?:([0-9]+)$ ]] || fail "not http://HOST:PORT: $url"
  # Where nc has ended, as it does where nobody listens, its lines end, and what we write is taken all the same.
  coproc daemon { nc -N "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" || :; exec >&-; cat >/dev/null; }
  exec 3<&"${daemon[0]}" 4>&"${daemon[1]}"
  printf '%s\n' "GET $1${WEBSOCK_KEY:+ Bearer $WEBSOCK_KEY}" >&4
  await '"opcode":"ready"'
}

# Reads lines until one has what is asked for: that is then $line.
await() {
  while IFS= read -r -t 30 -u 3 line; do
    if [[ $line == *'"opcode":"close"'* ]]; then break; fi
    if [[ $line == *"$1"* ]]; then return; fi
  done
  [[ ${line:-} =~ \"error\":\"([^\"]*)\" ]] || fail "no answer from ${WEBSOCK_URL:-http://localhost:8096}"
  fail "${BASH_REMATCH[1]}"
}

# A text as JSON writes it.
json() {
  local text=${1//\\/\\\\}
  text=${text//\"/\\\"} text=${text//$'\n'/\\n} text=${text//$'\t'/\\t} text=${text//$'\r'/\\r}
  printf '"%s"' "$text"
}

# Sends one packet and waits for its next: say NAME TEXT NAME TEXT...
say() {
  local packet=''
  while (($# > 0)); do
    packet+=",\"$1\":$(json "$2")"
    shift 2
  done
  printf '{%s}\n' "${packet:1}" >&4
  await '{"opcode":"next"'
  if [[ $line =~ \"error\":\"([^\"]*)\" ]]; then fail "${BASH_REMATCH[1]}"; fi
}

delivered() {
  [[ $line =~ \"delivered\":([0-9]+) ]] && echo "delivered: ${BASH_REMATCH[1]}"
}

# The work of a job, which says how far it is.
add_up() {
  local job=$1 sum=0 count=0 size file
  shift
  for file in "$@"; do
    if ! size=$(wc -c <"$file"); then
      say opcode failed job "$job" text "$file cannot be read"
      fail "$file cannot be read"
    fi
    sum=$((sum + size)) count=$((count + 1))
    say opcode log job "$job" text "$file: $size bytes"
    say opcode progress job "$job" percent "$((count * 100 / $#))" text "$sum bytes"
  done
  say opcode 'done' job "$job" text "$sum bytes in all"
}

case ${1:-} in
  feedback)
    connect /php
    say opcode feedback uuid "$2" message "$3"
    delivered
    ;;
  broadcast)
    connect /php
    say opcode broadcast message "$2"
    delivered
    ;;
  progress)
    connect /php
    for percent in 0 25 50 75 100; do
      # Here is your work.
      say opcode feedback uuid "$2" percent "$percent" message "$percent %"
    done
    ;;
  open)
    connect /jobs
    say opcode open title "$2"
    [[ $line =~ \"job\":\"([0-9a-f-]{36})\" ]] && echo "${BASH_REMATCH[1]}"
    ;;
  job)
    connect /jobs
    add_up "${@:2}"
    ;;
  *)
    fail 'feedback, broadcast, progress, open or job?'
    ;;
esac
