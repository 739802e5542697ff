"""What verl's losses and advantages are, from logits on, by PyTorch in fp64: test/fixtures/losses/losses.json.

Transcribed from the formulas of verl's core_algos.py (not copied; neither verl nor TRL is needed). TRL's loss types are transcribed beside
them, and the two must agree where their conventions do, or this script fails. Everything starts at random logits and ends at the loss and
d loss / d logits. What a trainer keeps as float32 (logits, old, reference and sampled log-probabilities) is exact float32 here.
"""

import itertools
import json
import math
import os
import random
import struct
import sys

import torch

VOCABULARY = 9
LONGEST = 24  # what SEQ_MEAN_TOKEN_SUM_NORM divides by; no response is as long
LOSSES, AGGREGATIONS, KLS = ("clip", "gspo", "cispo"), ("token-mean", "seq-mean-token-mean", "seq-mean-token-sum-norm"), (None, "k1", "k2", "k3")
CORNER = 1e-4  # no ratio is as near to a corner of the loss: float32 rounding must not decide on which side it is


def float32(x):
    return struct.unpack("f", struct.pack("f", x))[0]


# ---- verl

def policy_tokens(case, lp, old, mask, advantage):
    """Loss, clipped and clipped by the dual clip of every token; (B, T) and advantage (B, 1)."""
    low, high = 1 - case["clip_low"], 1 + case["clip_high"]
    if case["loss"] == "gspo":
        mean = ((lp - old) * mask).sum(-1, keepdim=True) / mask.sum(-1, keepdim=True).clamp(min=1)
        ratio = (lp - lp.detach() + mean.detach()).clamp(max=10).exp()
    else:
        ratio = (lp - old).clamp(-20, 20).exp()
    if case["loss"] == "cispo":
        kept = ratio.clamp(low, high).detach()
        return -kept * advantage * lp, ratio != kept, torch.zeros_like(mask).bool()
    plain, clipped = -advantage * ratio, -advantage * ratio.clamp(low, high)
    loss, is_clipped, is_lower = torch.maximum(plain, clipped), clipped > plain, torch.zeros_like(mask).bool()
    if case["loss"] == "clip" and case["dual_clip"]:
        most = -advantage * case["dual_clip"]
        is_lower = (loss > most) & (advantage < 0)
        loss = torch.where(advantage < 0, torch.minimum(loss, most.expand_as(loss)), loss)
    return loss, is_clipped, is_lower


def kl_tokens(kind, lp, reference):
    if kind == "k1":
        return lp - reference
    if kind == "k2":
        return 0.5 * (lp - reference).square()
    d = (reference - lp).clamp(-20, 20)
    return (d.exp() - d - 1).clamp(-10, 10)


def aggregate(mode, x, mask):
    if mode == "token-mean":
        return (x * mask).sum() / mask.sum()
    sequences = (mask.sum(-1) > 0).sum()
    if mode == "seq-mean-token-mean":
        return ((x * mask).sum(-1) / (mask.sum(-1) + 1e-8)).sum() / sequences
    return (x * mask).sum() / sequences / LONGEST


def verl(case, b):
    z = b["logits"] / b["temperature"]
    logp = z.log_softmax(-1)
    lp = logp.gather(-1, b["targets"][..., None])[..., 0]
    entropy = z.logsumexp(-1) - (z.softmax(-1) * z).sum(-1)
    mask, advantage = b["mask"], b["advantage"][:, None]
    loss, clipped, lower = policy_tokens(case, lp, b["old"], mask, advantage)
    if case["importance_cap"]:
        loss = loss * (b["old"] - b["sampled"]).clamp(-20, 20).exp().clamp(max=case["importance_cap"])
    mode = case["aggregation"]
    total = aggregate(mode, loss, mask) - case["entropy_coefficient"] * aggregate(mode, entropy, mask)
    if case["kl"]:
        total = total + case["kl_coefficient"] * aggregate(mode, kl_tokens(case["kl"], lp, b["reference"]), mask)
    return total, int((clipped * mask).sum()), int((lower * mask).sum())


# ---- TRL

TRL_TYPE = {"token-mean": "dapo", "seq-mean-token-mean": "grpo", "seq-mean-token-sum-norm": "dr_grpo"}


def trl(case, b):
    lp = (b["logits"] / b["temperature"]).log_softmax(-1).gather(-1, b["targets"][..., None])[..., 0]
    mask, advantage, log_ratio = b["mask"], b["advantage"][:, None], lp - b["old"]
    if case["loss"] == "gspo":  # importance_sampling_level="sequence": the gradient goes through the mean
        log_ratio = ((log_ratio * mask).sum(-1) / mask.sum(-1).clamp(min=1))[:, None]
    ratio = log_ratio.exp()
    if case["loss"] == "cispo":
        loss = -ratio.clamp(max=1 + case["clip_high"]).detach() * advantage * lp  # epsilon_high is the bound itself
    else:
        band = ratio.clamp(1 - case["clip_low"], 1 + case["clip_high"])
        if case["loss"] == "clip" and case["dual_clip"]:
            ratio = ratio.clamp(max=case["dual_clip"])  # delta
        loss = -torch.minimum(ratio * advantage, band * advantage)
    if case["importance_cap"]:
        loss = loss * (b["old"] - b["sampled"]).exp().clamp(max=case["importance_cap"])
    if case["kl"]:
        d = b["reference"] - lp
        loss = loss + case["kl_coefficient"] * (d.exp() - d - 1)
    kind = TRL_TYPE[case["aggregation"]]
    if kind == "dapo":
        return (loss * mask).sum() / mask.sum()
    if kind == "grpo":
        return ((loss * mask).sum(-1) / mask.sum(-1).clamp(min=1)).mean()
    return (loss * mask).sum() / (mask.shape[0] * LONGEST)


def trl_agrees(case, b):
    """Where the conventions agree: k3 or no KL, nothing beyond verl's clamps, no empty response, no lower bound in CISPO, no entropy."""
    case = case | {"entropy_coefficient": 0}
    if case["kl"] not in (None, "k3") or b["far"]:
        return False
    if case["loss"] == "cispo":
        case |= {"clip_low": 1, "clip_high": 4}
    (x, gx), (y, gy) = gradient(lambda: verl(case, b)[0], b), gradient(lambda: trl(case, b), b)
    within = 3e-8 if case["aggregation"] == "seq-mean-token-mean" else 1e-13  # verl adds 1e-8 to the length
    assert abs(x - y) < within, (case, x, y)
    if case["loss"] == "gspo" and case["importance_cap"]:
        return False  # the losses agree; TRL's gradient, which goes through the mean, spreads the tokens' weights over the response
    assert (gx - gy).abs().max() < within, (case, (gx - gy).abs().max())
    return True


def gradient(f, b):
    b["logits"].grad = None
    loss = f()
    loss.backward()
    return loss.item(), b["logits"].grad.clone()


# ---- inputs

# For each response its advantage and, for each token, what lp - old is about. In "far" all clamps are reached: ±20 of a token's, 10 of a
# sequence's; where a ratio is e^10 or e^20 the advantage is so small that the loss is not, whose float32 would hide the rest.
NEAR = [(.8, 20, (-.6, .6)), (-.5, 1, (.1, .15)), (-1.2, 7, (-.3, .5)), (.9, 13, (0, 0)), (0, 3, (-.5, .5)), (-.6, 9, (.5, 1.5)), (1, 4, (.2, .6))]
FAR = [(.6, 14, (-1.5, 1.5)), (-.5, 9, (-2, 1.8)), (-1e-8, 4, (20.5, 24)), (-5e-4, 5, (10.2, 10.8)), (.7, 6, (-24, 1)), (0, 2, (-1, 1)), (1.5, 0, (0, 0)), (-.9, 1, (.6, .7))]


def apart(x, corners, by=CORNER):
    return all(abs(x - c) > by for c in corners)


def make_batch(name, temperature, far, draw):
    rows, longest = FAR if far else NEAR, max(n for _, n, _ in (FAR if far else NEAR))
    b = {"name": name, "temperature": temperature, "far": far, "tokens": [n for _, n, _ in rows]}
    b["advantage"] = torch.tensor([a for a, _, _ in rows], dtype=torch.float64)
    shape = len(rows), longest
    b["mask"] = torch.tensor([[float(t < n) for t in range(longest)] for n in b["tokens"]], dtype=torch.float64)
    b["targets"] = torch.zeros(shape, dtype=torch.int64)
    b["logits"] = torch.zeros(*shape, VOCABULARY, dtype=torch.float64)
    for key in ("old", "reference", "sampled"):
        b[key] = torch.zeros(shape, dtype=torch.float64)
    for i, (_, n, (low, high)) in enumerate(rows):
        for t in range(n):
            logits, target = [float32(round(draw.gauss(0, 1), 4)) for _ in range(VOCABULARY)], draw.randrange(VOCABULARY)
            deep = low < -20 and t % 2 == 0  # a token that has become all but impossible
            if deep:
                logits[target] = float32(-24 * temperature)
            b["logits"][i, t], b["targets"][i, t] = torch.tensor(logits, dtype=torch.float64), target
            lp = (b["logits"][i, t] / temperature).log_softmax(-1)[target].item()
            while True:
                gap = draw.uniform(-24, -22) if deep else draw.uniform(max(low, -2), high)
                old = float32(min(lp - gap, -1e-3)) if low < high else float32(lp)
                if apart(math.exp(lp - old), (.8, 1.2, 1.28, 3, .5, 5)) and apart(abs(lp - old), (20,)):
                    break
            while True:
                d = draw.choice((-23, -12, -2, -.3, .3, 1, 4)) * draw.uniform(.9, 1.1) if far else draw.uniform(-1.5, 1.5)
                reference = float32(min(lp + d, -1e-3))
                d = min(max(reference - lp, -20), 20)
                if apart(math.exp(d) - d - 1, (10,)) and apart(abs(reference - lp), (20,)):
                    break
            sampled = float32(min(old - (draw.choice((-23, -1, .3, 1, 22)) if far else draw.uniform(-1, 1)), -1e-3))
            b["old"][i, t], b["reference"][i, t], b["sampled"][i, t] = old, reference, sampled
        if n:
            mean = ((b["logits"][i, :n] / temperature).log_softmax(-1).gather(-1, b["targets"][i, :n, None])[:, 0] - b["old"][i, :n]).mean().item()
            assert apart(math.exp(min(mean, 11)), (.8, 1.2, 1.28)) and apart(mean, (10,)), (name, i, mean)
    b["logits"].requires_grad_()
    return b


def cases():
    for (i, loss), (j, aggregation), (k, kl) in itertools.product(enumerate(LOSSES), enumerate(AGGREGATIONS), enumerate(KLS)):
        yield {"batch": (i + j + k) % 4, "loss": loss, "aggregation": aggregation, "kl": kl, "kl_coefficient": .02 if kl else 0,
               "clip_low": .5 if loss == "cispo" else .2, "clip_high": 4 if loss == "cispo" and j == 1 else (.2, .28)[k % 2],
               "dual_clip": 3 if loss == "clip" and (j + k) % 3 else 0, "importance_cap": 2 if (j + k // 2) % 2 else 0,
               "entropy_coefficient": .03 if (i + k) % 2 else 0}


# ---- advantages

def by_group(rewards, f):
    return torch.cat([f(r) for r in rewards])


def nan_grpo(r, eps, correction):
    x = r[~r.isnan()]
    return torch.nan_to_num((r - x.mean()) / (x.std(correction=correction) + eps))


def whitened(a, tokens, guard):
    x = a.repeat_interleave(tokens)
    count = x.numel() + guard
    centered = a - x.sum() / count
    variance = (x - x.sum() / count).square().sum() / count * x.numel() / (x.numel() - 1)
    return centered * torch.rsqrt(variance + 1e-8)


def whitened_as_verl(a, tokens):
    exact = whitened(a, tokens, 0)
    assert (exact - whitened(a, tokens, 1e-8)).abs().max() < 1e-9  # verl's guard against no tokens
    return exact


def advantages(draw):
    plain = [[draw.gauss(0, 1) for _ in range(4)], [1, 0, 0, 1], [1, 1, 1, 1], [round(draw.random(), 2) for _ in range(4)], [-1, 1.1, 1, -1]]
    missing = [[.5, None, -.25, 1], [None, 1, 0, None], [.1, .2, .4, .8]]
    tokens = [[draw.randint(1, 20) for _ in range(4)] for _ in plain]
    lengths = torch.tensor(tokens).flatten()
    r = torch.tensor(plain, dtype=torch.float64)
    n = torch.tensor([[math.nan if x is None else x for x in row] for row in missing], dtype=torch.float64)
    made = {
        "grpo-unbiased": by_group(r, lambda x: (x - x.mean()) / (x.std() + 1e-6)),
        "grpo-unbiased-trl": by_group(r, lambda x: (x - x.mean()) / (x.std() + 1e-4)),
        "grpo-population": by_group(r, lambda x: (x - x.mean()) / (x.std(correction=0) + 1e-6)),
        "grpo-none": by_group(r, lambda x: x - x.mean()),
        "dr-grpo": by_group(r, lambda x: x - x.mean()),
        "rloo": by_group(r, lambda x: x * 4 / 3 - x.mean() * 4 / 3),
        "reinforce++": whitened_as_verl(r.flatten(), lengths),
        "reinforce++-baseline": whitened_as_verl(by_group(r, lambda x: x - x.mean()), lengths),
    }
    others = torch.stack([(r.sum(-1) - r[:, i]) / 3 for i in range(4)], -1)
    assert (made["rloo"] - (r - others).flatten()).abs().max() < 1e-14
    rows = [{"rule": rule, "rewards": plain, "tokens": tokens, "advantages": a.tolist()} for rule, a in made.items()]
    rows.append({"rule": "grpo-unbiased-trl", "rewards": missing, "tokens": tokens[:3], "advantages": by_group(n, lambda x: nan_grpo(x, 1e-4, 1)).tolist()})
    return rows


# ---- the file

def ragged(x, tokens, digits=9):
    return [[float(f"{v:.{digits}g}") for v in row.flatten().tolist()[:n * (row.numel() // row.shape[0])]] for row, n in zip(x.detach(), tokens)]


def line(value):
    return json.dumps(value, separators=(",", ":"))


def main(root):
    draw = random.Random(20)
    batches = [make_batch(f"{'far' if far else 'near'} at {t}", t, far, draw) for far in (False, True) for t in (1.0, .7)]
    made, branches = [], dict.fromkeys(("clipped", "clipped_lower"), 0)
    for case in cases():
        b = batches[case["batch"]]
        loss, d = gradient(lambda: verl(case, b)[0], b)
        _, clipped, lower = verl(case, b)
        branches["clipped"] += clipped
        branches["clipped_lower"] += lower
        gradients = [[round(v, 10) for v in row.flatten().tolist()[:n * VOCABULARY]] for row, n in zip(d, b["tokens"])]
        made.append(case | {"value": loss, "clipped": clipped, "clipped_lower": lower, "dlogits": gradients})
    assert all(branches.values())
    equal_to_trl = sum(trl_agrees(case | {"importance_cap": cap}, b) for case in made for cap in (0, 2) for b in batches)
    out = [{"name": b["name"], "temperature": b["temperature"], "tokens": b["tokens"], "advantages": b["advantage"].tolist(),
            "targets": [row[:n] for row, n in zip(b["targets"].tolist(), b["tokens"])]} |
           {key: ragged(b[key], b["tokens"]) for key in ("logits", "old", "reference", "sampled")} for b in batches]
    os.makedirs(os.path.join(root, "losses"), exist_ok=True)
    path = os.path.join(root, "losses", "losses.json")
    with open(path, "w") as f:
        f.write('{"vocabulary":%d,"longest":%d,\n"batches":[\n' % (VOCABULARY, LONGEST) + ",\n".join(map(line, out)) + '],\n"cases":[\n' +
                ",\n".join(map(line, made)) + '],\n"advantages":[\n' + ",\n".join(map(line, advantages(draw))) + "]}\n")
    print(f"{len(made)} cases; {equal_to_trl} settings where verl's and TRL's gradients are equal; {branches}; {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "test/fixtures")
