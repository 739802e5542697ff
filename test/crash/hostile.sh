#!/usr/bin/env bash
# Files and options as an adversary, or a broken download, would give them, to the build with the sanitizers: each is one line of
# error that names the file and the place, exit status 1 (2 for usage), and nothing is written but a folder for the run.
# The formats' own tests are in test/unit; here it is what a user sees.
. "$(dirname "$0")/common.bash"
tiny_recipe
program=build/asan/train_sft
[ -x $program ] || failed "$program is not built"
tied=test/fixtures/models/tied
out=$work/out
for i in 1 2 3 4 5 6 7 8; do
    echo "{\"ids\": [$i, 11, 12, 13, 14, 15, 16, 17, 18, 19]}"
done >"$work/ids.jsonl"

# STATUS, saying..., --, command: wants this status and one line of error that says all of it; $out keeps what was in it.
refused() {
    local wanted=$1 status=0 sayings=()
    shift
    while [ "$1" != -- ]; do
        sayings+=("$1")
        shift
    done
    shift
    rm -rf "$out"
    mkdir -p "$out"
    echo precious >"$out/notes.txt"
    "$@" >"$work/stdout" 2>"$work/stderr" </dev/null || status=$?
    ! grep -qE 'Sanitizer|runtime error' "$work/stderr" || failed "the sanitizers complain: $*"
    [ "$status" = "$wanted" ] || failed "exit status $status instead of $wanted (${sayings[0]}): $*"
    [ "$(wc -l <"$work/stderr")" = 1 ] && grep -q '^train_sft: ' "$work/stderr" || failed "not one line of error: $*"
    ! LC_ALL=C grep -q $'[\x01-\x09\x0b-\x1f\x7f]' "$work/stderr" || failed "the error holds control characters: $*"
    for saying in "${sayings[@]}"; do
        says "$saying"
    done
    [ "$(cat "$out/notes.txt")" = precious ] || failed "a file in --out was changed: $*"
    [ ! -e "$out/model" ] && [ ! -e "$out/checkpoints" ] || failed "a run that failed left a model or a checkpoint: $*"
    count=$((count + 1))
}
count=0
group() {
    proved "$1: $count cases"
    count=0
}

tiny() { $program --threads 1 --steps 2 --slots 1 --out "$out" "$@"; }
with_model() { tiny --data "$work/ids.jsonl" --model "$@"; }
with_rows() { tiny --model $tied --data "$@"; }
with_config() { tiny --data "$work/ids.jsonl" --init "$@"; }

little_endian() {                                              # a number as 8 bytes
    local value=$1 i
    for i in 1 2 3 4 5 6 7 8; do
        printf "\\x$(printf %02x $((value & 255)))"
        value=$((value >> 8))
    done
}
poke() { dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }  # FILE, OFFSET: stdin replaces bytes there

folder_number=0
model_folder() {                                               # a copy of the fixture, to be spoiled: $folder, $weights
    folder_number=$((folder_number + 1))
    folder=$work/model-$folder_number
    weights=$folder/model.safetensors
    mkdir "$folder"
    cp $tied/config.json $tied/model.safetensors "$folder"
}
weights_of() {                                                 # header, number of data bytes: a model folder with such weights
    model_folder
    { little_endian ${#1}; printf '%s' "$1"; head -c "$2" /dev/zero; } >"$weights"
}
one_tensor() { weights_of "{\"a\": {\"dtype\": \"F32\", \"shape\": $1, \"data_offsets\": [$2, $3]}}" "$4"; }
two_tensors() {                                                # names and offsets: two tensors of 8 bytes, 16 bytes of data
    weights_of "{\"$1\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": $2},
                 \"$3\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": $4}}" 16
}
refused_weights() { refused 1 "$weights" "$@" -- with_model "$folder"; }
refused_model() { refused 1 "$folder" "$@" -- with_model "$folder"; }

hostile_weights() {
    local size header
    model_folder; rm "$weights"; refused_model "model.safetensors"
    model_folder; : >"$weights"; refused_weights "too few"
    size=$(stat -c %s $tied/model.safetensors)
    header=$(od -An -tu8 -N8 $tied/model.safetensors | tr -d ' ')
    model_folder; truncate -s 5 "$weights"; refused_weights "5 bytes are too few"
    model_folder; truncate -s 300 "$weights"; refused_weights "the header should have $header bytes"
    model_folder; truncate -s $((size - 4)) "$weights"; refused_weights "tensor" "download is incomplete"
    model_folder; echo trailing >>"$weights"; refused_weights "the tensors end at byte"
    model_folder; printf '\xff\xff\xff\xff\xff\xff\xff\xff' | poke "$weights" 0; refused_weights "18446744073709551615 bytes"
    model_folder; printf '\xff\xff\xff\xff\xff\xff\xff\x7f' | poke "$weights" 0; refused_weights "9223372036854775807 bytes"
    model_folder; little_endian 0 | poke "$weights" 0; refused_weights "not valid JSON"
    model_folder; printf '[' | poke "$weights" 8; refused_weights "not valid JSON"
    model_folder; printf '\xff' | poke "$weights" 12; refused_weights "not valid JSON"
    weights_of '[]' 0; refused_weights "not a JSON object"
    weights_of '{"a": 1}' 0; refused_weights "tensor a" "not an object"
    two_tensors a '[0, 8]' b '[4, 12]'; refused_weights "tensor b begins at byte 4"
    two_tensors a '[0, 8]' b '[0, 8]'; refused_weights "begins at byte 0"
    two_tensors a '[0, 8]' a '[8, 16]'; refused_weights "duplicate"
    two_tensors a '[8, 16]' b '[0, 7]'; refused_weights "8 bytes"
    one_tensor '[2]' 8 16 16; refused_weights "tensor a begins at byte 8"
    one_tensor '[2]' 0 4000 8; refused_weights "tensor a" "ends at byte 4000"
    one_tensor '[2]' 0 9223372036854775807 8; refused_weights "tensor a"
    one_tensor '[2]' 0 18446744073709551624 8; refused_weights "not valid JSON"
    one_tensor '[2]' -8 0 8; refused_weights "tensor a" "not a span"
    one_tensor '[4611686018427387904, 4]' 0 8 8; refused_weights "64 bits"
    one_tensor '[1152921504606846977, 2, 4]' 0 8 8; refused_weights "64 bits"
    one_tensor '[-2, -1]' 0 8 8; refused_weights "shape[0]"
    weights_of '{"a": {"dtype": "Q4_K", "shape": [2], "data_offsets": [0, 8]}}' 8; refused_weights "Q4_K"
    one_tensor '[3]' 0 8 8; refused_weights "12 bytes"
    weights_of '{"evil\u001b[2Jname\n": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}' 8; refused_weights "12 bytes"
    weights_of '{}' 0; refused_model "model.embed_tokens.weight is missing"
    model_folder; printf '\x00\x00\xc0\x7f' | poke "$weights" $((size - 4)); refused_weights "tensor model." "nan"
    model_folder; printf '\x00\x00\x80\xff' | poke "$weights" $((8 + header)); refused_weights "tensor model." "element 0" "-inf"
    group "weights that are missing, cut, overlapping, overflowing or not finite"
}

hostile_shards() {
    model_folder; echo '{"weight_map": {"a": "../model.safetensors"}}' >"$weights.index.json"
    refused_weights "index.json" "plain name" "tensor a"
    model_folder; rm "$weights"; echo '{"weight_map": {"a": "gone.safetensors"}}' >"$weights.index.json"
    refused 1 "$folder/gone.safetensors" -- with_model "$folder"
    model_folder; echo '{"weight_map": {"a": "model.safetensors"}}' >"$weights.index.json"; refused_weights "index"
    model_folder; echo '{"weight_map": []}' >"$weights.index.json"; refused_weights "weight_map"
    model_folder; printf '{"weight_map": ' >"$weights.index.json"; refused_weights "not valid JSON"
    group "an index of shards that lies"
}

spoil() { model_folder; sed -i "$1" "$folder/config.json"; }
refused_config() { refused 1 "$folder/config.json" "$@" -- with_model "$folder"; }

hostile_config() {
    model_folder; rm "$folder/config.json"; refused_model "config.json is missing"
    model_folder; : >"$folder/config.json"; refused_config
    model_folder; truncate -s 200 "$folder/config.json"; refused_config "not valid JSON" "cut short"
    model_folder; head -c 5000000 /dev/zero >"$folder/config.json"; refused_config "5000000 bytes"
    model_folder; head -c 300000 /dev/zero | tr '\0' '[' >"$folder/config.json"; refused_config "not valid JSON"
    spoil 's/"hidden_size": 32/"hidden_size": 32.5/'; refused_config "hidden_size"
    spoil 's/"hidden_size": 32/"hidden_size": -32/'; refused_config "hidden_size"
    spoil 's/"hidden_size": 32/"hidden_size": 99999999999999999999/'; refused_config
    spoil 's/"vocab_size": 211/"vocab_size": 0/'; refused_config "vocab_size"
    spoil 's/"head_dim": 16/"head_dim": 15/'; refused_config "head_dim"
    spoil 's/"num_key_value_heads": 2/"num_key_value_heads": 3/'; refused_config "num_key_value_heads"
    spoil 's/"model_type": "qwen3"/"model_type": "llama"/'; refused_config "llama"
    spoil 's/"model_type": "qwen3"/"model_type": "a\\nb\\u001b"/'; refused_config "model_type"
    spoil 's/"model_type": "qwen3"/"model_type": "qwen2"/'; refused_config "Qwen2ForCausalLM"
    spoil 's/"qwen3"/"qwen2"/; s/Qwen3For/Qwen2For/'; refused_model "self_attn.k_norm.weight does not belong to the Qwen2 model"
    spoil 's/"rope_scaling": null/"rope_scaling": {"rope_type": "yarn", "factor": 4}/'; refused_config "yarn"
    spoil 's/"eos_token_id": 2/"eos_token_id": 211/'; refused_config "eos_token_id"
    spoil 's/"attention_bias": false/"attention_bias": true/'; refused_config "attention_bias"
    spoil 's/"use_sliding_window": false/"use_sliding_window": true/'; refused_config "use_sliding_window"
    spoil 's/"hidden_size": 32/"hidden_size": 48/'; refused_model "model.embed_tokens.weight" "211 x 48"
    spoil 's/"num_hidden_layers": 2/"num_hidden_layers": 3/'; refused_model "model.layers.2" "missing"
    spoil 's/"tie_word_embeddings": true/"tie_word_embeddings": false/'; refused 1 "lm_head.weight" -- with_model "$folder"
    spoil 's/"max_position_embeddings": 2048/"max_position_embeddings": 9/'
    refused 1 "10 tokens" "max_position_embeddings is 9" -- with_model "$folder"
    sed 's/"hidden_size": 32/"hidden_size": 1048576/' $tied/config.json >"$work/huge.json"
    sed -i 's/"num_hidden_layers": 2/"num_hidden_layers": 4096/' "$work/huge.json"
    program=./train_sft                                        # the sanitizers' own malloc ends a program that asks for so much
    refused 1 "weights and gradients" "GiB" "no option makes it fit" -- with_config "$work/huge.json"
    program=build/asan/train_sft
    refused 1 "$work/nowhere.json" -- with_config "$work/nowhere.json"
    refused 1 "$work/nowhere" "no such folder" -- with_model "$work/nowhere"
    refused 1 "$work/ids.jsonl" -- with_model "$work/ids.jsonl"
    mkdir "$work/empty"; refused 1 "$work/empty" "config.json is missing" -- with_model "$work/empty"
    group "config.json broken, of another model, or at odds with the weights"
}

says_not() { ! grep -qF -- "$1" "$work/stderr" || failed "the error says '$1'"; }

spoiled_tokenizer() {                                          # expression of sed; a tokenizer folder in $folder
    model_folder
    sed "$1" test/fixtures/tokenizer/tiny/tokenizer.json >"$folder/tokenizer.json"
    cp test/fixtures/tokenizer/tiny/tokenizer_config.json "$folder"
}
refused_tokenizer() {
    refused 1 "$folder/tokenizer" "$@" -- tiny --init "$work/config.json" --data "$work/train.jsonl" --tokenizer "$folder" \
        --template chatml
}

hostile_tokenizer() {
    model_folder; refused 1 "$folder" "tokenizer.json" -- with_model $tied --tokenizer "$folder"
    spoiled_tokenizer ''; : >"$folder/tokenizer.json"; refused_tokenizer "the file is empty; download or copy it again"
    spoiled_tokenizer ''; truncate -s 3000 "$folder/tokenizer.json"; refused_tokenizer "not valid JSON" "the file is cut short; download or copy it again"
    spoiled_tokenizer ''; echo '<html>Log in</html>' >"$folder/tokenizer.json"; refused_tokenizer "the file is a web page; download or copy it again"
    spoiled_tokenizer ''; truncate -s 3001 "$folder/tokenizer_config.json"; refused 1 "tokenizer_config.json" "cut short" -- \
        tiny --init "$work/config.json" --data "$work/train.jsonl" --tokenizer "$folder"
    spoiled_tokenizer '$s/}$/]/'; refused_tokenizer "not valid JSON"; says_not "cut short"
    spoiled_tokenizer 's/"type": "BPE"/"type": "Unigram"/'; refused_tokenizer "Unigram"
    spoiled_tokenizer 's/"type": "NFC"/"type": "Lowercase"/'; refused_tokenizer "Lowercase"
    spoiled_tokenizer '0,/": 5,/s//": 6,/'; refused_tokenizer "6"
    spoiled_tokenizer '0,/": 5,/s//": 2000000000,/'; refused_tokenizer
    spoiled_tokenizer '0,/": 5,/s//": -5,/'; refused_tokenizer
    spoiled_tokenizer ''; printf '{"chat_template": "{{ \\u001b[2J unknown }}"}' >"$folder/tokenizer_config.json"
    refused 1 "$folder/tokenizer_config.json" "--template" -- \
        tiny --init "$work/config.json" --data "$work/train.jsonl" --tokenizer "$folder"
    spoiled_tokenizer ''; refused 1 "$folder" "358 tokens" "211" -- with_model $tied --tokenizer "$folder"
    group "tokenizer files broken, of another kind, or larger than the model"
}

row() { printf "$@" >"$work/rows.jsonl"; }                     # the rows as printf has them
refused_row() { refused 1 "$work/rows.jsonl:$1" "${@:2}" -- with_rows "$work/rows.jsonl"; }

hostile_rows() {
    local good='{"ids": [1, 2, 3]}\n'
    row "$good$good{\"ids\": [1, 2\n$good"; refused_row 3 "not valid JSON"
    row "$good$good{\"ids\": [1, 2]} x\n"; refused_row 3 "not valid JSON"
    row "$good\n$good[1]\n"; refused_row 4 "JSON object"
    row "$good{\"id\": \"\xff\xfe\", \"ids\": [1, 2]}\n"; refused_row 2 "unable to decode byte"
    row "$good{\"id\": \"\xed\xa0\x80\", \"ids\": [1, 2]}\n"; refused_row 2 "unable to decode byte"
    row "$good{\"ids\": [1, 2], \"x\": \0}\n"; refused_row 2
    row "$good{\"ids\": [1, 211]}\n"; refused_row 2 "token 1 is 211" "211 tokens"
    row "$good{\"ids\": [1, -1]}\n"; refused_row 2 "ids[1]"
    row "$good{\"ids\": [1, 4294967297]}\n"; refused_row 2 "ids[1]"
    row "$good{\"ids\": [1, 99999999999999999999]}\n"; refused_row 2 "ids[1] is not a token id"
    row "$good{\"ids\": [1, 2.0]}\n"; refused_row 2 "ids[1]"
    row "$good{\"ids\": [1]}\n"; refused_row 2 "at least two"
    row "$good{\"ids\": []}\n"; refused_row 2 "at least two"
    row "$good{\"ids\": [1, 2], \"labels\": [-100, -100]}\n"; refused_row 2 "none of its tokens is trained"
    row "$good{\"ids\": [1, 2], \"labels\": [-100, 3]}\n"; refused_row 2 "labels[1]"
    row "$good{\"ids\": [1, 2], \"labels\": [2]}\n"; refused_row 2 "labels"
    row "$good{\"ids\": [1, 2], \"difficulty\": 6}\n"; refused_row 2 "difficulty"
    row "$good{\"ids\": [1, 2], \"problem\": \"x\"}\n"; refused_row 2 "both"
    row "$good{\"nothing\": 1}\n"; refused_row 2 "no known row format"
    row "$good{\"problem\": \"a\", \"solution\": \"b\"}\n"; refused 1 "the rows are text" "--tokenizer" -- with_rows "$work/rows.jsonl"
    row "$good{\"messages\": [{\"role\": \"wi\\\\nzard\\\\u001b[2J\", \"content\": \"x\"}]}\n"; refused_row 2 "wi"
    { printf '{"ids": '; head -c 3000000 /dev/zero | tr '\0' '['; echo; } >"$work/rows.jsonl"; refused_row 1 "not valid JSON"
    row "$good{\"ids\": [1, 1e999]}\n"; refused_row 2
    row "$good{}\n{}\n"; refused 1 "$work/rows.jsonl:3" "--skip-bad-rows 1" -- with_rows "$work/rows.jsonl" --skip-bad-rows 1
    row '{}\n{}\n'
    refused 1 "$work/rows.jsonl" "nothing to train on" "2 are bad" -- with_rows "$work/rows.jsonl" --skip-bad-rows 2
    row ''; refused 1 "$work/rows.jsonl" "there is no row in it" -- with_rows "$work/rows.jsonl"
    row '\n\n'; refused 1 "$work/rows.jsonl" "there is no row in it" -- with_rows "$work/rows.jsonl"
    refused 1 "$work/ids.jsonl" "8 are longer than --seq-len 9" -- with_rows "$work/ids.jsonl" --seq-len 9
    refused 1 "$work/ids.jsonl" "has 10 tokens" "--seq-len 9" -- with_rows "$work/ids.jsonl" --seq-len 9 --over-length error
    refused 1 "$work/gone.jsonl" "No such file" -- with_rows "$work/gone.jsonl"
    refused 1 "$work/empty" "*.jsonl" -- with_rows "$work/empty"
    refused 1 "/dev/zero" "not a regular file" -- with_rows /dev/zero
    row "$good{\"ids\": 1}\n"; refused 1 "$work/rows.jsonl:2" -- with_rows "$work/ids.jsonl" --eval-data "$work/rows.jsonl"
    row '{"problem": "a"}\n'; refused 1 "$work/rows.jsonl:1" "no response" -- \
        tiny --init "$work/config.json" --tokenizer dev/demo/tokenizer --data "$work/rows.jsonl"
    row '{"problem": "a", "solution": "b\\ud800"}\n'; refused 1 "$work/rows.jsonl:1" -- \
        tiny --init "$work/config.json" --tokenizer dev/demo/tokenizer --data "$work/rows.jsonl"
    group "rows that are broken, empty, too long, or not of this model"
}

usage() { refused 2 "$@"; }
refused_conf() {                                               # line, content as printf has it, saying...
    printf "$2" >"$work/run.conf"
    usage "$work/run.conf:$1" "${@:3}" -- with_rows "$work/ids.jsonl" --config "$work/run.conf"
}

hostile_options() {
    usage "--lerning-rate" -- with_rows "$work/ids.jsonl" --lerning-rate 1
    usage "--warmup-step" "did you mean --warmup-steps" -- with_rows "$work/ids.jsonl" --warmup-step 1
    for value in 0 -1 nan inf 1e999 1e-5x '' 0x; do
        usage "--lr" "must be" -- with_rows "$work/ids.jsonl" --lr="$value"
    done
    for value in -1 1.5 99999999999999999999 4097 1e300; do
        usage "--threads" "must be" -- with_rows "$work/ids.jsonl" --threads="$value"
    done
    usage "--beta1" "must be" -- with_rows "$work/ids.jsonl" --beta1 1
    usage "--slots" "must be" -- with_rows "$work/ids.jsonl" --slots 0
    usage "--over-length" "drop|cut|error" -- with_rows "$work/ids.jsonl" --over-length trim
    usage "--moments" "fp32|bf16" -- with_rows "$work/ids.jsonl" --moments fp8
    usage "--lr" "missing" -- with_rows "$work/ids.jsonl" --lr
    usage "ids" -- with_rows "$work/ids.jsonl" --seed 1 ids
    usage "--data" "missing" -- tiny --model $tied
    usage "--out" "missing" -- $program --model $tied --data "$work/ids.jsonl"
    usage "$work/gone.conf" -- with_rows "$work/ids.jsonl" --config "$work/gone.conf"
    refused_conf 2 'seed = 1\nlr = many\n' "lr" "must be"
    refused_conf 3 'seed = 1\n\nsede = 2\n' "did you mean seed"
    refused_conf 1 'instruction = "no end\n' "closing"
    refused_conf 2 'seed = 1\nseed = 2\n' "twice"
    refused 1 "--device cuda" "no CUDA" -- with_rows "$work/ids.jsonl" --device cuda
    refused 2 "--model" "--init" -- with_rows "$work/ids.jsonl" --init "$work/config.json"
    refused 2 "--model" "--init" -- tiny --data "$work/ids.jsonl"
    refused 1 "$work/nowhere" -- with_rows "$work/ids.jsonl" --resume "$work/nowhere"
    refused 1 "DEREASON_CPU=sse9" "avx2" -- env DEREASON_CPU=sse9 $program --model $tied --data "$work/ids.jsonl" --out "$out"
    group "options that are unknown, out of range or at odds"
}

hostile_places() {
    refused 1 "$work/ids.jsonl" -- with_rows "$work/ids.jsonl" --out "$work/ids.jsonl"
    refused 1 "$work/ids.jsonl/run" "Not a directory" -- with_rows "$work/ids.jsonl" --out "$work/ids.jsonl/run"
    refused 1 "/proc/run" -- with_rows "$work/ids.jsonl" --out /proc/run
    recipe=(--model $tied --data "$work/ids.jsonl" --steps 2 --slots 1 --threads 1)
    wants 0 train "$work/done"
    refused 1 "step-2" "checkpoint" "build/export" -- with_model "$work/done/checkpoints/step-2"
    rm -r "$work/done/model"
    refused 1 "$work/done" "build/export" -- with_model "$work/done"
    sed -i '1s/.*/half a line/' "$work/done/log.jsonl"
    cp "$work/done/log.jsonl" "$work/log"
    refused 1 "$work/done/log.jsonl:1" -- "$program" "${recipe[@]}" --out "$work/done"
    cmp "$work/log" "$work/done/log.jsonl" >"$work/stderr" || failed "a log that can't be read was changed"
    # a log, or a model, that is not ours: left alone, and nothing is created beside it
    mkdir -p "$work/theirs" "$work/third/model"
    printf '{"step": 1, "loss": 2.5}\n{"step": 2, "loss": 2.25}\n' >"$work/theirs/log.jsonl"
    printf 'epoch 1\n' >"$work/third/log.jsonl"
    cp -r "$work/theirs" "$work/third" "$work/done"
    for place in theirs third; do
        for resume in auto none; do
            refused 1 "$work/$place/log.jsonl: is there, but no run has been here" "take another --out" -- \
                "$program" "${recipe[@]}" --out "$work/$place" --resume $resume
        done
        diff -r "$work/$place" "$work/done/$place" >"$work/stderr" || failed "a folder with another program's log is another one now"
    done
    rm "$work/third/log.jsonl"
    refused 1 "$work/third/model exists, but" -- "$program" "${recipe[@]}" --out "$work/third"
    [ "$(ls "$work/third")" = model ] || failed "something is left beside somebody's model: $(ls "$work/third")"
    sed -i 's/"shard-/"..\/shard-/' "$work/done/checkpoints/step-2/MANIFEST.json"
    refused 1 "$work/done/checkpoints/step-2" "does not match its checksum" -- with_rows "$work/ids.jsonl" --resume "$work/done/checkpoints/step-2"
    printf '{"format": ' >"$work/done/checkpoints/step-2/MANIFEST.json"
    refused 1 "$work/done/checkpoints/step-2" "not valid JSON" -- \
        with_rows "$work/ids.jsonl" --resume "$work/done/checkpoints/step-2"
    group "places that can't be written, and checkpoints that are no models"
}

# What --lr 1e30 does to the weights is finite for one step; what 1e39 does is not, and must not get to the disk.
not_finite() { od -An -v -tf4 -w4 -j $((8 + $(od -An -tu8 -N8 "$1"))) "$1" | grep -ciE 'nan|inf' || true; }

diverged() {                                                   # learning rate, what the error must say
    local shard
    recipe=(--model $tied --data "$work/ids.jsonl" --steps 6 --warmup-steps 0 --slots 1 --threads 1 --save-every 1)
    wants 1 $program "${recipe[@]}" --lr "$1" --out "$work/far-$1" >"$work/stdout" 2>"$work/stderr"
    [ "$(wc -l <"$work/stderr")" = 1 ] || failed "not one line of error"
    says "finite"
    says "step $2"
    [ ! -e "$work/far-$1/model" ] || failed "a run that diverged left a model"
    for shard in "$work/far-$1"/checkpoints/step-*/*.safetensors; do
        [ ! -e "$shard" ] || [ "$(not_finite "$shard")" = 0 ] || failed "$shard holds what is not finite"
    done
}

divergence() {
    printf '\x00\x00\xc0\x7f\x00\x00\x80\x7f\x00\x00\x80\x3f' >"$work/floats"
    { little_endian 0; cat "$work/floats"; } >"$work/three"
    [ "$(not_finite "$work/three")" = 2 ] || failed "this test does not see a NaN"
    diverged 1e30 2
    diverged 1e39 1
    # 3.399e38 is finite as fp32, and rounds to infinity as bf16: the checkpoint may stand, the model may not.
    recipe=(--model $tied --data "$work/ids.jsonl" --steps 1 --warmup-steps 0 --slots 1 --threads 1 --lr 3.399e38 --beta1 1e-9)
    wants 1 $program "${recipe[@]}" --out "$work/edge" >"$work/stdout" 2>"$work/stderr"
    says "not finite as bf16"
    says "tensor model."
    [ ! -e "$work/edge/model" ] && [ -z "$(find "$work/edge" -name '*.tmp-*')" ] || failed "half a model was left behind"
    proved "a run that diverges ends with an error that names the step, and nothing that is not finite is on the disk"
}

hostile_weights
hostile_shards
hostile_config
hostile_tokenizer
hostile_rows
hostile_options
hostile_places
divergence
