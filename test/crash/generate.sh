#!/usr/bin/env bash
# ./generate as a user meets it: rows come out in their order with what was generated, whatever the machine is told; a
# run that is killed goes on; one row alone gives what it gives among others; bad input is one line of error; stop
# texts, bare ids. The chat is tested in chat.sh. The engine itself is tested in test/unit/test_engine.c.
. "$(dirname "$0")/common.bash"
tiny_recipe
wants 0 train "$work/run" --epochs 1
program=build/asan/generate
[ -x $program ] || failed "$program is not built"
model=$work/run
out=$work/out.jsonl

build/demo_problems train 1 5 12 >"$work/prompts.jsonl"
{
    echo '{"id": "chat", "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "1+1? ü"}], "text": "old"}'
    echo '{"prompt": "2+2?", "completion": "4", "extra": [1.0000000000000002, 0.10, 1e5, 98765432109876543210, null, {"a": "ü"}]}'
    echo '{"ids": [5]}'
    echo '{"problem": "3+3?", "options": ["6", "7"], "difficulty": "PhD"}'
} >>"$work/prompts.jsonl"
rows=$(wc -l <"$work/prompts.jsonl")

# More options: responses to the prompts, in $out; in_background: the process is $!.
command=("$program" --model "$model" --prompts "$work/prompts.jsonl" --out "$out" --max-new-tokens 24 --samples 2 --device cpu)
generate() { rm -f "$out" "$out.partial"; more "$@"; }
more() { "${command[@]}" "$@" >"$work/stdout" 2>"$work/stderr"; }
in_background() { "${command[@]}" --sequences 1 --threads 1 >"$work/stdout" 2>"$work/stderr" & }

rows_come_out_in_order() {
    wants 0 generate
    sane
    [ "$(wc -l <"$out")" = $((2 * rows)) ] || failed "$(wc -l <"$out") lines for $rows rows of two samples"
    [ ! -e "$out.partial" ] || failed "the journal is left behind"
    grep -o '"problem":"[^"]*"' "$out" | uniq >"$work/order"
    sed -n 's/.*"problem": \("[^"]*"\).*/"problem":\1/p' "$work/prompts.jsonl" | cmp - "$work/order" || failed "the order is another one"
    [ "$(sed -n 's/.*"sample":\([0-9]*\),.*/\1/p' "$out" | paste -sd, | cut -c 1-7)" = 0,1,0,1 ] || failed "samples are out of order"
    grep -q '"extra":\[1.0000000000000002,0.10,1e5,98765432109876543210,null,{"a":"ü"}\]' "$out" || failed "unknown fields are not carried through as they are"
    ! grep -q '"text":"old"' "$out" || failed "the row's own text won"
    grep -q '"prompt_ids":\[5\]' "$out" || failed "a row of one id was not taken as it is"
    [ "$(grep -c '"logprobs":\[-' "$out")" = $((2 * rows)) ] && ! grep -q processed_logprobs "$out" || failed "log-probabilities"
    [ "$(grep -cE '"finish_reason":"(stop|length)"}$' "$out")" = $((2 * rows)) ] || failed "finish reasons"
    cp "$out" "$work/calm.jsonl"
    proved "generate: $rows rows of five formats come out in order, with their fields"
}

nothing_but_row_and_seed_counts() {
    local options
    for options in "--sequences 3" "--sequences 1 --threads 1" "--pass-tokens 7 --sequences 5" "--cache 200k --sequences 16" "--threads 3"; do
        # shellcheck disable=SC2086
        wants 0 generate $options
        cmp "$out" "$work/calm.jsonl" || failed "$options changes the responses"
    done
    wants 0 generate --seed 1
    ! cmp -s "$out" "$work/calm.jsonl" || failed "the seed changes nothing"
    for row in 3 "$rows"; do
        id=$(sed -n "${row}s/.*\"id\": \"\([^\"]*\)\".*/\1/p" "$work/prompts.jsonl")
        sed -n "${row}p" "$work/prompts.jsonl" | sed "s/^{/{\"id\": \"${id:-$row}\", /; s/\"id\": \"[^\"]*\", \"id\"/\"id\"/" >"$work/one.jsonl"
        rm -f "$out"
        wants 0 $program --model "$model" --prompts "$work/one.jsonl" --out "$out" --max-new-tokens 24 --samples 2 --device cpu 2>"$work/stderr"
        diff <(grep -o '"sample":.*' "$out") <(sed -n "$((2 * row - 1)),$((2 * row))p" "$work/calm.jsonl" | grep -o '"sample":.*') >/dev/null ||
            failed "row $row alone gives another response"
    done
    proved "generate: sequences, pieces, pages, threads and neighbours change no byte; the seed does"
}

parts_are_joined_in_the_order_of_the_rows() {
    local part join=("$program" --out "$out" --join)
    rm -f "$out"
    wants 1 "${join[@]}" 2>"$work/stderr"
    says "there are no parts of it, $out.0-of-N and so on; --part 0/N makes the first"
    for part in 2 0; do
        wants 0 more --part $part/3
    done
    wants 1 "${join[@]}" 2>"$work/stderr"
    says "$out.1-of-3: is missing; the same command with --part 1/3 makes it"
    "${command[@]}" --sequences 1 --threads 1 --part 1/3 >"$work/stdout" 2>"$work/stderr" &
    until [ -s "$out.1-of-3.partial" ] || ! kill -0 $! 2>/dev/null; do sleep 0.01; done
    kill -9 $! 2>/dev/null || true
    wait $! 2>/dev/null || true
    [ -e "$out.1-of-3" ] || {
        wants 1 "${join[@]}" 2>"$work/stderr"
        says "$out.1-of-3: is not finished; the command with --part 1/3 goes on"
        wants 0 more --part 1/3
    }
    [ ! -e "$out" ] || failed "a part was written to --out itself"
    wants 1 "${join[@]}" --temperature 0.5 2>"$work/stderr"
    says "was made with --temperature 1, and now it is 0.5"
    wants 0 "${join[@]}" --model "$model" --samples 2 2>"$work/stderr"
    sane
    says "$out: $((2 * rows)) rows of 3 parts, which may be removed"
    cmp "$out" "$work/calm.jsonl" || failed "three parts are not the whole"
    wants 1 "${join[@]}" 2>"$work/stderr"
    says "already exists"

    rm -f "$out" "$out".2-of-3*
    wants 0 more --part 2/3 --seed 9
    wants 1 "${join[@]}" 2>"$work/stderr"
    says "$out.2-of-3: was made with other seed than $out.0-of-3"
    rm -f "$out".2-of-3*
    wants 0 more --part 2/3
    cp "$out.0-of-3" "$work/kept"
    sed -i '1s/"sample":0/"sample":7/' "$out.0-of-3"
    wants 1 "${join[@]}" 2>"$work/stderr"
    says "$out.0-of-3: was changed since it was made"
    head -n 3 "$work/kept" >"$out.0-of-3"
    wants 1 "${join[@]}" 2>"$work/stderr"
    says "$out.0-of-3: was changed since it was made"
    [ ! -e "$out" ] || failed "half a file was joined"
    cp "$work/kept" "$out.0-of-3"
    wants 0 more --part 0/2
    wants 1 "${join[@]}" 2>"$work/stderr"
    says "there are parts of"
    rm -f "$out".*-of-*

    printf '{"prompt": "a"}\n{"prompt": "b"}\n{"a": 1}\n{"prompt": "c"}\n{"prompt": "d"}\n{"b": 1}\n' >"$work/mixed.jsonl"
    local few=("$program" --model "$model" --prompts "$work/mixed.jsonl" --device cpu --skip-bad-rows 2 --max-new-tokens 4 --samples 3)
    wants 0 "${few[@]}" --out "$work/whole" 2>"$work/stderr"
    for part in 0 1 2 3 4 5 6; do
        wants 0 "${few[@]}" --out "$out" --part $part/7 2>"$work/stderr"
    done
    wants 0 "${join[@]}" 2>"$work/stderr"
    cmp "$out" "$work/whole" || failed "parts of which one is empty, and some of whose rows are refused, are not the whole"
    rm -f "$out" "$out".*-of-*
    printf '{"a": 1}\n{"b": 1}\n' >"$work/mixed.jsonl"
    for part in 1 2; do
        rm -f "$out".*
        wants 1 "${few[@]}" --out "$out" --ranks $part 2>"$work/stderr"
        says "all 2 rows were refused, so nothing is written"
    done
    rm -f "$out".*
    : >"$work/mixed.jsonl"
    wants 1 "${few[@]}" --out "$out" 2>"$work/stderr"
    says "mixed.jsonl: holds no rows; give a file that has some"
    [ ! -e "$out" ] || failed "without rows there is a file of responses"
    rm -f "$out".*
    wants 2 "$program" --out "$out" --join --part 0/2 2>"$work/stderr"
    says "drop one of the two"
    proved "generate --part, --join: the bytes of one process; parts that are missing, unfinished, changed or foreign are refused by name"
}

a_killed_run_goes_on() {
    local killed=0 tries=3 i status
    [ "$mode" = short ] || tries=12
    for ((i = 0; i < tries; i++)); do
        rm -f "$out" "$out.partial"
        in_background
        sleep "0.$((RANDOM % 4))$((RANDOM % 10))"
        kill -9 $! 2>/dev/null && killed=$((killed + 1))
        wait $! 2>/dev/null || true
        [ ! -s "$out.partial" ] || printf '7 {"half' >>"$out.partial"
        [ -e "$out" ] || wants 0 more
        cmp "$out" "$work/calm.jsonl" || failed "a run that was killed does not end as one that was not"
    done
    proved "generate: killed with -9 ($killed of $tries times in time), half a line at the end: the same bytes"
    for ((i = 0; i < 10; i++)); do
        rm -f "$out" "$out.partial"
        in_background
        until [ "$(wc -l 2>/dev/null <"$out.partial")" -gt 3 ] 2>/dev/null || ! kill -0 $! 2>/dev/null; do sleep 0.01; done
        kill -TERM $! 2>/dev/null || true
        status=0
        wait $! || status=$?
        [ "$status" != 75 ] || break
    done
    [ "$status" = 75 ] || failed "exit status $status after SIGTERM"
    says "the same command goes on"
    wants 1 more --temperature 0.5
    says "temperature"
    says "remove $out.partial"
    wants 1 more --samples 1
    says "samples"
    cp "$work/prompts.jsonl" "$work/kept"
    echo '{"problem": "new"}' >>"$work/prompts.jsonl"
    wants 1 more
    says "other rows"
    cp "$work/kept" "$work/prompts.jsonl"
    wants 0 more --sequences 9
    cmp "$out" "$work/calm.jsonl" || failed "a run that was stopped does not end as one that was not"
    wants 1 more
    says "already exists"
    proved "generate: stopped by a signal it goes on; with other options, or over a file that is there, it does not"
}

a_damaged_journal_is_refused() {
    rm -f "$out"
    in_background
    until [ "$(wc -l 2>/dev/null <"$out.partial")" -gt 5 ] 2>/dev/null || ! kill -0 $! 2>/dev/null; do sleep 0.01; done
    wants 1 more
    says "another process"
    kill -9 $! 2>/dev/null || true
    wait $! 2>/dev/null || true
    [ -e "$out" ] || {
        sed -i '3s/.*/nonsense/' "$out.partial"
        wants 1 more
        says "not a line of results"
        sed -i '3s/.*/99999999999 {}/' "$out.partial"
        wants 1 more
        says "not a line of results"
    }
    rm -f "$out" "$out.partial"
    (ulimit -f 6 && wants 1 more)
    says "writing; what is finished so far stays there"
    wants 0 more
    cmp "$out" "$work/calm.jsonl" || failed "a full disk lost something"
    proved "generate: two at once, a damaged journal, a file that may not grow: refused or gone on, nothing lost"
}

# Leaves OUT.partial with some results of a process that was killed; on a busy machine it may be done before.
some_results() {
    local i
    for ((i = 0; i < 20; i++)); do
        rm -f "$out" "$out.partial"
        in_background
        until [ "$(wc -l 2>/dev/null <"$out.partial")" -gt 5 ] 2>/dev/null || ! kill -0 $! 2>/dev/null; do sleep 0.01; done
        kill -"$1" $! 2>/dev/null || true
        [ "$1" = STOP ] || wait $! 2>/dev/null || true
        [ -e "$out" ] || return 0
        kill -CONT $! 2>/dev/null || true
    done
    failed "no run was stopped in its middle"
}

what_somebody_cut_is_no_result() {
    some_results KILL
    cp "$out.partial" "$work/whole"
    local change
    for change in '3s/.\{30\}}$/}/' '3s/"text"/"test"/' '3{N;s/.\{9\}\n.\{60\}//}' '3s/^[0-9]*/39/'; do # shorter, changed, two in one, renumbered
        sed "$change" "$work/whole" >"$out.partial"
        cmp -s "$out.partial" "$work/whole" && failed "nothing was changed by $change"
        wants 1 more
        says "not a line of results, or it was damaged; remove this line"
        sed -i 3d "$out.partial"
        wants 0 more
        cmp "$out" "$work/calm.jsonl" || failed "without the damaged line another file comes out: $change"
        rm "$out"
    done
    some_results STOP
    truncate -s $(($(stat -c %s "$out.partial") / 2)) "$out.partial"
    kill -CONT $!
    wants 1 wait $!
    says "was changed by another program"
    [ ! -e "$out" ] || failed "a file was made of a journal that somebody had cut"
    wants 0 more
    cmp "$out" "$work/calm.jsonl" || failed "a journal that was cut while it was written ends as another file"
    proved "generate: results that somebody has cut, changed or joined are named, and made again"
}

# STATUS TEXT command...
refused() {
    local wanted=$1 text=$2
    shift 2
    rm -f "$out" "$out.partial"
    wants "$wanted" "$@" >"$work/stdout" 2>"$work/stderr" </dev/null
    sane
    [ "$(grep -c '^generate: ' "$work/stderr")" = 1 ] || failed "not one line of error: $*"
    says "$text"
}
ask() { printf '%s\n' "$1" >"$work/one.jsonl"; shift; $program --model "$model" --prompts "$work/one.jsonl" --out "$out" --device cpu "$@"; }

bad_input_is_one_line() {
    local long
    long=$(printf '1%.0s' $(seq 600))
    refused 1 "one.jsonl:1: the prompt has " ask "{\"prompt\": \"$long\"}"
    refused 1 "leaves no room for an answer" ask "{\"prompt\": \"$long\"}"
    refused 1 "the prompt has 21 tokens" ask '{"problem": "44*3-2+9-2*3?"}' --instruction none --context 20
    refused 1 "one.jsonl:1: key \"ids\" must be a list of at least one id" ask '{"ids": []}'
    refused 1 "token 1 is id 1152, but the model has 1152" ask '{"ids": [1, 1152]}'
    refused 1 "one.jsonl:1:" ask '{"prompt": }'
    refused 1 "no known row format" ask '{"a": 1}'
    refused 2 "--map question" ask '{"prompt": "a"}' --map question
    refused 1 "no tokenizer" $program --model test/fixtures/models/tied --prompts "$work/prompts.jsonl" --out "$out" --device cpu --skip-bad-rows 99
    refused 2 "--part 3/3" ask '{"prompt": "a"}' --part 3/3
    refused 2 "--part one" ask '{"prompt": "a"}' --part one
    refused 1 "standard input" $program --model "$model" --prompts - --out "$out"
    refused 1 "there is no such folder" $program --model "$work/none" --prompts "$work/prompts.jsonl" --out "$out"
    refused 2 "drop --prompts and --out" ask '{"prompt": "a"}' --chat
    refused 2 "give --prompts and --out, or --chat" $program --model "$model"
    refused 2 "too small to divide by" ask '{"prompt": "a"}' --temperature 1e-9
    refused 1 "--context 9999" ask '{"prompt": "a"}' --context 9999
    refused 1 "room for" ask '{"prompt": "a"}' --cache 10k
    refused 1 "no tokenizer" $program --model test/fixtures/models/tied --prompts "$work/prompts.jsonl" --out "$out" --device cpu
    refused 2 "did you mean --temperature" ask '{"prompt": "a"}' --temperatur 1
    printf '{"prompt": "a"}\n{"a": 1}\n{"prompt": "%s"}\n{"prompt": "b"}\n' "$long" >"$work/mixed.jsonl"
    refused 1 "more than 1 rows are refused" $program --model "$model" --prompts "$work/mixed.jsonl" --out "$out" --device cpu --skip-bad-rows 1
    rm -f "$out" "$out.partial"
    wants 0 $program --model "$model" --prompts "$work/mixed.jsonl" --out "$out" --device cpu --skip-bad-rows 2 --max-new-tokens 4 2>"$work/stderr"
    [ "$(wc -l <"$out")" = 2 ] || failed "two of four rows were to be refused"
    proved "generate: prompts that are too long or empty, bad ids, rows, parts, folders and memory: one line each"
}

logprobs_are_those_of_build_logprobs() {
    wants 0 generate --temperature 0.7
    # each line's prompt and response, end to end, to build/logprobs: its last numbers are the response's
    sed 's/.*"prompt_ids":\[\([0-9,]*\)\],"ids":\[\([0-9,]*\)\].*/{"ids": [\1,\2]}/' "$out" >"$work/whole.jsonl"
    build/logprobs "$model/model" --temperature 0.7 --n-live 1133 --device cpu <"$work/whole.jsonl" |
        sed 's/.*"logprobs": \[\([^]]*\)\].*/\1/; s/ //g' >"$work/trainer"
    sed 's/.*"logprobs":\[\([^]]*\)\].*/\1/' "$out" >"$work/sampler"
    paste -d'|' "$work/trainer" "$work/sampler" | awk -F'|' '{ if (substr($1, length($1) - length($2) + 1) != $2) exit 1 }' ||
        failed "the log-probabilities are not those of build/logprobs"
    wants 0 generate --temperature 0.7 --top-p 0.9
    [ "$(grep -c processed_logprobs "$out")" = $((2 * rows)) ] || failed "no processed_logprobs under --top-p"
    proved "generate: every log-probability is build/logprobs', digit for digit, at a temperature of 0.7"
}

stops() {
    local text stop cut
    wants 0 generate --temperature 0 --samples 1 --ignore-eos
    text=$(sed -n '2s/.*"text":"\([^"]*\)".*/\1/p' "$out")
    stop=${text:7:4}                                            # of a random model's text: across tokens, mostly digits
    cut=${text%%"$stop"*}
    wants 0 generate --temperature 0 --samples 1 --ignore-eos --stop "$stop" --stop "never to be seen"
    [ "$(sed -n '2s/.*"text":"\([^"]*\)".*/\1/p' "$out")" = "$cut" ] || failed "the text does not end before '$stop'"
    sed -n 2p "$out" | grep -q '"finish_reason":"stop"' || failed "a stop text does not stop"
    [ "$(sed -n '2s/.*"ids":\[\([0-9,]*\)\],"text.*/\1/p' "$out" | tr ',' '\n' | wc -l)" -lt 24 ] || failed "it went on"
    refused 2 "--stop \"\"" ask '{"prompt": "a"}' --stop ""
    proved "generate: a text that lies across tokens ends a response, and is not in it"
}

bare_ids() {
    printf '{"ids": [1, 2, 3]}\n{"ids": [100], "name": "b"}\n' >"$work/ids.jsonl"
    rm -f "$out"
    wants 0 $program --model test/fixtures/models/tied --prompts "$work/ids.jsonl" --out "$out" --max-new-tokens 5 --device cpu 2>"$work/stderr"
    ! grep -q '"text"' "$out" || failed "a text without a tokenizer"
    grep -q '"name":"b".*"prompt_ids":\[100\],"ids":\[' "$out" || failed "bare ids"
    wants 0 $program --model test/fixtures/models/qwen2_tied --prompts "$work/ids.jsonl" --out "$work/qwen2" --max-new-tokens 5 --device cpu 2>"$work/stderr"
    wants 0 $program --model "$model" --plan --device cpu >"$work/stdout" 2>"$work/stderr"
    grep -q 'generation: keys and values in pages' "$work/stdout" || failed "--plan does not show the pages"
    grep -q '^fits: yes, .* (this machine, .* GiB free)$' "$work/stdout" || failed "--plan has no verdict"
    proved "generate: a folder without a tokenizer serves bare ids, a Qwen2 too; --plan shows the memory"
}

# Pages are planned for as many as the card's memory holds, and not for all that could ever be used.
plans_for_a_card() {
    local card tokens before=0
    mkdir -p "$work/4b"
    cp lab/bench/qwen3-4b.json "$work/4b/config.json"
    for card in 24G 40G 80G; do
        wants 0 $program --model "$work/4b" --plan --gpu $card >"$work/stdout" 2>"$work/stderr"
        grep -q '^fits: yes' "$work/stdout" || failed "4B on $card: $(tail -n 1 "$work/stdout")"
        tokens=$(sed -n 's/^keys and values: room for \([0-9]*\) tokens, at once for .* of 32768 tokens each.*/\1/p' "$work/stdout")
        [ "$tokens" -gt "$before" ] || failed "a card of $card has room for $tokens tokens: $(cat "$work/stdout")"
        before=$tokens
    done
    wants 0 $program --model "$work/4b" --plan --gpu 24G --cache 100G >"$work/stdout" 2>"$work/stderr"
    grep -q '^fits: no, .* it fits with --cache 0 ' "$work/stdout" || failed "100 GB on a card of 24: $(tail -n 1 "$work/stdout")"
    wants 0 $program --model "$work/4b" --plan --gpu 10GiB >"$work/stdout" 2>"$work/stderr"
    grep -q '^fits: no' "$work/stdout" && ! grep -q -e '--recompute\|--moments\|--micro' "$work/stdout" || failed "10 GiB: $(tail -n 1 "$work/stdout")"
    wants 0 $program --model "$work/4b" --plan --gpu 10GiB \
        $(sed -n 's/.*it fits with \(.*\) (.*/\1/p' "$work/stdout") >"$work/planned" 2>"$work/stderr"
    grep -q '^fits: yes' "$work/planned" || failed "$(tail -n 1 "$work/stdout"): with these it is $(tail -n 1 "$work/planned")"
    refused 2 "--gpu 24G: names a card to plan for" ask '{"prompt": "a"}' --gpu 24G
    wants 0 $program --model "$work/4b" --plan --gpu all >"$work/stdout" 2>"$work/stderr"
    [ "$(grep -cE '^ +(24|40|48|80|141|180)GB  yes, .*; [0-9]+ of 32768 tokens each at once$' "$work/stdout")" = 6 ] || failed "--gpu all says $(cat "$work/stdout")"
    proved "generate --plan: as many pages as the card has room for; the options that it names help"
}

reads_rows_of_others() {
    mkdir -p "$work/others"
    echo '{"input": "1+1?", "target": 0.20, "task": "sums", "prompt": "other"}' >"$work/others/rows.jsonl"
    echo '[]' >"$work/others/rows.json"
    rm -f "$out" "$out.partial"
    wants 0 $program --model "$model" --prompts "$work/others" --map question=input --map answer=target --map _p=prompt \
        --out "$out" --max-new-tokens 4 --device cpu 2>"$work/stderr"
    grep -q '"task":"sums","question":"1+1?","answer":0.20,' "$out" || failed "--map gives $(cat "$out")"
    says "rows.json; of a folder only"
    ids=$(sed 's/.*"prompt_ids":\(\[[^]]*\]\).*/\1/' "$out")
    rm -f "$out" "$out.partial"
    wants 0 ask '{"question": "1+1?"}' --max-new-tokens 4 2>"$work/stderr"
    grep -qF "\"prompt_ids\":$ids" "$out" || failed "the prompt of a mapped row is another one"
    rm -f "$out" "$out.partial"
    wants 0 $program --model "$model" --prompts "$work/others/rows.jsonl" --format prompt --map _input=input --out "$out" --max-new-tokens 4 --device cpu 2>"$work/stderr"
    printf '%s\n' '{"ask": "1?"}' 'no json' '{"ask": "2?", "lost": null}' >"$work/late.jsonl"
    rm -f "$out" "$out.partial"
    refused 1 "--map solution=sulotion: no row has a field \"sulotion\"" $program --model "$model" --prompts "$work/late.jsonl" "$work/others" \
        --map prompt=ask --map solution=sulotion --out "$out" --device cpu --part 1/2
    [ -z "$(compgen -G "$out*")" ] || failed "something is written where --map finds nothing: $(compgen -G "$out*")"
    refused 1 "late.jsonl:2" $program --model "$model" --prompts "$work/late.jsonl" --map prompt=ask --map _x=lost --out "$out" --device cpu
    rm -f "$out" "$out.partial"
    proved "generate: rows of others are read by --map and --format, and what is passed over is said"
}

folders_of_a_result_are_made() {
    local with=("$program" --model "$model" --device cpu --max-new-tokens 4 --prompts "$work/one_row.jsonl")
    echo '{"prompt": "1?"}' >"$work/one_row.jsonl"
    wants 0 "${with[@]}" --out "$work/new/deep/out.jsonl" 2>"$work/stderr"
    [ "$(wc -l <"$work/new/deep/out.jsonl")" = 1 ] || failed "nothing is in the folders that were made"
    wants 0 "${with[@]}" --out "$work/newer/out.jsonl" --part 0/1 2>"$work/stderr"
    wants 0 "$program" --out "$work/newer/out.jsonl" --join 2>"$work/stderr"
    wants 1 "${with[@]}" --out "$work/one_row.jsonl/out.jsonl" 2>"$work/stderr"
    says "$work/one_row.jsonl"
    wants 2 "${with[@]}" --out "$work/never/out.jsonl" --top-p 7 2>"$work/stderr"
    [ ! -e "$work/never" ] || failed "a folder was made for nothing"
    proved "generate: the folders that --out lies in are made"
}

# It stands before rows without a system turn of their own, and a row's own is never replaced.
rows_get_a_system_turn() {
    local asked with
    cat >"$work/plain.jsonl" <<-'END'
	{"prompt": "1+1?"}
	{"messages": [{"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "old"}]}
	{"problem": "1+1?", "system_prompt": ""}
	{"prompt": "1+1?", "system": "Mine."}
	{"messages": [{"role": "system", "content": ""}, {"role": "user", "content": "1+1?"}]}
	END
    cat >"$work/led.jsonl" <<-'END'
	{"prompt": "1+1?", "system": "Be \"brief\", ü."}
	{"messages": [{"role": "system", "content": "Be \"brief\", ü."}, {"role": "user", "content": "1+1?"}]}
	{"problem": "1+1?", "system_prompt": "Be \"brief\", ü."}
	{"prompt": "1+1?", "system": "Mine."}
	{"messages": [{"role": "system", "content": ""}, {"role": "user", "content": "1+1?"}]}
	END
    with=("$program" --model "$model" --device cpu --max-new-tokens 4)
    rm -f "$work/with" "$work/without" "$work/own"
    wants 0 "${with[@]}" --prompts "$work/plain.jsonl" --out "$work/with" --system 'Be "brief", ü.' 2>"$work/stderr"
    wants 0 "${with[@]}" --prompts "$work/led.jsonl" --out "$work/own" 2>"$work/stderr"
    diff <(grep -o '"prompt_ids".*' "$work/with") <(grep -o '"prompt_ids".*' "$work/own") >"$work/stderr" ||
        failed "--system is another prompt than a row's own system turn"
    wants 0 "${with[@]}" --prompts "$work/plain.jsonl" --out "$work/without" 2>"$work/stderr"
    ! cmp -s "$work/with" "$work/without" || failed "--system changes nothing"
    printf '{"ids": [5]}\n' >"$work/ids.jsonl"
    refused 1 "ids.jsonl:1: a row of ids, which has no turns to put --system before" "${with[@]}" --prompts "$work/ids.jsonl" --out "$work/none" --system x
    judge_begins teach plain
    rm -f "$out" "$out.partial"
    wants 0 "$program" --endpoint "$judge" --model T --prompts "$work/plain.jsonl" --out "$out" --system 'Be "brief", ü.' 2>"$work/stderr"
    judge_ends
    asked=$(grep -c '"messages":\[{"role":"system","content":"Be \\"brief\\", ü."},{"role":"user"' "$work/plain.asked")
    [ "$asked" = 3 ] || failed "$asked of three rows were asked with --system"
    rm -f "$out" "$out.partial"
    proved "generate --system: stands before rows that have none, asked here or of a server; rows of ids are refused"
}

a_server_teaches() {
    local teach seeds
    build/demo_problems train 1 5 20 >"$work/problems.jsonl" # a hundred
    judge_begins teach teacher
    teach=("$program" --endpoint "$judge" --model Big/Teacher --prompts "$work/problems.jsonl" --out "$out" --samples 4 --temperature 0.7
        --top-p 0.8 --top-k 20 --stop END --in-flight 8)
    rm -f "$out" "$out.partial"
    OPENAI_API_KEY=sk-secret wants 0 "${teach[@]}" 2>"$work/stderr"
    sane
    says "asking Big/Teacher at $judge, 8 prompts at once"
    says "400/400 | "
    ! grep -q "tok/s\|sk-secret" "$work/stderr" "$out" || failed "tokens of a server are counted, or its key is shown"
    [ "$(wc -l <"$out")" = 400 ] || failed "$(wc -l <"$out") of 400 responses"
    grep -o '"problem":"[^"]*"' "$out" | uniq >"$work/order"
    sed -n 's/.*"problem": \("[^"]*"\).*/"problem":\1/p' "$work/problems.jsonl" | cmp - "$work/order" || failed "a server's rows are in another order"
    grep -q '"sample":3,"text":"<think>\\nIt is\\nseed [0-9]*\.\\n</think>\\n\\nSo it is \\\\boxed{[-0-9]*}.","finish_reason":"stop"}$' "$out" ||
        failed "the thought is not before the answer"
    seeds=$(grep -o '"seed":[0-9]*' "$work/teacher.asked" | sort -u | wc -l)
    [ "$seeds" = 400 ] || failed "$seeds seeds for 400 samples"
    [ "$(grep -c '"temperature":0.7,"max_tokens":8192,"seed":[0-9]*,"top_p":0.8,"top_k":20,"stop":\["END"\]}$' "$work/teacher.asked")" = 400 ] ||
        failed "the options are not those that were given"
    cp "$out" "$work/taught.jsonl"

    # killed with -9: what was in flight is asked again, and nothing else
    : >"$work/teacher.asked"
    rm -f "$out"
    "${teach[@]}" >"$work/stdout" 2>"$work/stderr" &
    until [ "$(wc -l 2>/dev/null <"$out.partial")" -gt 40 ] 2>/dev/null; do sleep 0.005; done
    kill -9 $! && wait $! 2>/dev/null || true
    wants 1 "${teach[@]}" --temperature 0.8 2>"$work/stderr"
    says "temperature"
    wants 0 "${teach[@]}" 2>"$work/stderr"
    says "going on"
    cmp "$out" "$work/taught.jsonl" || failed "a run that was killed does not end as one that was not"
    [ "$(wc -l <"$work/teacher.asked")" -le 408 ] || failed "$(wc -l <"$work/teacher.asked") questions for 400 answers, 8 at a time"
    judge_ends
    proved "generate --endpoint: rows in order, each sample with a seed of its own, thoughts kept; killed with -9: asks again what was in flight"
}

a_thought_is_trained_as_the_template_renders_it() {
    sed -n 1p "$work/taught.jsonl" >"$work/one.jsonl"
    wants 0 ./prepare --tokenizer dev/demo/tokenizer --template qwen3 --out "$work/thoughts" "$work/one.jsonl" >"$work/stdout" 2>"$work/stderr"
    wants 0 ./prepare --inspect "$work/thoughts/sft" --tokenizer dev/demo/tokenizer >"$work/seen"
    local problem thought answer
    problem=$(sed 's/.*"problem":"\([^"]*\)".*/\1/' "$work/one.jsonl")
    thought=$(sed 's/.*<think>\\n\(.*\)\\n<\/think>.*/\1/' "$work/one.jsonl")
    answer=$(sed 's/.*<\/think>\\n\\n\(.*\)","finish.*/\1/' "$work/one.jsonl")
    printf '{"messages": [{"role": "user", "content": "%s Please reason step by step, and put your final answer within \\\\boxed{}."}, ' "$problem" >"$work/chat.jsonl"
    printf '{"role": "assistant", "reasoning_content": "%s", "content": "%s"}], "id": "1-1", "difficulty": 1}\n' "$thought" "$answer" >>"$work/chat.jsonl"
    wants 0 ./prepare --tokenizer dev/demo/tokenizer --template qwen3 --out "$work/chat" "$work/chat.jsonl" >"$work/stdout" 2>"$work/stderr"
    wants 0 ./prepare --inspect "$work/chat/sft" --tokenizer dev/demo/tokenizer >"$work/wanted"
    grep -q 'seed' "$work/seen" || failed "the thought is not trained"
    diff <(sed '/ tokens, .*trained/s/ · source.*//' "$work/wanted") <(sed '/ tokens, .*trained/s/ · source.*//' "$work/seen") >"$work/stderr" || failed "a thought in the text is another document than reasoning_content"
    proved "generate, prepare, inspect: a server's thought is trained as the template renders reasoning_content"
}

only_right_responses_are_trained_on() {
    local right wrong
    wrong=$(grep -o 'seed [0-9]*' "$work/taught.jsonl" | awk '$2 % 4 == 0' | wc -l) # it errs there
    right=$((400 - wrong))
    wants 0 ./prepare --tokenizer dev/demo/tokenizer --template chatml --out "$work/right" --verify drop-wrong "$work/taught.jsonl" \
        >"$work/stdout" 2>"$work/stderr"
    grep -qE "^  all +$right +$wrong +0 +0 +0$" "$work/stdout" || failed "not $right right and $wrong wrong responses"
    grep -q "right/sft: $right records" "$work/stdout" || failed "other responses than the right ones are trained on"
    proved "generate, prepare --verify: of 400 responses, the $right right ones are trained on"
}

a_server_that_fails_loses_nothing() {
    judge_begins refuse refuse
    refused 1 "check OPENAI_API_KEY" $program --endpoint "$judge" --model T --prompts "$work/problems.jsonl" --out "$out" --attempts 1
    [ "$(wc -l <"$work/refuse.asked")" -lt 100 ] || failed "a server that wants another key is asked on and on"
    judge_ends
    refused 1 "give --model, the model's name there" $program --endpoint "$judge" --prompts "$work/problems.jsonl" --out "$out"
    refused 2 "--template: is for a model that runs here" $program --endpoint "$judge" --model T --prompts "$work/problems.jsonl" --out "$out" --template qwen3
    refused 2 "--ignore-eos: is for a model that runs here" $program --endpoint "$judge" --model T --prompts "$work/problems.jsonl" --out "$out" --ignore-eos
    refused 2 "--in-flight: is for a server" ask '{"prompt": "a"}' --in-flight 3
    refused 1 "ids.jsonl:1: a row of ids, but a server needs text" $program --endpoint "$judge" --model T --prompts "$work/ids.jsonl" --out "$out"
    proved "generate --endpoint: a server that refuses, options of the other kind, rows of ids: one line each"
}

rows_come_out_in_order
nothing_but_row_and_seed_counts
parts_are_joined_in_the_order_of_the_rows
a_killed_run_goes_on
a_damaged_journal_is_refused
what_somebody_cut_is_no_result
bad_input_is_one_line
logprobs_are_those_of_build_logprobs
stops
bare_ids
plans_for_a_card
reads_rows_of_others
a_server_teaches
rows_get_a_system_turn
folders_of_a_result_are_made
a_thought_is_trained_as_the_template_renders_it
only_right_responses_are_trained_on
a_server_that_fails_loses_nothing
