#!/usr/bin/env bash
# ./serve as its clients meet it: what it answers is ./generate's for the same seed, to the bit, however many ask at once; a stream is
# the whole in pieces; what a client leaves gives its pages back; what is wrong is refused with the right status; SIGTERM drains. With
# the sanitizers, except where many ask.
. "$(dirname "$0")/common.bash"
tiny_recipe
wants 0 train "$work/run" --epochs 1
[ -x build/asan/serve ] || failed "build/asan/serve is not built"
model=$work/run
secret=sk-the-right-key

# PATH BODY, more options of curl: the answer is in $work/answer, its headers in $work/headers, its status in $status.
ask() {
    local path=$1 body=$2
    shift 2
    status=$(curl -s -m 60 -o "$work/answer" -D "$work/headers" -w '%{http_code}' -H "Content-Type: ${type:-application/json}" "$@" \
        ${body:+--data-binary} ${body:+"$body"} "$url$path") || true
}
gets() { # STATUS TEXT, as ask
    local wanted=$1 text=$2
    shift 2
    ask "$@"
    [ "$status" = "$wanted" ] || failed "status $status instead of $wanted for $1 $2: $(head -c 300 "$work/answer")"
    grep -qF -- "$text" "$work/answer" "$work/headers" || failed "no '$text' in the answer to $1 $2: $(head -c 300 "$work/answer")"
}
files_open() { find "/proc/$server/fd" -type l | wc -l; }
metric() { curl -s -m 20 -H "Authorization: Bearer $secret" "$url/metrics" | sed -n "s/^dereason_$1 //p"; }
until_metric() { # NAME VALUE
    local end=$((SECONDS + 30))
    until [ "$(metric "$1")" = "$2" ]; do
        [ $SECONDS -lt $end ] || failed "dereason_$1 is $(metric "$1"), not $2"
        sleep 0.02
    done
}

# What an answer says, a choice a line: ids, text, log-probabilities, reason; of ./generate's rows the same. (Of a chat without candidates.)
said_by_server() {
    grep -o '{"index":[0-9]*,"message":.*' "$1" | sed 's/{"index":/\n&/g' | sed '/^$/d' | while IFS= read -r choice; do
        sed -n 's/.*"token_ids":\(\[[0-9,]*\]\).*/\1/p' <<<"$choice"
        sed -n 's/.*"content":\("\([^"\\]\|\\.\)*"\),"refusal".*/\1/p' <<<"$choice"
        grep -o '"logprob":[^,]*' <<<"$choice" | cut -d: -f2 | paste -sd,
        sed -n 's/.*"finish_reason":"\([a-z]*\)".*/\1/p' <<<"$choice"
    done
}
said_by_generate() {
    while IFS= read -r row; do
        sed -n 's/.*"ids":\(\[[0-9,]*\]\),"text".*/\1/p' <<<"$row"
        sed -n 's/.*"text":\("\([^"\\]\|\\.\)*"\),"logprobs".*/\1/p' <<<"$row"
        sed -n 's/.*"logprobs":\[\([^]]*\)\].*/\1/p' <<<"$row"
        sed -n 's/.*"finish_reason":"\([a-z]*\)".*/\1/p' <<<"$row"
    done
}

rows=24
for row in $(seq $rows); do
    echo "{\"messages\": [{\"role\": \"system\", \"content\": \"Be brief, ü.\"}, {\"role\": \"user\", \"content\": \"$row+$((row * 7))?\"}]}"
done >"$work/prompts.jsonl"

# NAME, the fields of a request, generate's options for the same: all rows at once, as often as $times says.
answers_are_generates() {
    local name=$1 fields=$2 row n
    shift 2
    rm -f "$work/out.jsonl" "$work"/answer-*
    wants 0 ./generate --model "$model" --prompts "$work/prompts.jsonl" --out "$work/out.jsonl" --device cpu --samples 2 "$@" \
        >"$work/stdout" 2>"$work/generate.stderr"
    for n in $(seq "$times"); do
        for row in $(seq $rows); do
            printf '{"model":"tiny","n":2,"logprobs":true,"return_token_ids":true,"request_id":"%s",%s,' "$row" "$fields" >"$work/body-$row"
            sed -n "${row}s/^{//p" "$work/prompts.jsonl" >>"$work/body-$row"
            printf 'next\nurl = "%s/v1/chat/completions"\nheader = "Content-Type: application/json"\ndata-binary = "@%s"\noutput = "%s"\n' \
                "$url" "$work/body-$row" "$work/answer-$n-$row"
        done
    done | sed 1d >"$work/all"
    curl -s --no-progress-meter -m 300 -Z --parallel-immediate --parallel-max 200 -K "$work/all" || failed "curl ends with $?"
    for n in $(seq "$times"); do
        for row in $(seq $rows); do
            said_by_server "$work/answer-$n-$row" >"$work/said"
            sed -n "$((2 * row - 1)),$((2 * row))p" "$work/out.jsonl" | said_by_generate >"$work/wanted"
            [ "$(wc -l <"$work/wanted")" = 8 ] || failed "the rows of generate are not understood"
            cmp "$work/said" "$work/wanted" || failed "$name: row $row is another one: $(diff "$work/said" "$work/wanted" | head -n 4)"
        done
    done
    proved "serve: $((times * rows)) requests at once have generate's tokens, texts and log-probabilities, bit for bit ($name)"
}

drawn_alike() {
    times=1
    serve_begins build/asan/serve --sequences 7 --pass-tokens 40
    answers_are_generates "sampled" '"seed":5,"max_tokens":24' --seed 5 --max-new-tokens 24
    answers_are_generates "limited, with stops" '"seed":6,"max_tokens":40,"temperature":0.7,"top_k":200,"top_p":0.9,"min_p":0.01,"stop":["1",";"]' \
        --seed 6 --max-new-tokens 40 --temperature 0.7 --top-k 200 --top-p 0.9 --min-p 0.01 --stop 1 --stop ";"
    answers_are_generates "greedy" '"temperature":0,"max_completion_tokens":12' --temperature 0 --max-new-tokens 12
    serve_ends
}

# A request without a name is the first row of its file, and of several prompts each is the row of its number.
prompts_are_numbered() {
    local ids
    printf '{"ids": [16, 10, 17, 30]}\n{"ids": [18, 12, 19]}\n' >"$work/ids.jsonl"
    rm -f "$work/out.jsonl"
    wants 0 ./generate --model "$model" --prompts "$work/ids.jsonl" --out "$work/out.jsonl" --device cpu --seed 9 --max-new-tokens 10 2>"$work/generate.stderr"
    ids=$(sed -n 's/.*"ids":\(\[[0-9,]*\]\),"text".*/"token_ids":\1/p' "$work/out.jsonl")
    serve_begins build/asan/serve
    gets 200 '"object":"text_completion"' /v1/completions '{"model":"tiny","prompt":[[16,10,17,30],[18,12,19]],"seed":9,"max_tokens":10,"return_token_ids":true}'
    [ "$(grep -o '"token_ids":\[[0-9,]*\]' "$work/answer")" = "$ids" ] || failed "prompts of one request are not rows of one file"
    gets 200 '"prompt_tokens":4,"completion_tokens":10' /v1/completions '{"model":"tiny","prompt":[16,10,17,30],"seed":9,"max_tokens":10,"return_token_ids":true}'
    [ "$(grep -o '"token_ids":\[[0-9,]*\]' "$work/answer")" = "$(head -n 1 <<<"$ids")" ] || failed "one prompt is not the first row"
    # without a seed one is drawn and told
    gets 200 '"seed":' /v1/completions '{"model":"tiny","prompt":[16,10,17,30],"max_tokens":10,"return_token_ids":true}'
    ids=$(grep -o '"token_ids":\[[0-9,]*\]' "$work/answer")
    gets 200 "$ids" /v1/completions "{\"model\":\"tiny\",\"prompt\":[16,10,17,30],\"max_tokens\":10,\"return_token_ids\":true,$(grep -o '"seed":[0-9]*' "$work/answer")}"
    serve_ends
    proved "serve: prompts are numbered as rows are; a seed that nobody gave is told, and gives the answer again"
}

pieces() { sed -n 's/^data: //p' "$1"; }
content() { sed -nE 's/.*"(content|text)":"(([^"\\]|\\.)*)".*/\2/p' "$1" | tr -d '\n'; }

streams_are_the_whole_in_pieces() {
    local seed fields whole text stop
    serve_begins build/asan/serve
    for seed in $(seq 30); do
        fields="\"model\":\"tiny\",\"messages\":[{\"role\":\"user\",\"content\":\"$seed+1?\"}],\"seed\":$seed,\"max_tokens\":40"
        gets 200 '"finish_reason":"' /v1/chat/completions "{$fields}"
        whole=$(content "$work/answer")
        gets 200 'data: [DONE]' /v1/chat/completions "{$fields,\"stream\":true,\"stream_options\":{\"include_usage\":true}}"
        [ "$(content <(pieces "$work/answer"))" = "$whole" ] || failed "seed $seed: the pieces are not the whole"
        iconv -f UTF-8 -t UTF-8 "$work/answer" >/dev/null || failed "seed $seed: half a character was sent"
        [ "$(grep -c '"finish_reason":"' "$work/answer")" = 1 ] && [ "$(grep -c '"usage":' "$work/answer")" = 1 ] || failed "seed $seed: ends"
        # a stop that begins in one token and ends in another, and one that never comes whole
        text=$(grep -oE '[a-z0-9]{9}' < <(sed -E 's/\\u....|\\./ /g' <<<"$whole") | head -n 1) || continue
        stop=${text:2:6}
        fields="$fields,\"stop\":[\"$stop\",\"${text:0:7}~\"]"
        gets 200 '"finish_reason":"stop"' /v1/chat/completions "{$fields}"
        [ "$(content "$work/answer")" = "${whole%%"$stop"*}" ] || failed "seed $seed: the answer does not end before '$stop'"
        gets 200 '"finish_reason":"stop"' /v1/chat/completions "{$fields,\"stream\":true}"
        [ "$(content <(pieces "$work/answer"))" = "${whole%%"$stop"*}" ] || failed "seed $seed: the stream does not end before '$stop'"
        stops=$((${stops:-0} + 1))
    done
    [ "${stops:-0}" -gt 3 ] || failed "no answer had a text to stop at"
    gets 200 '"logprobs":{"tokens":["1","+"],"token_logprobs":[null,-' /v1/completions '{"model":"tiny","prompt":"1+","echo":true,"logprobs":2,"max_tokens":0}'
    gets 200 '"text":"1+' /v1/completions '{"model":"tiny","prompt":"1+","echo":true,"logprobs":2,"max_tokens":3,"stream":true}'
    [ "$(pieces "$work/answer" | grep -o '"token_logprobs":\[[^]]*\]' | tr ',' '\n' | grep -c '[0-9]')" = 4 ] || failed "log-probabilities of a stream"
    serve_ends
    proved "serve: a stream is the whole in pieces; stop texts across tokens; whole characters; echo"
}

# An answer's tokens after their prompt, scored: the log-probabilities that they were drawn with.
scores_are_those_of_the_draws() {
    local ids drawn scored
    serve_begins build/asan/serve --pass-tokens 40
    gets 200 '"token_ids"' /v1/completions '{"model":"tiny","prompt":[16,10,17,30],"seed":3,"max_tokens":150,"logprobs":0,"return_token_ids":true,"ignore_eos":true}'
    ids=$(sed -n 's/.*"token_ids":\[\([0-9,]*\)\],"finish_reason".*/\1/p' "$work/answer")
    drawn=$(sed -n 's/.*"token_logprobs":\[\([^]]*\)\].*/\1/p' "$work/answer")
    gets 200 '"token_logprobs":[null,' /v1/completions "{\"model\":\"tiny\",\"prompt\":[16,10,17,30,$ids],\"echo\":true,\"logprobs\":1,\"max_tokens\":0}"
    scored=$(sed -n 's/.*"token_logprobs":\[null,\([^]]*\)\].*/\1/p' "$work/answer" | cut -d, -f4-)
    [ -n "$drawn" ] && [ "$drawn" = "$scored" ] || failed "drawn with $drawn, scored $scored"
    serve_ends
    proved "serve: an answer that is scored has the log-probabilities that it was drawn with, bit for bit"
}

what_is_wrong_is_refused() {
    local chat='"model":"tiny","messages":[{"role":"user","content":"a"}]' body
    echo $secret >"$work/key"
    serve_begins build/asan/serve --api-key "$work/key" --max-body 2000 --context 128
    ! tr '\0' ' ' <"/proc/$server/cmdline" | grep -q "$secret" || failed "the key is in the command line"
    gets 200 '"status":"ok"' /health ''
    gets 401 'WWW-Authenticate: Bearer' /v1/models ''
    gets 401 '"type":"authentication_error"' /v1/chat/completions "{$chat}" -H 'Authorization: Bearer wrong'
    gets 401 '"invalid_api_key"' /metrics ''
    local key=(-H "Authorization: Bearer $secret")
    gets 200 '"id":"tiny"' /v1/models '' "${key[@]}"
    gets 200 '"id":"tiny"' /v1/models/tiny '' "${key[@]}"
    gets 404 '"model_not_found"' /v1/models/other '' "${key[@]}"
    gets 404 '"not_found"' /v1/embeddings '{}' "${key[@]}"
    gets 405 'Allow: POST' /v1/chat/completions '' "${key[@]}"
    gets 405 'Allow: GET, HEAD' /health '' -X DELETE
    type=text/plain gets 415 'application/json' /v1/completions '{}' "${key[@]}"
    gets 415 'Content-Encoding' /v1/completions '{}' "${key[@]}" -H 'Content-Encoding: gzip'
    gets 413 '"body_too_large"' /v1/completions "{\"a\":\"$(printf '%03000d' 0)\"}" "${key[@]}"
    gets 413 '"body_too_large"' /v1/completions "{\"a\":\"$(printf '%03000d' 0)\"}" "${key[@]}" -H 'Transfer-Encoding: chunked'
    gets 404 'only \"tiny\"' /v1/chat/completions '{"model":"gpt","messages":[{"role":"user","content":"a"}]}' "${key[@]}"
    gets 400 '"context_length_exceeded"' /v1/completions "{\"model\":\"tiny\",\"prompt\":\"$(printf '%0200d' 0)\"}" "${key[@]}"
    gets 400 'is id 5000' /v1/completions '{"model":"tiny","prompt":[5,5000]}' "${key[@]}"
    gets 400 '"param":"tools"' /v1/chat/completions "{$chat,\"tools\":[{\"type\":\"function\"}]}" "${key[@]}"
    gets 400 '"param":"nonsense"' /v1/chat/completions "{$chat,\"nonsense\":1}" "${key[@]}"
    for body in '' '{' '[]' 'null' '{"model":"tiny"}' "{$chat,\"n\":0}" "{$chat,\"stop\":[1]}" '{"model":"tiny","messages":[]}' $'{"model":"\xff"}'; do
        gets 400 '"type":"invalid_request_error"' /v1/chat/completions "${body:- }" "${key[@]}"
    done
    gets 200 '"finish_reason"' /v1/chat/completions "{$chat,\"user\":\"me\",\"frequency_penalty\":0.0,\"max_tokens\":2,\"tools\":null}" "${key[@]}"
    # a body with two ends, as a proxy may see another one
    exec 5<>"/dev/tcp/127.0.0.1/${url##*:}"
    printf 'POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n' >"$work/request"
    cat "$work/request" >&5                                    # whole: what came line by line might meet an answer on its way
    grep -q two_lengths <&5 || failed "two lengths of a body are taken"
    exec 5>&-
    # bytes that are no HTTP, a body that ends early, a head that never does
    local port=${url##*:} files half='POST /v1/completions HTTP/1.1\r\nContent-Length: 500\r\n\r\n{"a'
    files=$(files_open)
    for body in 'garbage\r\n\r\n' "$half" "$half" "$half" "$half" "$half" 'GET /health HTT' ''; do
        # shellcheck disable=SC2059
        (exec 5<>"/dev/tcp/127.0.0.1/$port" && printf "$body" >&5) 2>/dev/null || true
    done
    gets 200 '"status":"ok"' /health ''
    for _ in $(seq 100); do
        [ "$(files_open)" -gt "$files" ] || break
        sleep 0.05
    done
    [ "$(files_open)" -le "$files" ] || failed "$(files_open) files are open, after $files before connections that ended early"
    serve_ends
    (ulimit -n 64 && ! ./serve --model "$model" --port 0 --device cpu >"$work/said" 2>&1) || failed "more requests are promised than files may be open"
    grep -q 'ulimit -n 280 allows more' "$work/said" || failed "the limit of files is not said: $(cat "$work/said")"
    proved "serve: wrong keys, addresses, methods, bodies and fields are refused with their status; others are served after them"
}

# n long samples: they take some seconds, and are cancelled when the client goes.
long='{"model":"tiny","messages":[{"role":"user","content":"1+1?"}],"seed":1,"ignore_eos":true,"n":1000,"max_tokens":400'
long_stream() { curl -sN -m 100 -H 'Content-Type: application/json' "$@" -d "$long,\"stream\":true}" "$url/v1/chat/completions" >"$work/long" & client=$!; }
begun() {
    for _ in $(seq 500); do
        [ ! -s "$work/long" ] || break
        sleep 0.01
    done
    grep -q data: "$work/long" || failed "a long stream does not begin"
}

what_is_left_gives_its_pages_back() {
    serve_begins "$1" --requests 2
    long_stream
    begun
    [ "$(metric pages_in_use)" -gt 0 ] || failed "a running request holds no page"
    kill $client && wait $client 2>/dev/null || true
    until_metric pages_in_use 0
    curl -s -m 100 -H 'Content-Type: application/json' -d "$long}" "$url/v1/chat/completions" >"$work/whole" & client=$!
    until_metric requests_running 1
    kill $client && wait $client 2>/dev/null || true
    until_metric pages_in_use 0
    [ "$(metric requests_left_total)" = 2 ] || failed "who left is not counted"

    # two fill it
    long_stream && first=$client
    begun
    curl -sN -m 100 -H 'Content-Type: application/json' -d "$long}" "$url/v1/chat/completions" >"$work/whole" & client=$!
    until_metric requests_running 2
    gets 429 'Retry-After: 1' /v1/chat/completions "$long}"
    kill $client $first && wait $client $first 2>/dev/null || true
    until_metric requests_running 0
    gets 200 '"finish_reason"' /v1/chat/completions '{"model":"tiny","messages":[{"role":"user","content":"a"}],"max_tokens":2}'

    # a reader who reads nothing for long is cut off
    long="${long/\"n\":1000/\"n\":300,\"logprobs\":true,\"top_logprobs\":20}" long_stream --limit-rate 1k
    until_metric requests_cut_total 1
    until_metric pages_in_use 0
    kill $client 2>/dev/null && wait $client 2>/dev/null || true
    serve_ends
    proved "serve: what a client leaves, or reads too slowly, gives its pages back; more than --requests are told to come again ($1)"
}

time_is_limited() {
    serve_begins ./serve --timeout 0.3
    gets 504 '"code":"timeout"' /v1/chat/completions "$long}"
    gets 200 '"code":"timeout"' /v1/chat/completions "$long,\"stream\":true}"
    until_metric pages_in_use 0
    serve_ends
    proved "serve: a request that takes longer than --timeout is given up"
}

it_drains() {
    local status=0
    serve_begins "$1" --threads 1
    curl -s -m 100 -H 'Content-Type: application/json' -d "${long/1000/60}}" "$url/v1/chat/completions" >"$work/whole" & client=$!
    until_metric requests_running 1
    kill -TERM $server
    for _ in $(seq 100); do
        ask /health ''
        [ "$status" != 503 ] || break
    done
    [ "$status" = 503 ] || failed "a server that drains says status $status"
    gets 503 '"code":"draining"' /v1/chat/completions "$long}"
    wait $client || failed "what ran when the signal came got no answer"
    [ "$(grep -o '"finish_reason":"length"' "$work/whole" | wc -l)" = 60 ] || failed "what ran when the signal came is not whole"
    wait $server && status=0 || status=$?
    sane
    [ "$status" = 0 ] || failed "exit status $status"

    serve_begins "$1" --drain 0.2
    curl -s -m 100 -o "$work/whole" -w '%{http_code}' -H 'Content-Type: application/json' -d "$long}" "$url/v1/chat/completions" >"$work/status" & client=$!
    until_metric requests_running 1
    kill -TERM $server
    wait $server && status=0 || status=$?
    sane
    [ "$status" = 0 ] || failed "exit status $status after --drain"
    wait $client || true
    [ "$(cat "$work/status")" = 503 ] || failed "what did not end in time got status $(cat "$work/status")"
    proved "serve: SIGTERM: what runs is answered, new requests are refused, exit status 0; so with --drain ($1)"
}

# Requests that begin alike, as worked examples or a chat's turns do: found pages are counted, and answers are ./generate's, which computes
# each of these prompts for the first time; so when pages are few and go again.
beginnings_are_found() {
    local ids prompt answer
    prompt=$(seq -s, 300)
    printf '{"ids": [%s]}\n' "$prompt" >"$work/ids.jsonl"
    rm -f "$work/out.jsonl"
    wants 0 ./generate --model "$model" --prompts "$work/ids.jsonl" --out "$work/out.jsonl" --device cpu --seed 4 --max-new-tokens 100 --ignore-eos 2>"$work/generate.stderr"
    ids=$(sed -n 's/.*"ids":\(\[[0-9,]*\]\),"text".*/"token_ids":\1/p' "$work/out.jsonl")
    serve_begins build/asan/serve --sequences 5 --pass-tokens 40
    local fields='"model":"tiny","seed":4,"ignore_eos":true,"return_token_ids":true,"max_tokens"'
    gets 200 '"prompt_tokens_details":{"cached_tokens":0}}' /v1/completions "{$fields:100,\"prompt\":[$prompt]}"
    [ "$(grep -o '"token_ids":\[[0-9,]*\]' "$work/answer")" = "$ids" ] || failed "what is computed is not ./generate's"
    gets 200 '"prompt_tokens_details":{"cached_tokens":256}}' /v1/completions "{$fields:100,\"prompt\":[$prompt]}"
    [ "$(grep -o '"token_ids":\[[0-9,]*\]' "$work/answer")" = "$ids" ] || failed "what is found gives another answer"
    [ "$(metric prompt_tokens_found_total)" = 256 ] && [ "$(metric pages_cached)" = 3 ] && [ "$(metric pages_in_use)" = 0 ] || failed "found pages are not counted"
    # a next turn; several samples, scores, a stream: each has the log-probabilities that it has when all is computed
    answer=$(sed 's/.*\[\(.*\)\]/\1/' <<<"$ids")
    gets 200 '"prompt_tokens_details":{"cached_tokens":384}}' /v1/completions "{$fields:5,\"prompt\":[$prompt,$answer]}"
    gets 200 '"prompt_tokens_details":{"cached_tokens":0}}' /v1/completions "{$fields:1,\"prompt\":[$prompt,$answer],\"echo\":true,\"logprobs\":0}"
    grep -o '"token_logprobs":\[[^]]*\]' "$work/answer" >"$work/scored"
    gets 200 '"prompt_tokens_details":{"cached_tokens":384}}' /v1/completions "{$fields:1,\"prompt\":[$prompt,$answer],\"n\":3,\"stream\":true,\"stream_options\":{\"include_usage\":true}}"
    serve_ends
    serve_begins build/asan/serve
    gets 200 '"prompt_tokens_details":{"cached_tokens":0}}' /v1/completions "{$fields:1,\"prompt\":[$prompt,$answer],\"echo\":true,\"logprobs\":0}"
    grep -o '"token_logprobs":\[[^]]*\]' "$work/answer" | cmp - "$work/scored" || failed "a scored prompt has other scores behind pages that are there"
    serve_ends
    # few pages
    for row in $(seq $rows); do
        printf '{"messages":[{"role":"system","content":"%s%s"},{"role":"user","content":"%s+4?"}]}\n' $((row % 8)) "$(seq -s ' ' 60)" "$row" >>"$work/alike.jsonl"
    done
    mv "$work/prompts.jsonl" "$work/other.jsonl" && mv "$work/alike.jsonl" "$work/prompts.jsonl"
    serve_begins build/asan/serve --cache 300000
    times=2
    answers_are_generates "alike, few pages" '"seed":5,"max_tokens":24' --seed 5 --max-new-tokens 24
    [ "$(metric prompt_tokens_found_total)" -gt 0 ] && [ "$(metric page_evictions_total)" -gt 0 ] || failed "no page was found, or none went"
    until_metric pages_in_use 0
    serve_ends
    mv "$work/other.jsonl" "$work/prompts.jsonl"
    proved "serve: pages of prompts that begin alike are found, counted, and change no answer"
}

# Many at once, while others go away or send what is wrong.
many_at_once() {
    local i
    times=$([ "$mode" = long ] && echo 40 || echo 8)
    serve_begins ./serve
    for i in $(seq 40); do
        curl -sN -m "0.0$((1 + i % 9))" -H 'Content-Type: application/json' -d "${long/1000/8},\"stream\":true}" "$url/v1/chat/completions" >/dev/null || true
        curl -s -m 5 -H 'Content-Type: application/json' -d '{"model":"tiny","mess' "$url/v1/chat/completions" >/dev/null || true
    done &
    others=$!
    answers_are_generates "among cancellations" '"seed":5,"max_tokens":24' --seed 5 --max-new-tokens 24
    wait $others 2>/dev/null || true # of a long run's processes another one may have had its number
    until_metric pages_in_use 0
    serve_ends
}

# The page at / needs no key, since it has nothing of the model, and may do nothing but ask this server. Where there is node, its script
# runs against the server without a browser.
a_page_to_chat_in() {
    local nonce page="node test/support/serve_dom.js"
    echo $secret >"$work/key"
    serve_begins build/asan/serve --api-key "$work/key" --context 200
    gets 200 'text/html; charset=utf-8' / ''
    gets 200 "default-src 'none'; script-src 'nonce-" / ''
    for header in 'X-Content-Type-Options: nosniff' 'Referrer-Policy: no-referrer' "frame-ancestors 'none'" "base-uri 'none'" "form-action 'none'"; do
        grep -qF "$header" "$work/headers" || failed "the page has no $header"
    done
    ! grep -i '^content-security-policy' "$work/headers" | grep -q unsafe || failed "the page's policy lets unsafe things through"
    nonce=$(sed -nE "s/.*script-src 'nonce-([0-9a-f]{32})'.*/\1/p" "$work/headers")
    [ "$(grep -c "<script nonce=\"$nonce\">\|<style nonce=\"$nonce\">" "$work/answer")" = 2 ] || failed "the page's script and style are not those that its policy names"
    [ "$(grep -ciE 'https?://|src=|innerHTML|outerHTML|insertAdjacent|document\.write|eval\(| on[a-z]+="' "$work/answer")" = 0 ] || failed "the page reaches out, or sets markup"
    ! grep -qF "$secret" "$work/answer" && ! grep -qF tiny "$work/answer" || failed "the page tells what only the key opens"
    gets 200 'nonce' / '' -I
    [ "$(sed -nE "s/.*script-src 'nonce-([0-9a-f]{32})'.*/\1/p" "$work/headers")" != "$nonce" ] || failed "the same name for every page's scripts"
    gets 405 'Allow: GET, HEAD' / '{}'
    if ! node --version >"$work/stdout" 2>&1 || [ "$(sed -E 's/^v([0-9]+).*/\1/' "$work/stdout")" -lt 18 ]; then
        skipped "the script of the page of ./serve: node (18 or newer) is not here"
        serve_ends
        return
    fi
    printf '%s\n' 'set seed 5' 'set most 12' 'set system Be brief, ü.' 'set question 1+1?' enter shown "set key $secret" enter shown 'set tokens true' tokens \
        'set tokens false' 'set most 3' 'set question and 3*4?' enter shown 'set most 0' 'set question x' enter shown 'click undo' shown 'click new' shown |
        $page "$url/" >"$work/said" 2>"$work/stderr.page" || failed "the page fails: $(cat "$work/stderr.page")"
    gets 200 '"content"' /v1/chat/completions '{"model":"tiny","messages":[{"role":"system","content":"Be brief, ü."},{"role":"user","content":"1+1?"}],"seed":5,
        "max_tokens":12,"temperature":1,"logprobs":true}' -H "Authorization: Bearer $secret"
    node - "$work/said" "$work/answer" <<'END' 2>"$work/stderr.page" || failed "the page shows something else: $(cat "$work/stderr.page") $(cat "$work/said")"
const fs = require('fs'), assert = require('assert'), [said, answer] = process.argv.slice(2).map(name => fs.readFileSync(name, 'utf8'));
const lines = said.trim().split('\n').map(line => JSON.parse(line)), choice = JSON.parse(answer).choices[0];
const visible = text => text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    c => '\\u{' + c.codePointAt(0).toString(16).toUpperCase().padStart(4, '0') + '}');
const [refused, first, tokens, second, none, undone, anew] = lines.filter(line => line !== 'ok');
assert(!refused.key_hidden && refused.turns.length === 0 && refused.question === '1+1?' && /API key/.test(refused.status)); // nothing is lost
assert.deepEqual(first.turns.map(t => t.slice(0, 2)), [['turn user', '1+1?'], ['turn assistant', visible(choice.message.content)]]);
assert(first.model === 'tiny' && /tokens in .* seed 5/.test(first.status) && first.disabled.join() === 'stop');
assert.equal(tokens.length, choice.logprobs.content.length);
tokens.forEach((t, i) => assert(t[2].startsWith('log-probability ' + choice.logprobs.content[i].logprob + ',') && /^token p[0-3]$/.test(t[1])));
assert(second.turns.length === 4 && second.turns[2][1] === 'and 3*4?' && (second.turns[3][2] === '' || second.turns[3][2].startsWith('(cut off')));
assert(none.turns.length === 4 && none.question === 'x' && /max_tokens/.test(none.status)); // refused, and told why
assert(undone.turns.length === 2 && undone.question === 'and 3*4?' && anew.turns.length === 0);
END
    serve_ends
    # stopped: what came stays and is marked, and its pages are free
    serve_begins build/asan/serve --threads 1
    for n in $(seq 20); do                                     # an answer may be over before
        printf '%s\n' "set seed $n" 'set question 1+1?' begun 'click stop' shown | $page "$url/" >"$work/said" 2>"$work/stderr.page" || failed "the page fails: $(cat "$work/stderr.page")"
        ! grep -q '"(stopped)"\]' "$work/said" || break
    done
    grep -q '"turn assistant","..*","(stopped)"\]' "$work/said" || failed "an answer that was stopped: $(cat "$work/said")"
    until_metric pages_in_use 0
    serve_ends
    proved "serve: a page to chat in: strict policy, texts as texts, a key that it asks for, answers of the API, their tokens, stopping"
}

drawn_alike
prompts_are_numbered
streams_are_the_whole_in_pieces
scores_are_those_of_the_draws
what_is_wrong_is_refused
what_is_left_gives_its_pages_back ./serve
time_is_limited
it_drains build/asan/serve
a_page_to_chat_in
beginnings_are_found
many_at_once
