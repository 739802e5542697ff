#!/bin/sh
# The files that a fuzz target starts from.
case "$1" in
fuzz_tokenizer) ls test/fixtures/tokenizer/*.jsonl ;;
fuzz_safetensors) ls test/fixtures/models/*/model*.safetensors ;;
fuzz_config) ls test/fixtures/models/*/config.json ;;
*) echo README.md ;;
esac
