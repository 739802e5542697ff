#!/usr/bin/env bash
# ./generate --chat as a user meets it: plain lines in a pipe, and in a terminal editing, history, Ctrl-C and pasted text; commands;
# what it says is what ./generate says, to the bit. The parser of commands and what may be shown are in test/unit/test_chat.c.
. "$(dirname "$0")/common.bash"
tiny_recipe
wants 0 train "$work/run" --epochs 1
program=build/asan/generate
[ -x $program ] || failed "$program is not built"
model=$work/run
export XDG_STATE_HOME=$work/states
trap '' PIPE # of keys for a chat that has just ended
chat=("$program" --model "$model" --chat --device cpu --max-new-tokens 12)
content() { grep -oE '"content":"([^"\\]|\\.)*"' "$1" | sed -n "${2}p" | cut -d: -f2-; } # of message number $2 of a row

# ---- lines in a pipe

talks() {
    local greedy=("${chat[@]}" --temperature 0)
    printf '1+1?\n\n2+2?\r\n/new\n1+1?\n' >"$work/said"
    wants 0 "${greedy[@]}" --system 'Ünicode' <"$work/said" >"$work/talk" 2>"$work/stderr"
    sane
    iconv -f UTF-8 -t UTF-8 "$work/talk" >/dev/null || failed "half a character was shown"
    printf '1+1?\n' | "${greedy[@]}" --system 'Ünicode' >"$work/first" 2>"$work/stderr"
    [ "$(head -c "$(wc -c <"$work/first")" "$work/talk")" = "$(cat "$work/first")" ] || failed "the first answer is another one"
    [ "$(tail -c "$(wc -c <"$work/first")" "$work/talk")" = "$(cat "$work/first")" ] || failed "/new does not begin anew"
    printf '%s\n%s\n' "$(printf '1%.0s' $(seq 600))" "1+1?" | wants 0 "${greedy[@]}" >"$work/long" 2>"$work/stderr"
    grep -q 'leaves no room for an answer in the context of 512; /undo .*, /new .* --context' "$work/long" || failed "a line that is too long is not said to be"
    [ "$(wc -l <"$work/long")" -ge 2 ] || failed "there is no answer after a line that was too long"
    printf '1+1?\n/new\n1+1?\n' | wants 0 "${greedy[@]}" --context 30 --max-new-tokens 400 --ignore-eos >"$work/full" 2>"$work/stderr"
    [ "$(grep -c 'fills the context of 30 tokens; /undo .*, /new .* --context' "$work/full")" = 2 ] || failed "a full context is not said: $(cat "$work/full")"
    [ ! -e "$XDG_STATE_HOME" ] || failed "what came from a pipe is kept"
    proved "generate --chat: plain lines: history, /new, a system turn, whole characters, a line that is too long, a full context"
}

# Each answer is what ./generate draws for the row with that id; so for the saved row, whose answer is drawn again.
says_what_generate_says() {
    printf '1+1?\n/save %s\nand 7*3?\n/save %s\n/undo\n/system Be brief, ü.\n3*4?\n/save %s\n' "$work/1.jsonl" "$work/2.jsonl" "$work/3.jsonl" >"$work/said"
    wants 0 "${chat[@]}" --seed 5 <"$work/said" >"$work/talk" 2>"$work/stderr"
    sane
    cat "$work"/[123].jsonl >"$work/rows.jsonl"
    [ "$(grep -o '"id":"[0-9]*"' "$work/rows.jsonl" | tr -d '\n')" = '"id":"1""id":"2""id":"3"' ] || failed "ids: $(cat "$work/rows.jsonl")"
    rm -f "$work/drawn.jsonl"
    wants 0 ./generate --model "$model" --prompts "$work/rows.jsonl" --out "$work/drawn.jsonl" --seed 5 --max-new-tokens 12 --device cpu 2>"$work/stderr"
    paste -d' ' <(grep -oE '"content":"([^"\\]|\\.)*"\}\],' "$work/rows.jsonl" | sed 's/}\],$//; s/^"content"//') \
        <(grep -oE '"text":"([^"\\]|\\.)*"' "$work/drawn.jsonl" | sed 's/^"text"//') >"$work/both"
    [ "$(wc -l <"$work/both")" = 3 ] || failed "three rows are not understood: $(cat "$work/both")"
    awk 'substr($0, 1, (length($0) - 1) / 2) != substr($0, (length($0) + 3) / 2) { exit 1 }' "$work/both" || failed "generate draws others: $(cat "$work/both")"
    [ "$(grep -c 'Be brief, ü' "$work/rows.jsonl")" = 1 ] && ! grep -q '7\*3' "$work/3.jsonl" || failed "/system and /undo: $(cat "$work/rows.jsonl")"
    wants 0 ./prepare --tokenizer dev/demo/tokenizer --template chatml --out "$work/shards" "$work/rows.jsonl" >"$work/stdout" 2>"$work/stderr"
    grep -q '3 rows, chat' "$work/stdout" || failed "prepare reads $(cat "$work/stdout")"
    proved "generate --chat: sampled answers are ./generate's for the rows that /save writes; ./prepare takes them; /undo, /system"
}

commands_answer() {
    echo mine >"$work/mine.txt"
    printf '%s\n' /help /undo /tokens '/sytem x' '/new x' '/save' "/save $work/mine.txt" '/system' '/system A' '/system' '/system none' '/system' \
        1+1? "/save $work/mine.txt" "/save $work/nowhere/x.jsonl" /tokens /undo /tokens /exit 2+2? >"$work/said"
    wants 0 "${chat[@]}" --temperature 0 <"$work/said" >"$work/talk" 2>"$work/stderr"
    sane
    for said in '  /save FILE ' '(nothing has been said' '(there is no answer whose tokens' '(/sytem: no such command; /help' '(/new: nothing may stand' \
        '(/save: name a file' '(nothing has been answered yet)' 'mine.txt: already exists' 'nowhere' '(the last question and its answer are taken back)'; do
        grep -qF -- "$said" "$work/talk" || failed "no '$said' in: $(cat "$work/talk")"
    done
    [ "$(grep -c '^A$' "$work/talk")" = 1 ] && [ "$(grep -c 'there is no system message' "$work/talk")" = 2 ] || failed "/system: $(cat "$work/talk")"
    grep -qE '\[.* -?[0-9]+\.[0-9]{3}\]' "$work/talk" && grep -qE '^[0-9]+ tokens, log-probability -' "$work/talk" || failed "/tokens: $(cat "$work/talk")"
    [ "$(grep -c 'there is no answer whose tokens' "$work/talk")" = 2 ] || failed "tokens of an answer that was taken back"
    ! grep -q $'\x1b' "$work/talk" || failed "escape sequences in a file"
    [ "$(cat "$work/mine.txt")" = mine ] || failed "/save has overwritten a file of the user's"
    [ "$(tail -n 1 "$work/talk")" = "(there is no answer whose tokens could be shown)" ] || failed "/exit does not leave"
    proved "generate --chat: each command, and what is no command; files of others are not overwritten"
}

ctrl_c_ends_an_answer() {
    local talk answered
    mkfifo "$work/said.fifo"
    $program --model "$model" --chat --ignore-eos --temperature 0 --max-new-tokens 200 --device cpu <"$work/said.fifo" >"$work/talk" 2>"$work/stderr" &
    talk=$!
    exec 4>"$work/said.fifo"
    for _ in $(seq 100); do                                    # an answer may be over before its Ctrl-C is there
        answered=$(wc -c <"$work/talk")
        printf '/new\n1+1?\n' >&4
        for _ in $(seq 30000); do # a minute: it never comes
            [ "$(wc -c <"$work/talk")" -le "$answered" ] || break
            sleep 0.002
        done
        kill -INT $talk
        sleep 0.2
        ! grep -q '(stopped)$' "$work/talk" || break
    done
    kill -0 $talk 2>/dev/null || failed "Ctrl-C ended the talk"
    grep -q '(stopped)$' "$work/talk" || failed "Ctrl-C does not end an answer"
    printf '/save %s\n2+2?\n' "$work/stopped.jsonl" >&4
    exec 4>&-
    wants 0 wait $talk
    sane
    ! tail -n 1 "$work/talk" | grep -q '(stopped)$' || failed "there is no answer after one that was stopped"
    grep -q '"stopped":\[1\]' "$work/stopped.jsonl" && [ -n "$(content "$work/stopped.jsonl" 2)" ] || failed "a stopped answer is not marked: $(cat "$work/stopped.jsonl")"
    proved "generate --chat: Ctrl-C ends an answer, which stays and is marked, and the talk goes on"
}

# A question that shares pages with the one before it takes a page for a moment more than its context has.
a_full_context_leaves_the_chat_alive() {
    seq -f '12+3%.0f?' 60 >"$work/many"
    for sequences in 1 4; do
        "${chat[@]}" --context 512 --sequences $sequences --max-new-tokens 2 <"$work/many" >"$work/full$sequences" 2>"$work/stderr" ||
            failed "a full context ends the chat: $(cat "$work/stderr")"
    done
    grep -q 'leaves no room' "$work/full1" && cmp "$work/full1" "$work/full4" || failed "--sequences changes what is said: $(cat "$work/full1")"
    sane
    proved "generate --chat: a context that fills leaves it alive, with the same answers whatever the cache"
}

# ---- in a terminal

# Options: a chat in a terminal, its process in $talk; what it draws is in $work/screen.
terminal_begins() {
    rm -f "$work/keys"
    mkfifo "$work/keys"
    build/test/support/terminal "${chat[@]}" --temperature 0 "$@" <"$work/keys" >"$work/screen" 2>"$work/stderr" &
    talk=$!
    exec 5>"$work/keys"
    prompts=0
    prompted
}
prompted() { # the next prompt is there
    prompts=$((prompts + 1))
    for _ in $(seq 6000); do
        [ "$(grep -ao '2004h' "$work/screen" | wc -l)" -lt $prompts ] || return 0
        kill -0 $talk 2>/dev/null || failed "the chat has ended: $(cat -v "$work/screen")"
        sleep 0.01
    done
    failed "no prompt comes: $(cat -v "$work/screen")"
}
shows() { # TEXT
    for _ in $(seq 500); do
        ! grep -qaF -- "$1" "$work/screen" || return 0
        sleep 0.01
    done
    failed "'$1' is not shown: $(cat -v "$work/screen")"
}
settled() { # a prompt is there, and nothing comes after it
    local size=-1 looks=0
    until [ "$(tail -c 3 "$work/screen")" = 'h> ' ] && [ "$(wc -c <"$work/screen")" = $size ]; do
        looks=$((looks + 1))
        [ $looks -lt 600 ] || failed "no prompt comes: $(cat -v "$work/screen")"
        kill -0 $talk 2>/dev/null || failed "the chat has ended: $(cat -v "$work/screen")"
        size=$(wc -c <"$work/screen")
        sleep 0.1
    done
    prompts=$(grep -ao '2004h' "$work/screen" | wc -l)
}
types() { # KEYS, as printf has them, and waits for the next prompt
    # shellcheck disable=SC2059
    printf "$1" >&5
    prompted
}
terminal_ends() { # STATUS KEYS
    # shellcheck disable=SC2059
    printf "$2" >&5
    local status=0
    wait $talk || status=$?
    exec 5>&-
    sane
    [ "$status" = "$1" ] || failed "exit status $status instead of $1: $(cat -v "$work/screen")"
    ! grep -qaE 'Sanitizer|runtime error' "$work/screen" || failed "the sanitizers complain: $(cat -v "$work/screen")"
}

lines_are_edited_and_remembered() {
    local file=$XDG_STATE_HOME/dereason/chat_history.jsonl
    terminal_begins
    types '1+3?\x1b[D\x7f2\r'                                   # left, backspace: 1+2?
    types "/save $work/a.jsonl\r"
    printf 'ju' >&5
    shows ju
    kill -WINCH "$(children_of $talk)" && kill -CONT "$(children_of $talk)" # another size, or it was in the background
    printf 'nk' >&5
    shows junk
    types '\x03'
    types '2*2?\r'
    types 'a\\\rbü\r'                                           # a backslash: it goes on
    types '\x1b[200~x\x03\x1c\x1a\x13\x04\x1b[31m\x1b[2Jy\r\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb\x1b[201~\r' # pasted
    types "/save $work/b.jsonl\r"
    terminal_ends 0 '\x04'
    [ "$(content "$work/a.jsonl" 1)" = '"1+2?"' ] || failed "the line was not edited: $(cat "$work/a.jsonl")"
    [ "$(content "$work/b.jsonl" 3)" = '"2*2?"' ] || failed "Ctrl-C does not clear the line: $(cat "$work/b.jsonl")"
    [ "$(content "$work/b.jsonl" 5)" = '"a\nbü"' ] || failed "a backslash at the end of a line: $(cat "$work/b.jsonl")"
    [ "$(content "$work/b.jsonl" 7)" = '"x31mJy\n👩‍💻"' ] || failed "a pasted text: $(cat "$work/b.jsonl")"
    ! grep -qaF $'\x1b[2J' "$work/screen" || failed "what was pasted acts in the terminal"
    [ "$(stat -c %a "$file")" = 600 ] || failed "the history has mode $(stat -c %a "$file")"
    [ "$(head -n 1 "$file")" = '"1+2?"' ] && grep -qx '"a\\nbü"' "$file" || failed "the history is $(cat "$file")"
    terminal_begins
    types '\x1b[A\x1b[A\x1b[A\r'                                # what was said last but two
    types "/save $work/c.jsonl\r"
    terminal_ends 0 '/exit\r'
    [ "$(content "$work/c.jsonl" 1)" = '"a\nbü"' ] || failed "the history of an earlier chat: $(cat "$work/c.jsonl")"
    chmod 644 "$file"
    echo '{"not": "ours"}' >"$file"
    terminal_begins
    types '1+1?\r'
    terminal_ends 0 '\x04'
    grep -qa 'what you say is not kept: .*not a history of chats' "$work/screen" || failed "a foreign history: $(cat -v "$work/screen")"
    [ "$(cat "$file")" = '{"not": "ours"}' ] || failed "a foreign file was changed"
    rm "$file"
    proved "generate --chat in a terminal: lines are edited, go on after a backslash, come from a paste, are remembered (mode 0600)"
}

ctrl_c_in_a_terminal() {
    local i
    terminal_begins --ignore-eos --max-new-tokens 400
    for i in $(seq 50); do                                      # an answer may be over before its Ctrl-C is there
        printf '1+1?\r' >&5
        sleep "0.0$((1 + i % 9))"
        printf '\x03' >&5
        settled
        ! grep -qa 'stopped' "$work/screen" || break
        types '/new\r'                                         # it was at the prompt
    done
    grep -qaE '\(stopped|stopped before' "$work/screen" || failed "Ctrl-C does not end an answer: $(cat -v "$work/screen" | tail)"
    types '/new\r'
    printf 'abc' >&5
    shows abc
    types '\x03'
    kill -0 $talk || failed "one Ctrl-C leaves"
    terminal_ends 0 '\x03'
    grep -qa 'Ctrl-C again, or Ctrl-D, leaves' "$work/screen" || failed "a first Ctrl-C is not explained"
    # a signal leaves the terminal as it was found
    terminal_begins
    printf 'half a li' >&5
    shows 'half a li'
    kill -TERM "$(children_of $talk)"
    terminal_ends 143 ''
    [ "$(tail -c 200 "$work/screen" | grep -ao '2004[hl]' | tail -n 1)" = 2004l ] || failed "SIGTERM: $(cat -v "$work/screen")"
    proved "generate --chat in a terminal: Ctrl-C ends an answer, clears a line, and twice leaves; SIGTERM restores the terminal"
}

what_is_shown_cannot_act() {
    local seed
    terminal_begins --system $'\x1b]0;owned\x07\x1b[2J'
    types '/system\r'
    types '1+1?\r'
    types '/tokens\r'
    terminal_ends 0 '\x04'
    grep -qaF '\x1B]0;owned\x07\x1B[2J' "$work/screen" && ! grep -qaF $'\x1b]0;' "$work/screen" || failed "a system message acts: $(cat -v "$work/screen")"
    grep -qaF $'\x1b[3' "$work/screen" || failed "/tokens has no colours"
    NO_COLOR=1 terminal_begins
    types '1+1?\r'
    types '/tokens\r'
    terminal_ends 0 '\x04'
    ! grep -qaE $'\x1b''\[(2|3[0-9])m' "$work/screen" || failed "colours in spite of NO_COLOR: $(cat -v "$work/screen")"
    # any bytes but those of Ctrl-C, Ctrl-D, Ctrl-Z and Ctrl-\, which mean something
    for seed in $(seq "$([ "$mode" = long ] && echo 40 || echo 3)"); do
        terminal_begins --max-new-tokens 2
        awk -v seed=$((seed + ${SEED:-0})) 'BEGIN { srand(seed); for (i = 0; i < 400; i++) { c = int(rand() * 256)
            if (c != 3 && c != 4 && c != 26 && c != 28 && c != 17 && c != 19) printf "\\x%02x", c } }' >"$work/bytes"
        # shellcheck disable=SC2059
        printf "$(cat "$work/bytes")" >&5
        for _ in $(seq 1000); do                                # the first may be part of what was typed
            { printf '\x03' >&5; } 2>/dev/null || break        # it may leave between two of them
            sleep 0.05
            kill -0 $talk 2>/dev/null || break
        done
        exec 5>&-
        wait $talk || failed "bytes of seed $seed end the chat with status $?: $(cat -v "$work/screen")"
        ! grep -qaE 'Sanitizer|runtime error' "$work/screen" || failed "the sanitizers complain: $(cat -v "$work/screen")"
    done
    head -c 3000 /dev/urandom | "${chat[@]}" --max-new-tokens 2 >"$work/talk" 2>"$work/stderr" || failed "random lines end the chat with status $?"
    sane
    proved "generate --chat: nothing that is shown acts in a terminal; NO_COLOR; any bytes may be typed"
}

talks
says_what_generate_says
commands_answer
a_full_context_leaves_the_chat_alive
ctrl_c_ends_an_answer
lines_are_edited_and_remembered
ctrl_c_in_a_terminal
what_is_shown_cannot_act
