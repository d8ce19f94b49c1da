#!/bin/sh
# Runs curl CALLS times, one process after the other: batch.sh URL CALLS
set -eu
url=$1
calls=$2
number=0
while [ "$number" -lt "$calls" ]; do
  curl --silent --show-error --fail --max-time 60 --output /dev/null \
    --header 'content-type: application/json' --header 'authorization: Bearer sk-test-secret' \
    --data "{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"user\",\"content\":\"curl $number\"}]}" \
    "$url/v1/chat/completions"
  number=$((number + 1))
done
echo "{\"ok\":$number,\"failed\":0}"
