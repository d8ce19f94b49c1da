#!/bin/sh
# One client of the matrix: Codex, which calls a model over the Responses API. Usage: codex.sh CODEX URL CALLS CONCURRENT SIZE [FIRST]
# Runs CALLS agents, CONCURRENT at a time, each with a prompt of SIZE bytes and the provider at URL; with FIRST one agent, with that provider.
# An agent makes a call for the prompt and one for the result of the tool that the answer asked for. Prints `ok CALLS`.
set -eu
codex=$1 url=$2 calls=$3 concurrent=$4 size=$5 first=${6:-}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if [ -n "$first" ]; then
  url=$first calls=1 concurrent=1
fi
export OPENAI_API_KEY=sk-test-secret RUST_LOG=error CODEX_CA_CERTIFICATE="$SSL_CERT_FILE"
agent() {
  mkdir -p "$folder/$1"
  cat > "$folder/$1/config.toml" <<CONFIG
model = "gpt-5-codex"
model_provider = "standin"
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false
[model_providers.standin]
name = "stand-in"
base_url = "${url%/responses}"
env_key = "OPENAI_API_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
[analytics]
enabled = false
CONFIG
  { printf 'agent %s: ' "$1"; head -c "$size" /dev/zero | tr '\0' x; } > "$folder/$1/prompt"
  CODEX_HOME="$folder/$1" "$codex" exec --skip-git-repo-check --cd "$folder/$1" - < "$folder/$1/prompt" > "$folder/$1/said" 2>&1 || {
    tail -n 20 "$folder/$1/said" >&2
    return 1
  }
}
begun=0
while [ "$begun" -lt "$calls" ]; do
  pids=
  for _ in $(seq "$concurrent"); do
    [ "$begun" -lt "$calls" ] || break
    agent "$begun" &
    pids="$pids $!"
    begun=$((begun + 1))
  done
  for pid in $pids; do wait "$pid"; done
done
echo "ok $calls"
