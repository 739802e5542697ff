#!/usr/bin/env bash
# ./prepare as a user meets it: bad files and bad rows are one line of error with file, line and column; a full disk, a signal or a kill
# leaves what was there; stdin, maps and splits do what they say; --inspect shows it, harmlessly. The stages are tested in test/unit.
. "$(dirname "$0")/common.bash"
program=build/asan/prepare
[ -x $program ] || failed "$program is not built"
out=$work/out
disk=$work/disk
good='{"problem": "1+1?", "solution": "two", "answer": "2", "difficulty": 2}'
hard='{"problem": "2+2?", "answer": "4", "difficulty": 5}'
printf '%s\n%s\n' "$good" "$hard" >"$work/good.jsonl"

prepares() { $program --tokenizer dev/demo/tokenizer --template chatml --threads 2 --out "$out" "$@"; }

# STATUS, saying..., --, command: one line of error that says all of it, and nothing at --out or beside it.
refused() {
    local wanted=$1 status=0 sayings=() saying
    shift
    while [ "$1" != -- ]; do
        sayings+=("$1")
        shift
    done
    shift
    "$@" >"$work/stdout" 2>"$work/stderr" </dev/null || status=$?
    ! grep -qE 'Sanitizer|runtime error' "$work/stderr" || failed "the sanitizers complain: $*"
    [ "$status" = "$wanted" ] || failed "exit status $status instead of $wanted (${sayings[0]}): $*"
    [ "$(wc -l <"$work/stderr")" = 1 ] && grep -q '^prepare: ' "$work/stderr" || failed "not one line of error: $*"
    ! LC_ALL=C grep -q $'[\x01-\x09\x0b-\x1f\x7f]' "$work/stderr" || failed "the error holds control characters: $*"
    for saying in "${sayings[@]}"; do
        says "$saying"
    done
    [ -z "$(ls -d "$out"* 2>/dev/null)" ] || failed "something was left at --out: $(ls -d "$out"*)"
    count=$((count + 1))
}
count=0
group() {
    proved "$1: $count cases"
    count=0
}

file() { printf "$1" >"$work/bad.jsonl"; }                      # content as printf has it
row() { file "$1"; shift; refused 1 "$work/bad.jsonl" "$@" -- prepares "$work/bad.jsonl"; }

bad_files() {
    row 'PAR1....' "dev/parquet_to_jsonl.py"
    row '\x1f\x8b\x08' "zcat"
    row '\x28\xb5\x2f\xfd' "zstdcat"
    row '[{"problem": "a"}]\n' "jq -c '.[]'"
    row '\xff\xfe{\x00' "iconv"
    row '' "there is no row in it"
    refused 1 "$work/gone.jsonl" "No such file" -- prepares "$work/gone.jsonl"
    mkdir -p "$work/empty"
    refused 1 "$work/empty" "*.jsonl" -- prepares "$work/empty"
    refused 1 "/dev/zero" "pipe" -- prepares /dev/zero
    refused 2 "--out is missing" -- $program "$work/good.jsonl"
    refused 2 "did you mean --missing-difficulty" -- prepares --missing-dificulty 2 "$work/good.jsonl"
    refused 2 "none were given" -- prepares
    refused 2 "field=name" -- prepares --map difficulty "$work/good.jsonl"
    refused 1 "there is no tokenizer" -- $program --out "$out" "$work/good.jsonl"
    refused 1 "no.json" "No such file" -- prepares --decontaminate "$work/no.jsonl" -- "$work/good.jsonl"
    group "files that are no JSONL, and options at odds"
}

bad_rows() {
    row "$good\n{\"problem\": }\n" ":2:13: not valid JSON"
    row "$good\n$good\n{\"problem\": \"\xff\"}\n" ":3:" "0xff"
    row '{"problem": "a\0b", "solution": "c"}\n' ":1:"
    row '{"problem": "a", "solution": "\\ud800"}\n' ":1:"
    row '{"problem": "a", "prompt": "b"}\n' ":1:" "both"
    row '{"a": 1}\n' ":1:" "no known row format"
    file '{"problem": "a", "solution": "b", "grade": 2}\n'
    refused 1 "$work/bad.jsonl:1" "no \"difficulty\"" -- prepares --tau 3 --map difficulty=level "$work/bad.jsonl"
    file '{"problem": "a", "solution": "b", "difficulty": "PhD"}\n'
    refused 1 "$work/bad.jsonl:1" "not one of 1 to 5" "--missing-difficulty" -- prepares --tau 3 "$work/bad.jsonl"
    file "nonsense\n$good\nmore\n"
    refused 1 "$work/bad.jsonl:3:4" "1 bad rows were skipped" -- prepares --skip-bad-rows 1 "$work/bad.jsonl"
    wants 0 prepares --skip-bad-rows 2 "$work/bad.jsonl" >"$work/stdout"
    grep -q 'dropped: 2 are bad' "$work/stdout" || failed "passed-over rows are not counted"
    rm -rf "$out"
    head -c 100000000 /dev/zero | tr '\0' x >"$work/long.jsonl"
    refused 1 "$work/long.jsonl:1: a line of more than 67108864 bytes" -- prepares "$work/long.jsonl"
    { cat "$work/long.jsonl"; echo; echo "$good"; } >"$work/longer.jsonl"
    wants 0 prepares --skip-bad-rows 1 "$work/longer.jsonl" >"$work/stdout"
    rm -rf "$out" "$work/long.jsonl" "$work/longer.jsonl"
    group "rows that are broken, ambiguous, without a difficulty, or 100 MB long"
}

count_of() { tr -d ' \n' <"$out/split.json" | grep -o "\"$1\":{[^}]*" | head -n 1 | grep -o "\"$2\":[0-9]*" | cut -d : -f 2; }

stdin_maps_and_splits() {
    local a b
    wants 0 prepares --tau 3 "$work/good.jsonl" >"$work/stdout"
    a=$(fingerprint "$out/sft")
    rm -rf "$out"
    sed 's/"difficulty"/"level"/' "$work/good.jsonl" | wants 0 prepares --tau 3 --map difficulty=level - >"$work/stdout"
    b=$(fingerprint "$out/sft")
    [ "$(count_of sft count)/$(count_of rl count)" = 1/1 ] || failed "split.json says $(cat "$out/split.json")"
    [ "$a" != "$b" ] || failed "rows from the standard input should name another source"
    rm -rf "$out"
    sed 's/, "difficulty": [25]//' "$work/good.jsonl" >"$work/none.jsonl"
    wants 0 prepares --tau 3 "$work/good.jsonl" --missing-difficulty 4 "$work/none.jsonl" >"$work/stdout"
    grep -q 'stood in for 2 rows' "$work/stdout" || failed "--missing-difficulty is not counted"
    [ "$(count_of dropped repeated)" = 2 ] || failed "the same rows with another difficulty: $(cat "$out/split.json")"
    rm -rf "$out"
    wants 0 prepares --tau 3 "$work/good.jsonl" "$work/good.jsonl" >"$work/stdout"
    [ "$(count_of dropped duplicate)" = 2 ] || failed "the same rows again are duplicates: $(cat "$out/split.json")"
    rm -rf "$out"
    wants 0 prepares --tau 3 --keep-duplicates "$work/good.jsonl" "$work/good.jsonl" >"$work/stdout"
    [ "$(count_of sft count)/$(count_of rl count)" = 2/2 ] || failed "--keep-duplicates keeps $(cat "$out/split.json")"
    rm -rf "$out"
    wants 0 prepares --tau 3 --split both "$work/good.jsonl" >"$work/stdout"
    [ "$(count_of sft count)/$(count_of rl count)" = 2/2 ] || failed "--split both: $(cat "$out/split.json")"
    grep -qE '^  all +2 +0 +0 +1 +1 +0$' "$work/stdout" || failed "a row of both stages is not counted once: $(cat "$work/stdout")"
    rm -rf "$out"
    wants 0 prepares --tau 3 --split inverted "$work/good.jsonl" >"$work/stdout"
    [ "$(count_of sft count)/$(count_of rl count)" = 1/1 ] || failed "--split inverted: $(cat "$out/split.json")"
    rm -rf "$out"
    refused 2 "--split inverted needs --tau" -- prepares --split inverted "$work/good.jsonl"
    refused 1 "--map source=nothing: no row" -- prepares --map source=nothing "$work/good.jsonl"
    refused 1 "$work/none.jsonl:1" "difficulty" -- prepares --tau 3 "$work/none.jsonl" --missing-difficulty 4 "$work/good.jsonl"
    proved "the standard input, and maps and stand-ins for the files after them"
}

# What an error or the report advises is what works.
advice_works() {
    local both='{"problem": "p", "solution": "s", "messages": [{"role": "user", "content": "m"}, {"role": "assistant", "content": "n"}]}'
    row "$both\n" "--format chat or --format problem says which"
    wants 0 prepares --format chat "$work/bad.jsonl" >"$work/stdout"
    grep -q '1 rows, chat' "$work/stdout" || failed "--format chat reads $(cat "$work/stdout")"
    rm -rf "$out"
    wants 0 prepares --map _problem=problem "$work/bad.jsonl" >"$work/stdout"
    rm -rf "$out"
    row '{"prompt": "p", "completion": "c", "tools": [{"name": "f"}]}\n' "--map _tools=tools leaves it out"
    wants 0 prepares --map _tools=tools "$work/bad.jsonl" >"$work/stdout"
    rm -rf "$out"
    file '{"problem": "p", "rationale": "r"}\n'
    wants 0 prepares "$work/bad.jsonl" >"$work/stdout"
    grep -q '"rationale"; --map solution=rationale' "$work/stdout" || failed "the report does not name what may be the response"
    rm -rf "$out"
    wants 0 prepares --map solution=rationale "$work/bad.jsonl" >"$work/stdout"
    [ "$(count_of sft records)" = 1 ] || failed "--map solution=rationale trains nothing"
    rm -rf "$out"
    printf 'problem,solution\n"1, or 2?",one\n' >"$work/table.csv"
    refused 1 "a table of values (CSV)" -- prepares "$work/table.csv"
    if command -v python3 >/dev/null; then
        sed 's/^[^;]*; //' "$work/stderr" | (cd "$work" && bash)
        wants 0 prepares "$work/rows.jsonl" >"$work/stdout"
        rm -rf "$out"
    fi
    file '{"problem": "p", "solution": "s"}\n'
    refused 1 "there is no tokenizer" -- $program --skip-bad-rows 9 --out "$out" "$work/bad.jsonl"
    ! grep -q skip-bad-rows "$work/stderr" || failed "--skip-bad-rows is offered where no row is at fault"
    group "what is advised works"
}

values_keep_their_spelling() {
    local answer
    for answer in 0.7 1.10 -0.0 1e5 2E-3 123456789012345678901234 1e400 '[0.1,{"a":1.50}]'; do
        printf '{"problem": "q?", "answer": %s, "seen": [0.3, 18446744073709551616], "difficulty": 5}\n' "$answer" >"$work/spelled.jsonl"
        wants 0 prepares --tau 3 "$work/spelled.jsonl" >"$work/stdout"
        grep -qaFe "$answer{\"problem\":\"q?\",\"answer\":$answer,\"seen\":[0.3,18446744073709551616]," "$out/rl/shard-00000-of-00001.bin" ||
            failed "the answer $answer is spelled otherwise in the shard"
        wants 0 prepares --tau 3 --split sft-only "$work/spelled.jsonl" >"$work/stdout"
        grep -qF "\"answer\":$answer," "$out/sft/prompts.jsonl" || failed "the answer $answer is spelled otherwise: $(cat "$out/sft/prompts.jsonl")"
        rm -rf "$out"
    done
    file '{"problem": "q?", "solution": "s", "score": NaN}\n{"problem": "r?", "score": -Infinity}\n'
    wants 0 prepares "$work/bad.jsonl" >"$work/stdout"
    grep -q 'NaN or Infinity, which are not JSON, in 2 rows' "$work/stdout" && grep -q '"score":null' "$out/sft/prompts.jsonl" ||
        failed "NaN is not counted, or is written: $(cat "$work/stdout")"
    rm -rf "$out"
    row '{"problem": "q?", "answer": NaN}\n' ":1:" 'holds NaN'
    proved "numbers keep their spelling in shards and prompts; what nobody can hold hurts where it is read"
}

a_failure_leaves_what_was_there() {
    local before
    wants 0 prepares --tau 3 "$work/good.jsonl" >"$work/stdout"
    before=$(fingerprint "$out")
    file "nonsense\n"
    wants 1 prepares --tau 3 "$work/bad.jsonl" 2>"$work/stderr" >"$work/stdout"
    [ "$before" = "$(fingerprint "$out")" ] || failed "a failed preparation changed the older one"
    [ -z "$(ls -d "$out".* 2>/dev/null)" ] || failed "a failed preparation left $(ls -d "$out".*)"
    (
        ulimit -c 0
        ulimit -f 4
        trap '' XFSZ
        wants 1 prepares --tau 3 "$work/many.jsonl" 2>"$work/stderr" >"$work/stdout"
    )
    says "$out"
    [ "$before" = "$(fingerprint "$out")" ] && [ -z "$(ls -d "$out".* 2>/dev/null)" ] || failed "a file limit changed something"
    proved "a bad row or a limit on files: one error, and the older preparation stands"
}

full_disk() {

    mkdir -p "$disk"
    mount -t tmpfs -o size=64k none "$disk" 2>/dev/null || { skipped "no mount here for a full disk"; return; }
    undo() { umount "$disk" 2>/dev/null || true; }
    wants 1 $program --tokenizer dev/demo/tokenizer --template chatml --out "$disk/out" "$work/many.jsonl" 2>"$work/stderr" >"$work/stdout"
    says "No space left"
    [ -z "$(ls -A "$disk")" ] || failed "left on the full disk: $(ls -A "$disk")"
    umount "$disk"
    proved "a full disk: one error, and nothing left behind"
}

killed_or_stopped() {
    local i status before
    rm -rf "$out"
    wants 0 ./prepare --tokenizer dev/demo/tokenizer --template chatml --out "$out" "$work/many.jsonl" >"$work/stdout"
    before=$(fingerprint "$out/sft")
    for i in 1 2 3 4 5 6 7 8; do
        ./prepare --tokenizer dev/demo/tokenizer --template chatml --out "$out" "$work/many.jsonl" >/dev/null 2>&1 &
        sleep "0.0$i"
        kill -9 $! 2>/dev/null || true
        wait $! 2>/dev/null || true
        [ "$before" = "$(fingerprint "$out/sft")" ] || failed "a kill changed what stood at --out"
    done
    rm -rf "$out".tmp-*
    mkfifo "$work/pipe"
    ./prepare --tokenizer dev/demo/tokenizer --template chatml --out "$work/new" - <"$work/pipe" >"$work/stdout" 2>"$work/stderr" &
    exec 9>"$work/pipe"                                        # it waits for more when the signal comes
    cat "$work/many.jsonl" >&9
    sleep 0.5
    kill -TERM $!
    status=0
    wait $! || status=$?
    exec 9>&-
    [ "$status" = 1 ] && [ ! -e "$work/new" ] && [ -z "$(ls -d "$work"/new.* 2>/dev/null)" ] || failed "a signal left $(ls -d "$work"/new*), status $status"
    says "stopped by a signal"
    proved "kill -9 at any time leaves the older preparation, a signal leaves nothing"
}

inspecting() {
    rm -rf "$out"
    printf '%s\n' '{"prompt": "q\u001b[31m \u202e <b>&", "completion": "a\n\u0007b", "id": "i<d", "difficulty": 1}' >"$work/view.jsonl"
    wants 0 prepares "$work/view.jsonl" >"$work/stdout"
    wants 0 $program --inspect "$out/sft" --tokenizer dev/demo/tokenizer >"$work/stdout"
    ! LC_ALL=C grep -q $'[\x01-\x08\x0b-\x1f\x7f]' "$work/stdout" || failed "--inspect let control characters through"
    grep -qF '\x1B' "$work/stdout" && grep -qF '\xE2\x80\xAE' "$work/stdout" && grep -qF '«a⏎' "$work/stdout" || failed "--inspect shows: $(cat "$work/stdout")"
    grep -q '^.* tokens, .* trained (' "$work/stdout" || failed "--inspect does not count"
    wants 0 $program --inspect "$out/sft" --tokenizer dev/demo/tokenizer --step 0 --slots 2 --html "$work/page.html" >"$work/stdout"
    grep -q '&#60;' "$work/page.html" && ! grep -q '<b>' "$work/page.html" || failed "the page is not escaped"
    sed -n 1p "$work/good.jsonl" >"$work/one.jsonl"
    wants 0 $program --inspect "$work/one.jsonl" --tokenizer dev/demo/tokenizer --template chatml >"$work/stdout"
    grep -qF '«two' "$work/stdout" || failed "JSONL is not inspected: $(cat "$work/stdout")"
    rm -rf "$out.kept"; mv "$out" "$work/kept"
    refused 1 "--record 1" "numbered from 0" -- $program --inspect "$work/kept/sft" --record 1
    refused 1 "no shards here" "$work/kept/sft" -- $program --inspect "$work/kept"
    refused 1 "nothing to train on" -- $program --inspect "$work/kept/sft" --seq-len 2
    refused 1 "no response to train on" -- $program --inspect "$work/good.jsonl" --tokenizer dev/demo/tokenizer --template chatml
    refused 2 "--format chat: comes after all files" -- prepares "$work/good.jsonl" --format chat
    refused 2 "--map problem=ask: comes after all files" -- prepares --map answer=answer "$work/good.jsonl" --map problem=ask
    refused 2 "--missing-difficulty 2: comes after all files" "put it before" -- prepares "$work/good.jsonl" "$work/one.jsonl" --missing-difficulty 2
    printf 'format = chat\n' >"$work/late.conf"
    refused 2 "--format chat: comes after all files" -- prepares "$work/good.jsonl" --config "$work/late.conf"
    refused 2 "drop --map, --format and --missing-difficulty" -- $program --map prompt=ask --inspect "$work/kept/sft"
    refused 2 "--record: is for --inspect" -- prepares "$work/good.jsonl" --record 2
    refused 2 "--html: is for --inspect" -- prepares "$work/good.jsonl" --html "$work/new.html"
    refused 2 "--seq-len: is for --inspect" -- prepares "$work/good.jsonl" --seq-len 99
    refused 2 "--mix: is for --inspect" -- prepares "$work/good.jsonl" --mix level:1=2
    refused 2 "not the standard input" -- $program --inspect - --tokenizer dev/demo/tokenizer
    refused 1 "shards already" -- prepares "$work/kept/sft"
    proved "--inspect shows records and micro-batches, on a terminal and as a page, and nothing of theirs acts there"
}

published_data() {
    local data=../shared/data all sum=0 part
    [ -d $data ] || { skipped "no ../shared/data"; return; }
    rm -rf "$out"
    wants 0 ./prepare --tokenizer $data/qwen3-tokenizer --template chatml --train-turn-newline --tau 3 --out "$out" \
        --map difficulty=level --map category=subject --missing-difficulty 2 $data/math/train.jsonl $data/gsm8k/train.jsonl \
        --map category=task $data/reasoning_gym/exact.jsonl --map _solution=solution $data/knights_knaves/train.jsonl --decontaminate $data/math/math500.jsonl >"$work/stdout"
    all=$(cat $data/math/train.jsonl $data/gsm8k/train.jsonl $data/reasoning_gym/exact.jsonl $data/knights_knaves/train.jsonl | wc -l)
    for part in $(count_of sft count) $(count_of rl count) $(count_of holdout count) $(tr -d ' \n' <"$out/split.json" | grep -o '"dropped":{[^}]*' | grep -o ':[0-9]*' | tr -d :); do
        sum=$((sum + part))
    done
    [ "$sum" = "$all" ] || failed "the parts of split.json add up to $sum, the files have $all rows"
    awk '/^  .* +[0-9]+ +[0-9]+ +[0-9]+ +[0-9]+ +[0-9]+$/ {
        total = 0
        for (i = NF - 3; i <= NF; i++) total += $i
        if ($(NF - 4) != total) { print; bad = 1 }
    } END { exit bad }' "$work/stdout" >"$work/stderr" || failed "a line of the table does not add up"
    [ "$(wc -l <"$out/sft/prompts.jsonl")" = "$(count_of sft prompts)" ] || failed "prompts.jsonl has another number of rows"
    proved "MATH, GSM8K, reasoning_gym and knights_knaves by one command: $all rows, and every table adds up"
}

# Shards that were made otherwise than train_sft's defaults say: the run takes them as they are, and what it wrote down runs again.
trained_on_shards() {
    local harder=$work/harder
    tiny_recipe
    recipe=("${recipe[@]/$work\/train.jsonl/$work/shards/sft}" --order shuffled)
    ./prepare --tokenizer dev/demo/tokenizer --template chatml --instruction none --train-turn-newline --out "$work/shards" "$work/train.jsonl" >"$work/stdout"
    wants 1 train "$work/first"
    says "give the --instruction"
    recipe+=(--instruction none)
    wants 0 train "$work/first"
    wants 0 ./train_sft --config "$work/first/options.conf" --out "$work/second" >"$work/stdout" 2>"$work/stderr"
    same_run "$work/first" "$work/second" "OUT/options.conf runs again on shards made with other options than the defaults"
    wants 1 train "$work/third" --no-train-turn-newline
    says "was prepared with --train-turn-newline"
    wants 1 train "$work/third" --template qwen3
    says "give --template chatml"
    wants 1 train "$work/third" --mix level:1=2
    says "--mix works with --order mixed only"
    sed 's/"difficulty": 3/"difficulty": 1/' "$work/train.jsonl" >"$work/harder.jsonl"
    ./prepare --tokenizer dev/demo/tokenizer --template chatml --instruction none --train-turn-newline --out "$harder" "$work/harder.jsonl" >"$work/stdout"
    recipe=("${recipe[@]/$work\/shards/$harder}")
    wants 1 train "$work/first"
    says "other documents"
    grep -q '"loss_1": ' "$work/first/log.jsonl" && grep -q '"loss_3": ' "$work/first/log.jsonl" || failed "the log has no loss by difficulty"
    proved "shards made otherwise are refused by what differs, also where only a difficulty does"
}

build/demo_problems train 1 5 600 >"$work/many.jsonl"
bad_files
bad_rows
stdin_maps_and_splits
advice_works
values_keep_their_spelling
a_failure_leaves_what_was_there
full_disk
killed_or_stopped
inspecting
trained_on_shards
published_data
