#!/bin/sh
# The files that a fuzz target starts from. Long texts are cut into pieces, so that a mutation costs little.
case "$1" in
fuzz_tokenizer)
    mkdir -p build/fuzz
    split -C 2k test/fixtures/tokenizer/hard_texts.jsonl build/fuzz/hard-
    split -C 2k test/fixtures/tokenizer/tiny.texts.jsonl build/fuzz/tiny-
    ls build/fuzz/hard-* build/fuzz/tiny-*
    ;;
fuzz_safetensors) ls test/fixtures/models/*/model*.safetensors ;;
fuzz_config) ls test/fixtures/models/*/config.json ;;
fuzz_shard) ls test/fixtures/shards/*/*.bin ;;
fuzz_verify) ls test/fixtures/answers_to_verify/*.txt ;;
fuzz_answer) ls test/fixtures/answers/*.json ;;
fuzz_findings) ls test/fixtures/findings/*.txt ;;
fuzz_request) ls test/fixtures/requests/*.json ;;
fuzz_scoring)
    mkdir -p build/fuzz
    awk 'NR % 5 == 0' test/fixtures/benchmarks/responses.json | split -l 2 -a 3 - build/fuzz/responses-
    ls build/fuzz/responses-*
    ;;
*)
    echo "corpus.sh: $1: no such fuzz target" >&2
    exit 1
    ;;
esac
