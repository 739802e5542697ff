#!/usr/bin/env python3
"""Is what a run with --lora has written read by PEFT and transformers? OUT of the run, and the model that it was trained for.

The log-probabilities of some tokens by OUT/model and by PEFT with OUT/adapter on the base; and whether merge_and_unload gives OUT/model's
numbers. With --export-dtype fp32 both are fp32's roundings apart, with bf16 the merged model is one rounding of its weights away.
"""

import os
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def logprobs(model, ids):
    with torch.no_grad():
        return torch.log_softmax(model(input_ids=ids, use_cache=False).logits[0, :-1].double(), dim=-1).gather(1, ids[0, 1:, None])[:, 0]


def main(out, base):
    model, adapted, alone = load(os.path.join(out, "model")), PeftModel.from_pretrained(load(base), os.path.join(out, "adapter")).eval(), load(base)
    ids = torch.randint(0, min(1000, model.config.vocab_size), (1, 200), generator=torch.Generator().manual_seed(1))
    a, b, c = logprobs(model, ids), logprobs(adapted, ids), logprobs(alone, ids)
    print(f"log-probabilities of 199 tokens: OUT/model and PEFT's differ by {(a - b).abs().max():.2e}, from the base by {(a - c).abs().max():.2e}")
    merged, worst = adapted.merge_and_unload().state_dict(), 0.0
    for name, x in model.state_dict().items():
        worst = max(worst, ((x - merged[name]).abs().max() / x.abs().max()).item())
    print(f"weights: OUT/model and merge_and_unload's differ by {worst:.2e} of their tensor's largest")


if __name__ == "__main__":
    main(*sys.argv[1:])
