#!/usr/bin/env bash
# The pages of ours in a real browser, where there are Chromium and node: build/report's, ./evaluate's, the live one of --watch and the chat
# of ./serve draw what they are for, wide and narrow, light and dark, and leave no error on the console.
. "$(dirname "$0")/common.bash"
for chromium in chromium chromium-browser google-chrome chrome none; do
    [ $chromium = none ] || ! command -v $chromium >/dev/null || break
done
if [ $chromium = none ] || ! node --version >"$work/stdout" 2>&1; then
    skipped "pages in a browser: chromium or node is not here"
    exit
fi
looks=("390 dark")
[ "$mode" = short ] || looks+=("1280 light" "1280 dark" "390 light" "320 light")

coproc browser { node test/support/browser.js $chromium "$work/profile" 2>"$work/console"; }
browsing=$browser_PID # bash forgets its own when it has ended
page() { # COMMAND: its answer is in $answer
    echo "$*" >&"${browser[1]}"
    read -r answer <&"${browser[0]}" || failed "$looked: $(cat "$work/console")"
}
is_true() { # what is said if it is not, EXPRESSION
    page "value $2"
    [ "$answer" = true ] || failed "$looked: $1"
}
look() { # SIZE AND SCHEME, URL
    looked="$2, $1"
    page "open $1 $2"
}
# All of it is seen without scrolling aside, in the colours that were asked for, and nothing went wrong.
fits() {
    is_true "wider than the window" 'document.documentElement.scrollWidth <= innerWidth'
    page 'value getComputedStyle(document.body).backgroundColor.match(/\d+/g).every(c => Number(c) < 100) ? "dark" : "light"'
    [ "$answer" = "\"${1#* }\"" ] || failed "$looked: it is $answer"
    page quiet
}
drawn='document.querySelectorAll("#curves path.curve").length > 1 && [...document.querySelectorAll("#curves path.curve")].some(c => c.getTotalLength() > 50)'
coloured='[...document.querySelectorAll("#curves path.curve")].every(c => getComputedStyle(c).stroke !== "none")'

tiny_recipe
wants 0 train "$work/sft" --epochs 1 --save-every 100 --eval-every 100
hard_problems
wants 0 ./train_rl --model "$work/sft" "${rules[@]}" --data "$work/data/rl" --out "$work/rl" --steps 3 --prompts-per-step 2 --prompts-per-update 2 \
    --overlong-buffer 0 >"$work/stdout" 2>"$work/stderr"
awk 'BEGIN { for (i = 1; i <= 12; i++) printf "{\"question\": \"<b>%d</b>?\", \"answer\": \"#### %d\"}\n", i, i }' >"$work/gsm8k.jsonl"
wants 0 ./evaluate --model "$work/sft" --device cpu --tasks gsm8k --data gsm8k="$work/gsm8k.jsonl" --max-new-tokens 12 --out "$work/bench" \
    >"$work/stdout" 2>"$work/stderr"

a_report_is_drawn() {
    local size
    wants 0 build/report "$work/rl" >"$work/stdout" 2>"$work/stderr"
    for size in "${looks[@]}"; do
        look "$size" "file://$work/rl/report.html"
        page "until $drawn"
        is_true "curves without a colour" "$coloured"
        page 'until document.querySelectorAll("#list > details").length >= 8'
        page 'value document.querySelector("#list summary").click()'
        page 'until document.querySelector("#list details[open] .body pre").textContent.includes("<|im_start|>user")'
        fits "$size"
    done
    proved "the report of a run: curves, responses that open, nothing on the console"
}

an_evaluation_is_read() {
    local size
    for size in "${looks[@]}"; do
        look "$size" "file://$work/bench/page.html"
        page 'until document.querySelectorAll("#list > details").length === 12'
        page 'value document.querySelector("#list summary").click()'
        page 'until document.querySelector("#list details[open]").textContent.includes("<b>1</b>?")'
        fits "$size"
    done
    proved "the page of an evaluation: responses that open, texts that are texts, nothing on the console"
}

work_is_watched() {
    local size url before status=0
    train_in_background "$work/watched" --watch 0 --epochs 100000 --save-every 0
    wait_for_step "$work/watched" 20
    url=$(sed -nE 's/.*watch it at (http:[^ ]*)$/\1/p' "$work/stderr")
    for size in "${looks[@]}"; do
        look "$size" "$url"
        page "until $drawn"
        is_true "curves without a colour" "$coloured"
        page 'value Number(/step (\d+)/.exec(document.getElementById("facts").textContent)[1])'
        before=$answer
        page "until Number(/step (\\d+)/.exec(document.getElementById('facts').textContent)[1]) > $before"
        is_true "it does not say that work goes on" 'document.getElementById("state").textContent === "● train_sft is at work"'
        fits "$size"
    done
    kill -TERM "$trainer"
    page 'until document.getElementById("state").textContent.includes("has ended: stopped")'
    wait "$trainer" || status=$?
    [ $status = 75 ] || failed "exit status $status after SIGTERM"
    page quiet
    proved "the live page of --watch: curves that grow, its end is told, nothing on the console"
}

a_chat_is_held() {
    local size
    model=$work/sft
    serve_begins ./serve
    for size in "${looks[@]}"; do
        look "$size" "$url/"
        page 'until document.getElementById("model").textContent === "tiny"'
        page 'value document.getElementById("most").value = 12, document.getElementById("question").value = "<b>1</b>+1?", document.getElementById("send").click()'
        page 'until document.querySelectorAll(".turn.assistant").length === 1 && document.getElementById("stop").disabled'
        page 'until /tokens in .* seed/.test(document.getElementById("status").textContent)'
        is_true "the question is another text" 'document.querySelector(".turn.user pre").textContent === "<b>1</b>+1?"'
        page 'value document.getElementById("tokens").click()'
        page 'until document.querySelectorAll(".turn.assistant .token").length >= 1'
        fits "$size"
    done
    serve_ends
    proved "the chat of ./serve: a question, its answer by tokens, nothing on the console"
}

a_report_is_drawn
an_evaluation_is_read
work_is_watched
a_chat_is_held
exec {browser[1]}>&-
wait $browsing
