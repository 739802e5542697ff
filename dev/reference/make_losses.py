#!/usr/bin/env python3
"""Writes test/fixtures/losses/losses.json: losses of reinforcement learning and their gradients with respect to the logits, in fp64.

usage: make_losses.py [OUT.json]
The formulas are those of verl (core_algos.py) and TRL (GRPOTrainer), written down again for PyTorch on random ragged responses; automatic
differentiation makes the gradients. Where TRL's conventions are verl's under another name, both are made and have to agree. Log-probabilities
that were recorded (old, reference, sampled) are fp32, as a trainer records them. test/unit/test_losses.c compares rl/objective.c with it.
"""

import json
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
VOCABULARY, LENGTHS, LONGEST = 5, (1, 3, 8, 2, 6, 4), 12
ADVANTAGES = (1.25, -0.75, 0.5, 0.0, -1.5, 2.0)
torch.set_default_dtype(torch.float64)


def recorded(x):
    return x.detach().float().double()


def logprobs(logits, targets, temperature):
    """Per response: log-probabilities of the targets, and entropies, at the temperature."""
    lp, entropy = [], []
    for z, t in zip(logits, targets):
        all_lp = torch.log_softmax(z / temperature, dim=-1)
        lp.append(all_lp.gather(1, t[:, None])[:, 0])
        entropy.append(-(all_lp.exp() * all_lp).sum(-1))
    return lp, entropy


def make_responses():
    torch.manual_seed(20261126)
    logits = [2 * torch.randn(n, VOCABULARY) for n in LENGTHS]
    targets = [torch.randint(VOCABULARY, (n,)) for n in LENGTHS]
    lp, _ = logprobs(logits, targets, 1.0)
    spread = (0.05, 0.3, 0.5, 0.5, 0.7, 1.0)  # from hardly another policy to quite another one
    old = [recorded(x + s * torch.randn_like(x)) for x, s in zip(lp, spread)]
    old[2][3], old[4][1] = recorded(lp[2][3] - 25), recorded(lp[4][1] + 25)  # beyond the clamps of 20
    reference = [recorded(x + 0.8 * torch.randn_like(x)) for x in lp]
    reference[2][5], reference[4][2] = recorded(lp[2][5] + 5), recorded(lp[4][2] + 30)  # k3 beyond 10, its argument beyond 20
    sampled = [recorded(x + 0.4 * torch.randn_like(x)) for x in old]
    return logits, targets, old, reference, sampled


# ---- verl


def policy_loss(lp, old, a, c):
    """A response's losses, one a token; and which of them are clipped, from above or from below."""
    if c["loss"] == "gspo":
        mean = torch.clamp((lp - old).mean(), max=10.0)
        log_ratio = lp - lp.detach() + mean.detach()  # the value is the response's, the gradient the token's
        ratio = torch.exp(torch.clamp(log_ratio, max=10.0))
        if mean.detach() >= 10:
            ratio = ratio.detach()
    else:
        ratio = torch.exp(torch.clamp(lp - old, -20.0, 20.0))
    kept = torch.clamp(ratio, 1 - c["clip_low"], 1 + c["clip_high"])
    if c["loss"] == "cispo":
        return -kept.detach() * a * lp, kept != ratio, torch.zeros_like(lp, dtype=torch.bool)
    plain, clipped = -a * ratio, -a * kept
    loss = torch.maximum(plain, clipped)
    lower = torch.zeros_like(lp, dtype=torch.bool)
    if c["loss"] == "clip" and c["dual_clip"] > 0 and a < 0:
        lower = loss > -a * c["dual_clip"]
        loss = torch.minimum(loss, torch.full_like(loss, -a * c["dual_clip"]))
    return loss, clipped > plain, lower


def kl(kind, lp, ref):
    if kind == "k1":
        return lp - ref
    if kind == "k2":
        return 0.5 * (lp - ref) ** 2
    x = torch.clamp(ref - lp, -20.0, 20.0)
    return torch.clamp(torch.exp(x) - x - 1, -10.0, 10.0)


def aggregate(rows, mode):
    if mode == "token-mean":
        return torch.cat(rows).sum() / sum(len(r) for r in rows)
    if mode == "seq-mean-token-mean":
        return torch.stack([r.mean() for r in rows]).mean()
    return torch.stack([r.sum() for r in rows]).sum() / (len(rows) * LONGEST)


def verl(lp, entropy, old, reference, sampled, c):
    policy, clipped, lower = zip(*(policy_loss(l, o, a, c) for l, o, a in zip(lp, old, ADVANTAGES)))
    if c["importance_cap"] > 0:
        policy = [p * torch.clamp(torch.exp(torch.clamp(o - s, -20.0, 20.0)), max=c["importance_cap"]) for p, o, s in zip(policy, old, sampled)]
    loss = aggregate(list(policy), c["aggregation"]) - c["entropy"] * aggregate(entropy, c["aggregation"])
    if c["kl_coef"] > 0:
        loss = loss + c["kl_coef"] * aggregate([kl(c["kl"], l, r) for l, r in zip(lp, reference)], c["aggregation"])
    return loss, sum(int(x.sum()) for x in clipped), sum(int(x.sum()) for x in lower)


# ---- TRL: no clamps and no dual clip; its names for the aggregations


def trl(lp, old, reference, c, loss_type):
    rows = []
    for l, o, r, a in zip(lp, old, reference, ADVANTAGES):
        ratio = torch.exp(l - o)
        row = -torch.minimum(ratio * a, torch.clamp(ratio, 1 - c["clip_low"], 1 + c["clip_high"]) * a)
        if c["kl_coef"] > 0:
            row = row + c["kl_coef"] * (torch.exp(r - l) - (r - l) - 1)
        rows.append(row)
    if loss_type == "grpo":
        return torch.stack([r.sum() / len(r) for r in rows]).mean()
    if loss_type == "dr_grpo":
        return torch.cat(rows).sum() / (len(rows) * LONGEST)
    return torch.cat(rows).sum() / sum(len(r) for r in rows)  # dapo


TRL_NAMES = {"token-mean": "dapo", "seq-mean-token-mean": "grpo", "seq-mean-token-sum-norm": "dr_grpo"}


def check_trl(responses):
    """Where nothing is clamped the two are one formula."""
    logits, targets, old, reference, _ = responses
    lp, entropy = logprobs(logits, targets, 1.0)
    near_old = [torch.where((l - o).abs() > 15, l + 0.1, o) for l, o in zip(lp, old)]
    near_reference = [torch.where((r - l) > 2, l + 0.5, r) for l, r in zip(lp, reference)]
    for aggregation, loss_type in TRL_NAMES.items():
        c = {"loss": "clip", "clip_low": 0.2, "clip_high": 0.28, "dual_clip": 0, "kl": "k3", "kl_coef": 0.04, "entropy": 0,
             "aggregation": aggregation, "importance_cap": 0}
        ours = verl(lp, entropy, near_old, near_reference, near_old, c)[0]
        theirs = trl(lp, near_old, near_reference, c, loss_type)
        assert abs(ours - theirs) < 1e-12, (aggregation, ours, theirs)


# ---- advantages: (n groups, G)


def make_advantages():
    torch.manual_seed(7)
    rewards = torch.randint(0, 2, (4, 6)).double() + 0.125 * torch.randint(-4, 5, (4, 6)).double()
    tokens = torch.randint(1, 30, (4, 6))
    mean, n = rewards.mean(1, keepdim=True), rewards.shape[1]

    def whiten(x):  # over the batch's tokens, each response as often as it has tokens; unbiased
        per_token = torch.repeat_interleave(x.flatten(), tokens.flatten())
        return (x - per_token.mean()) * torch.rsqrt(per_token.var(unbiased=True) + 1e-8)

    made = {"grpo unbiased": (rewards - mean) / (rewards.std(1, keepdim=True, unbiased=True) + 1e-6),
            "grpo population": (rewards - mean) / (rewards.std(1, keepdim=True, unbiased=False) + 1e-6),
            "grpo none": rewards - mean,
            "dr-grpo": rewards - mean,
            "rloo": rewards * n / (n - 1) - mean * n / (n - 1),
            "reinforce++": whiten(rewards),
            "reinforce++-baseline": whiten(rewards - mean)}
    return {"rewards": rewards.tolist(), "tokens": tokens.tolist(), "advantages": {k: v.tolist() for k, v in made.items()}}


# ---- the cases


def cases():
    base = {"clip_low": 0.2, "clip_high": 0.28, "dual_clip": 0, "kl": "k3", "kl_coef": 0, "entropy": 0, "importance_cap": 0, "temperature": 1.0}
    aggregations, kinds = list(TRL_NAMES), ("k1", "k2", "k3")
    for i, loss in enumerate(("clip", "gspo", "cispo")):
        for j, aggregation in enumerate(aggregations):
            yield {**base, "loss": loss, "aggregation": aggregation}
            for kind in kinds:
                yield {**base, "loss": loss, "aggregation": aggregation, "kl": kind, "kl_coef": 0.05, "entropy": 0.01 * j,
                       "temperature": (1.0, 0.7)[(i + j) % 2], "dual_clip": 3 if j == 1 else 0}
        yield {**base, "loss": loss, "aggregation": "token-mean", "importance_cap": 1.1, "kl_coef": 0.02}
    yield {**base, "loss": "clip", "aggregation": "token-mean", "dual_clip": 1.5, "clip_high": 0.2}


def gradient(responses, c):
    logits, targets, old, reference, sampled = responses
    leaves = [z.clone().requires_grad_() for z in logits]
    lp, entropy = logprobs(leaves, targets, c["temperature"])
    loss, clipped, lower = verl(lp, entropy, old, reference, sampled, c)
    loss.backward()
    return {**c, "value": loss.item(), "clipped": clipped, "clipped_lower": lower,
            "dlogits": [[round(x, 12) for row in z.grad.tolist() for x in row] for z in leaves]}


def main():
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "test/fixtures/losses/losses.json"
    responses = make_responses()
    check_trl(responses)
    logits, targets, old, reference, sampled = responses
    rows = [{"logits": z.flatten().tolist(), "targets": t.tolist(), "old": o.tolist(), "reference": r.tolist(), "sampled": s.tolist(), "advantage": a}
            for z, t, o, r, s, a in zip(logits, targets, old, reference, sampled, ADVANTAGES)]
    made = {"vocabulary": VOCABULARY, "longest": LONGEST, "responses": rows, "cases": [gradient(responses, c) for c in cases()],
            "groups": make_advantages()}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(made, indent=0) + "\n")


if __name__ == "__main__":
    main()
