#!/usr/bin/env bash
# ./serve under many clients for minutes: of every ten, six ask for whole answers or streams, each of which has to be ./generate's to the
# bit, two leave in the middle, one reads too slowly, one sends what is broken. At the end no page is held, no file more is open than at
# the beginning, resident memory is within 8 MiB of what it was after the first half (beside pages of 32 KiB that were taken since: they
# are kept), and a last request is answered. Arguments: seconds (300), clients (200), the program (./serve), its options.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-300} clients=${2:-200} program=${3:-./serve} options=("${@:4}") rows=24
work=$(mktemp -d)
trap 'kill -9 $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT
failed() { echo "FAILED: $*" && tail -n 5 "$work/stderr" && exit 1; }
cat >"$work/config.json" <<END
{"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_size": 32, "num_hidden_layers": 2,
 "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16, "intermediate_size": 64, "vocab_size": 1152,
 "max_position_embeddings": 512, "rope_theta": 10000.0, "rms_norm_eps": 1e-6, "hidden_act": "silu",
 "tie_word_embeddings": true, "initializer_range": 0.05, "eos_token_id": 1130}
END
build/demo_problems train 1 3 5 >"$work/train.jsonl"
./train_sft --init "$work/config.json" --tokenizer dev/demo/tokenizer --template chatml --data "$work/train.jsonl" --out "$work/run" --epochs 4 \
    --global-batch 4 --slots 2 --micro-batch-tokens 256 --seq-len 256 --lr 1e-2 --device cpu >"$work/said" 2>&1

# a third of the prompts begin alike each
for row in $(seq $rows); do
    printf '{"messages":[{"role":"system","content":"%s%s"},{"role":"user","content":"%s+4?"}]}\n' $((row % 3)) "$(seq -s ' ' 60)" "$row"
done >"$work/prompts.jsonl"
./generate --model "$work/run" --prompts "$work/prompts.jsonl" --out "$work/out.jsonl" --seed 5 --max-new-tokens 60 --ignore-eos --device cpu 2>"$work/said"

"$program" --model "$work/run" --name tiny --port 0 --device cpu --requests "$clients" "${options[@]}" >"$work/address" 2>"$work/stderr" &
server=$!
while [ ! -s "$work/address" ]; do kill -0 $server && sleep 0.02; done
url=$(sed -n 's/^serving tiny at //p' "$work/address")
port=$(sed -E 's,.*:([0-9]+)/.*,\1,' <<<"$url")
metric() { curl -s -m 20 "${url%/v1}/metrics" | sed -n "s/^dereason_$1 //p"; }
open_files() { find "/proc/$server/fd" -type l | wc -l; }

for row in $(seq $rows); do
    for kind in whole stream; do
        { printf '{"model":"tiny","seed":5,"request_id":"%s","max_tokens":60,"ignore_eos":true,"return_token_ids":true,"logprobs":true,' "$row"
          [ $kind = whole ] || printf '"stream":true,'
          sed -n "${row}s/^{//p" "$work/prompts.jsonl"; } >"$work/$kind-$row"
    done
    sed -n "${row}s/.*\"ids\":\\[\\([0-9,]*\\)\\],\"text\".*\"logprobs\":\\[\\([^]]*\\)\\].*/\\1 \\2/p" "$work/out.jsonl" >"$work/wanted-$row"
    [ -s "$work/wanted-$row" ] || failed "the rows of generate are not understood"
done
long='{"model":"tiny","messages":[{"role":"user","content":"1+1?"}],"ignore_eos":true,"n":20,"max_tokens":400,"stream":true,"logprobs":true,"top_logprobs":20}'
post=(-s -H 'Content-Type: application/json' "$url/chat/completions")

# Ten requests over one connection, and each answer compared.
good() { # client
    local n row kind
    for n in $(seq 10); do
        row=$((1 + RANDOM % rows)) kind=$([ $((RANDOM % 2)) = 0 ] && echo whole || echo stream)
        printf 'next\nurl = "%s/chat/completions"\nheader = "Content-Type: application/json"\ndata-binary = "@%s"\noutput = "%s"\n' \
            "$url" "$work/$kind-$row" "$work/got-$1-$n-$row"
    done | sed 1d >"$work/asked-$1"
    curl -s -m 120 -K "$work/asked-$1" || echo "client $1: curl ends with $?" >>"$work/wrong"
    for got in "$work/got-$1-"*; do
        { grep -oE '"token_ids":\[[0-9,]*\]' "$got" | grep -oE '[0-9]+' | paste -sd, | tr '\n' ' '
          grep -oE '"logprob":[^,]*' "$got" | cut -d: -f2 | paste -sd,; } | cmp -s - "$work/wanted-${got##*-}" || {
            echo "client $1: ${got##*/}: $(head -c 300 "$got")" >>"$work/wrong"
        }
        rm "$got"
        echo >>"$work/right"
    done
}
leaves() { curl -N -m "0.$((1 + RANDOM % 8))" "${post[@]}" -d "$long" >"$work/left-$1" || true; }
is_slow() { curl -N -m 20 --limit-rate 20k "${post[@]}" -d "$long" >"$work/slow-$1" || true; }
is_broken() {
    local bytes=('garbage\r\n\r\n' 'POST /v1/completions HTTP/1.1\r\nContent-Length: 500\r\n\r\n{"a' 'GET /health HTT' ''
        'POST /v1/completions HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n'
        'POST /v1/completions HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: -1\r\n\r\n' 'GET / HTTP/9.9\r\n\r\n')
    # shellcheck disable=SC2059
    (exec 5<>"/dev/tcp/127.0.0.1/$port" && printf "${bytes[RANDOM % ${#bytes[@]}]}" >&5 && sleep 0.$((RANDOM % 10))) 2>/dev/null || true
    curl -m 20 "${post[@]}" -d '{"model":"tiny","mess' >"$work/broken-$1" || true
}

# All clients until the time, then the answers that are still on their way: what is resident is left in $resident.
half() { # seconds
    local client end=$((SECONDS + $1)) workers=()
    for client in $(seq "$clients"); do
        while [ $SECONDS -lt $end ]; do
            case $((client % 10)) in
            [0-5]) good "$client" ;;
            6 | 7) leaves "$client" ;;
            8) is_slow "$client" ;;
            9) is_broken "$client" ;;
            esac
            sleep 0.2
        done &
        workers+=($!)
    done
    wait "${workers[@]}"
    kill -0 $server || failed "the server has ended"
    until [ "$(metric requests_running)" = 0 ]; do sleep 0.1; done
    sleep 1
    resident=$(sed -nE 's/^VmRSS:[^0-9]*([0-9]+).*/\1/p' "/proc/$server/status")
}
first=$(curl -o "$work/first" -w '%{time_total}' "${post[@]}" -d "@$work/whole-1")
files=$(open_files)
half $((seconds / 2))
before=$resident pages_before=$(metric pages_cached)
half $((seconds - seconds / 2))
after=$resident pages_after=$(metric pages_cached)
last=$(curl -o "$work/last" -w '%{time_total}' "${post[@]}" -d "@$work/whole-1")
echo "$(wc -l <"$work/right") whole answers compared; left $(metric requests_left_total), cut $(metric requests_cut_total), evicted pages $(metric page_evictions_total)"
echo "resident KiB $before then $after; cached pages $pages_before then $pages_after; files $files then $(open_files); first answer $first s, last $last s"
[ ! -s "$work/wrong" ] || failed "answers: $(head -n 3 "$work/wrong")"
[ "$(metric pages_in_use)" = 0 ] || failed "$(metric pages_in_use) pages are held"
[ $((after - before)) -le $((8192 + 32 * (pages_after - pages_before))) ] || failed "memory"
[ "$(open_files)" -le $((files + 2)) ] || failed "files"
kill $server && wait $server || failed "exit status $?"
! grep -qE 'Sanitizer|runtime error' "$work/stderr" || failed "the sanitizers complain"
