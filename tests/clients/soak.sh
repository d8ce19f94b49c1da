#!/bin/sh
# Mixed load for hours: processes that live for one call, for a few, and for all the time; some are killed in mid-call, some speak to what is no
# LLM API. Usage: soak.sh START URL SECONDS PAUSE CLIENTS PYTHON NODE [GO]. Begins when the file START exists; prints how many processes it ran.
set -eu
start=$1 url=$2 seconds=$3 pause=$4 clients=$5 python=$6 node=$7 go=${8:-}
while [ ! -e "$start" ]; do sleep 0.1; done
body='{"model":"gpt-4o-mini","messages":[{"role":"user","content":"soak"}]}'
call() { curl -sS --fail --max-time 60 -o /dev/null -H 'content-type: application/json' -d "$body" "$@"; }
# Executables that were never met get their probes while their first process runs, which is counted (late_objects). Here they are met by what is
# no call of a model, so that from now on nothing may be missing.
for kind in requests httpx-async; do
  "$python" "$clients/matrix/client.py" $kind "$url/hold=2000/orders" 1 1 10 > /dev/null 2>&1 || true
done
"$node" "$clients/matrix/client.mjs" fetch "$url/hold=2000/orders" 1 1 10 > /dev/null 2>&1 || true
[ -z "$go" ] || "$go" 1 "$url/hold=2000/orders" 1 1 10 > /dev/null 2>&1 || true
# One process from the first minute to the last.
"$python" "$clients/soak.py" "$url" "$seconds" "$pause" &
keeper=$!
end=$(($(date +%s) + seconds))
processes=1
round=0
while [ "$(date +%s)" -lt "$end" ]; do
  call "$url/v1/chat/completions" || echo "failed: curl"
  call "$url/v1/chat/completions" --next -sS --fail -o /dev/null -H 'content-type: application/json' \
    -d '{"model":"gpt-4o-mini","input":"soak","stream":true}' "$url/chunks=20/v1/responses" --next -sS --fail -o /dev/null \
    -H 'content-type: application/json' -d '{"model":"text-embedding-3-small","input":"soak"}' "$url/v1/embeddings" \
    || echo "failed: curl, three calls"
  # No call of a model.
  call "$url/orders" || echo "failed: curl, no LLM"
  # Killed while it waits for its answer.
  call "$url/hold=20000/v1/chat/completions" 2> /dev/null &
  victim=$!
  sleep 0.3
  kill -9 "$victim" 2> /dev/null || true
  wait "$victim" 2> /dev/null || true
  processes=$((processes + 4))
  case $((round % 4)) in
    0) "$python" "$clients/matrix/client.py" requests "$url/v1/chat/completions" 8 4 200 > /dev/null || echo "failed: requests" ;;
    1) "$node" "$clients/matrix/client.mjs" fetch "$url/v1/chat/completions" 8 4 200 > /dev/null || echo "failed: node" ;;
    2) "$python" "$clients/matrix/client.py" httpx-async "$url/size=300000/v1/chat/completions" 4 4 300000 > /dev/null || echo "failed: httpx" ;;
    3) [ -z "$go" ] || "$go" 1 "$url/v1/chat/completions" 8 4 200 > /dev/null || echo "failed: go" ;;
  esac
  processes=$((processes + 1))
  round=$((round + 1))
  sleep "$pause"
done
wait "$keeper" || echo "failed: the keeper"
echo "processes $processes"
