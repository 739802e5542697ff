#!/usr/bin/env bash
# --watch: a page of a run while it works, for whoever has its address; events come as the log grows; a port that is taken is told before
# anything is done; clients that are silent do not hold up the end; the run's bits are the same; rank 0 alone has a page.
. "$(dirname "$0")/common.bash"
tiny_recipe

# The address that a program has told in FILE, waited for.
address_in() {
    for _ in $(seq 1000); do
        url=$(sed -nE 's/.*watch it at (http:[^ ]*)$/\1/p' "$1")
        [ -z "$url" ] || return 0
        sleep 0.01
    done
    failed "no address is told in $1"
}
status_of() { curl -s -m 10 -o "$work/answer" -w '%{http_code}' "$@" || true; }

wants 0 train "$work/calm"
train_in_background "$work/run" --watch 0 --epochs 400
address_in "$work/stderr"
curl -sN -m 60 "${url}events" >"$work/events" 3>&- &
listener=$!
[ "$(status_of "$url")" = 200 ] && grep -q "new EventSource" "$work/answer" || failed "there is no page at $url"
[ "$(status_of "${url%/*/}/00000000000000000000000000000000/")" = 404 ] || failed "another token is let in"
[ "$(status_of "${url%/*/}/")" = 404 ] || failed "no token is let in"
[ "$(status_of -X POST -d x "$url")" = 405 ] || failed "a POST is not refused"
case $url in http://127.0.0.1:*) ;; *) failed "it listens at $url" ;; esac
proved "the page is at its address, and nowhere else"

port=${url#http://*:}
port=${port%%/*}
wants 1 ./train_sft "${recipe[@]}" --out "$work/second" --watch "$port" >"$work/stdout" 2>"$work/told"
grep -qF "train_sft: --watch $port: another program listens there; give another port, or 0 for a free one" "$work/told" ||
    failed "a port that is taken: $(cat "$work/told")"
[ ! -e "$work/second" ] || failed "work began although its port is taken"
proved "a port that is taken is told before work begins"

exec 4<>"/dev/tcp/127.0.0.1/$port"                             # says nothing
exec 5<>"/dev/tcp/127.0.0.1/$port"                             # asks, and reads nothing
printf 'GET %s HTTP/1.1\r\nHost: h\r\n\r\n' "/${url#http://*/}events" >&5
for _ in $(seq 1000); do
    ! grep -q '"step": 20,' "$work/events" || break
    sleep 0.02
done
grep -q '^data: {"step": 20, "loss": ' "$work/events" || failed "no event of step 20: $(head -c 300 "$work/events")"
kill -TERM "$trainer"
status=0
for _ in $(seq 600); do # no measure: a client that does not listen would hold it up for ever
    kill -0 "$trainer" 2>/dev/null || break
    sleep 0.1
done
! kill -9 "$trainer" 2>/dev/null || failed "silent clients hold up the end"
wait "$trainer" || status=$?
[ $status = 75 ] || failed "exit status $status after SIGTERM"
wait $listener || true
exec 4>&- 5>&-
tail -n 3 "$work/events" | grep -qx 'data: "stopped; the same command goes on"' || failed "the page is not told of the end"
proved "events come while it trains, its end is told, and silent clients do not hold it up"

wants 0 train "$work/watched" --watch 0
same_run "$work/calm" "$work/watched" "a run that is watched has the same bits"
[ "$(wc -l <"$work/watched/starts.jsonl")" = 1 ] && grep -q '"version":.*"device":.*"memory":' "$work/watched/starts.jsonl" ||
    failed "starts.jsonl: $(cat "$work/watched/starts.jsonl")"
wants 0 train "$work/watched"
[ "$(wc -l <"$work/watched/starts.jsonl")" = 1 ] || failed "nothing begins in a run that is finished"
rm -rf "$work/watched/model" "$work/watched/checkpoints/$(ls "$work/watched/checkpoints" | grep step- | sort -t- -k2 -n | tail -n 1)"
wants 0 train "$work/watched"
[ "$(wc -l <"$work/watched/starts.jsonl")" = 2 ] || failed "a start too few: $(cat "$work/watched/starts.jsonl")"
proved "each process that begins or resumes a run leaves a line of what it was"

train "$work/ranks" --watch 0 --ranks 2
[ "$(grep -c 'watch it at' "$work/stderr")" = 1 ] || failed "two ranks told: $(cat "$work/stderr")"
proved "of several ranks one has a page"

head -n 4 "$work/train.jsonl" >"$work/prompts.jsonl"
ask=(./generate --model "$work/calm" --prompts "$work/prompts.jsonl" --max-new-tokens 8 --device cpu --threads 1)
"${ask[@]}" --out "$work/calm.jsonl" >"$work/stdout" 2>"$work/stderr"
"${ask[@]}" --out "$work/watched.jsonl" --watch 0 >"$work/stdout" 2>"$work/stderr"
grep -q 'watch it at' "$work/stderr" && cmp "$work/calm.jsonl" "$work/watched.jsonl" || failed "generate --watch"
wants 2 ./generate --model "$work/calm" --chat --watch 0 >"$work/stdout" 2>"$work/stderr"
says "--chat is in the terminal; drop --watch"
wants 2 ./train_sft "${recipe[@]}" --out "$work/second" --watch-host 127.0.0.1 >"$work/stdout" 2>"$work/stderr"
says "--watch-host: there is no page; give --watch PORT, too"
proved "generate is watched, too; an address without a page is refused"

wants 0 ./score --model "$work/calm" --data "$work/train.jsonl" --out "$work/scored.jsonl" --device cpu --watch 0 >"$work/stdout" 2>"$work/stderr"
grep -q 'watch it at' "$work/stderr" || failed "score --watch"
sed 's/"problem"/"question"/' "$work/train.jsonl" >"$work/questions.jsonl"
./evaluate --tasks gsm8k --data gsm8k="$work/questions.jsonl" --model "$work/calm" --device cpu --max-new-tokens 200 --out "$work/evaluated" \
    --watch 0 >"$work/stdout" 2>"$work/stderr" &
address_in "$work/stderr"
curl -sN -m 60 "${url}events" >"$work/events" 3>&- &
wait || true
grep -q '^event: scores' "$work/events" && grep -q '^data: .*"gsm8k"' "$work/events" || failed "no scores come: $(head -c 300 "$work/events")"
grep -q '^data: "done"' "$work/events" || failed "evaluate's page is not told of the end"
./prepare --tokenizer dev/demo/tokenizer --template chatml --tau 1 --out "$work/data" "$work/train.jsonl" >"$work/stdout" 2>"$work/stderr"
wants 0 ./train_rl --model "$work/calm" --template chatml --data "$work/data/rl" --out "$work/rl" --steps 1 --prompts-per-step 2 --prompts-per-update 2 \
    --samples-per-prompt 2 --max-prompt-tokens 96 --max-new-tokens 8 --overlong-buffer 4 --slots 1 --device cpu --watch 0 >"$work/stdout" 2>"$work/stderr"
grep -q 'watch it at' "$work/stderr" && [ -e "$work/rl/model" ] || failed "train_rl --watch"
proved "score, evaluate, whose scores come in the end, and train_rl have a page, too"
