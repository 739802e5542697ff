"""Tiny random Qwen3 and Qwen2 models and what transformers and PyTorch compute with them: test/fixtures/models/NAME/.

Each folder holds config.json, model.safetensors, batch.json and expected.safetensors; README.md says what is in them.
Nothing here is trained or useful; the models are as small as the shapes they are meant to exercise allow.
"""

import json
import os
import sys

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

STEPS = 10
LEARNING_RATE, BETAS, EPS, WEIGHT_DECAY = 1e-3, (0.9, 0.999), 1e-8, 0.1


def published_config(**sizes):
    """The spelling of the published Qwen3 folders (transformers 4)."""
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "head_dim": sizes["D"],
        "hidden_act": "silu",
        "hidden_size": sizes["C"],
        "initializer_range": 0.02,
        "intermediate_size": sizes["F"],
        "max_position_embeddings": 2048,
        "max_window_layers": sizes["L"],
        "model_type": "qwen3",
        "num_attention_heads": sizes["H"],
        "num_hidden_layers": sizes["L"],
        "num_key_value_heads": sizes["Hkv"],
        "rms_norm_eps": 1e-06,
        "rope_scaling": None,
        "rope_theta": sizes["theta"],
        "sliding_window": None,
        "tie_word_embeddings": sizes["tied"],
        "torch_dtype": "float32",
        "transformers_version": "4.51.0",
        "use_cache": True,
        "use_sliding_window": False,
        "vocab_size": sizes["V"],
    }


def current_config(**sizes):
    """The spelling that transformers 5 writes."""
    config = published_config(**sizes)
    for old in ("rope_scaling", "rope_theta", "torch_dtype"):
        del config[old]
    config["bos_token_id"] = config["pad_token_id"] = None
    config["dtype"] = "float32"
    config["layer_types"] = ["full_attention"] * sizes["L"]
    config["rope_parameters"] = {"rope_theta": float(sizes["theta"]), "rope_type": "default"}
    config["transformers_version"] = "5.23.0"
    return dict(sorted(config.items()))


def published_qwen2_config(**sizes):
    """The spelling of the published Qwen2.5-Math folders: no head_dim, and a sliding window that is not used."""
    config = published_config(**sizes)
    for foreign in ("attention_bias", "head_dim", "rope_scaling"):
        del config[foreign]
    return config | {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "max_position_embeddings": 4096,
                     "max_window_layers": 21, "sliding_window": 4096, "transformers_version": "4.44.0"}


def current_qwen2_config(**sizes):
    """The spelling that transformers 5 writes."""
    config = current_config(**sizes)
    for foreign in ("attention_bias", "head_dim"):
        del config[foreign]
    return config | {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2"}


GENERATION_CONFIG = {
    "bos_token_id": 0,
    "do_sample": True,
    "eos_token_id": [2, 0],
    "pad_token_id": 0,
    "temperature": 0.6,
    "top_k": 20,
    "top_p": 0.95,
    "transformers_version": "4.51.0",
}

MODELS = {
    "tied": dict(config=published_config, seed=2, lengths=[17, 1, 40, 9, 2, 31], micro_batches=[[0, 1, 2], [3], [4, 5]],
                 sizes=dict(C=32, H=4, Hkv=2, D=16, F=48, L=2, V=211, theta=1000000, tied=True)),
    "untied": dict(config=current_config, seed=1, lengths=[7, 33, 1, 24, 38], micro_batches=[[0, 1], [2, 3, 4]],
                   sizes=dict(C=48, H=4, Hkv=4, D=12, F=40, L=2, V=89, theta=5000000, tied=False)),
    "group4": dict(config=published_config, seed=1, lengths=[5, 150, 1, 1101, 39, 128], micro_batches=[[0, 1, 2], [3], [4, 5]],
                   sizes=dict(C=24, H=4, Hkv=1, D=10, F=72, L=3, V=61, theta=1000000, tied=True)),
    "qwen2_tied": dict(config=published_qwen2_config, seed=1, lengths=[12, 1, 41, 8, 2, 29],
                       micro_batches=[[0, 1, 2], [3], [4, 5]],
                       sizes=dict(C=32, H=4, Hkv=2, D=8, F=40, L=2, V=103, theta=10000, tied=True, qwen2=True)),
    "qwen2_untied": dict(config=current_qwen2_config, seed=7, lengths=[9, 140, 1, 23, 31], micro_batches=[[0, 1], [2, 3, 4]],
                         sizes=dict(C=36, H=6, Hkv=2, D=6, F=44, L=2, V=71, theta=1000000, tied=False, qwen2=True)),
}


def save(path, tensors):
    save_file(tensors, path, metadata={"format": "pt"})
    os.chmod(path, 0o644)


def write_json(path, value):
    with open(path, "w") as file:
        file.write(json.dumps(value, indent=2) + "\n")


def weight_shapes(C, H, Hkv, D, F, L, V, tied, qwen2=False, **_):
    shapes = {"model.embed_tokens.weight": (V, C)}
    for layer in range(L):
        at = f"model.layers.{layer}."
        biases = {f"{at}self_attn.{name}_proj.bias": (heads * D,) for name, heads in (("q", H), ("k", Hkv), ("v", Hkv))}
        norms = {f"{at}self_attn.{name}_norm.weight": (D,) for name in ("q", "k")}
        shapes |= {
            at + "input_layernorm.weight": (C,),
            at + "self_attn.q_proj.weight": (H * D, C),
            at + "self_attn.k_proj.weight": (Hkv * D, C),
            at + "self_attn.v_proj.weight": (Hkv * D, C),
            at + "self_attn.o_proj.weight": (C, H * D),
        } | (biases if qwen2 else norms) | {
            at + "post_attention_layernorm.weight": (C,),
            at + "mlp.gate_proj.weight": (F, C),
            at + "mlp.up_proj.weight": (F, C),
            at + "mlp.down_proj.weight": (C, F),
        }
    shapes["model.norm.weight"] = (C,)
    if not tied:
        shapes["lm_head.weight"] = (V, C)
    return shapes


def random_weights(sizes, random):
    """Matrices of std 0.15, an embedding and a head of 0.3, norm weights about 1, biases of 0.3: logits of order 1, nothing
    degenerate."""
    weights = {}
    for name, shape in weight_shapes(**sizes).items():
        noise = torch.randn(shape, generator=random)
        if name.endswith(".bias"):
            weights[name] = 0.3 * noise
        elif len(shape) == 1:
            weights[name] = 1 + 0.1 * noise
        else:
            weights[name] = (0.3 if name in ("model.embed_tokens.weight", "lm_head.weight") else 0.15) * noise
    return weights


def random_batch(lengths, micro_batches, vocabulary, random):
    documents = []
    for index, length in enumerate(lengths):
        ids = torch.randint(0, vocabulary, (length,), generator=random).tolist()
        prompt = 1 + int(torch.randint(0, max(1, length // 2), (1,), generator=random))
        trained = [0] * prompt + [1] * (length - prompt)
        if index == 0:                                          # one document with a hole, as other turns' user parts make it
            trained[-3:-1] = [0, 0]
        documents.append({"ids": ids, "trained": trained[:length]})
    return {"documents": documents, "micro_batches": micro_batches}


def write_batch(path, batch):
    rows = ",\n".join("    " + json.dumps(document) for document in batch["documents"])
    with open(path, "w") as file:
        file.write('{\n  "documents": [\n' + rows + '\n  ],\n  "micro_batches": ' + json.dumps(batch["micro_batches"]) + "\n}\n")


def load(folder, dtype=torch.float32):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="eager")
    return model.eval()


def document_logprobs(model, document):
    """(n, V) fp32 logits, and the n - 1 logprobs of the document's own tokens: log-softmax in fp64 of the fp32 logits."""
    ids = torch.tensor([document["ids"]])
    logits = model(input_ids=ids, use_cache=False).logits[0]
    every = torch.log_softmax(logits[:-1].double(), dim=-1)
    return logits, every.gather(1, ids[0, 1:, None])[:, 0]


def backward_all(model, documents):
    """The step's loss, the sum over trained tokens divided by their number; gradients are left in the parameters."""
    count = sum(sum(document["trained"]) for document in documents)
    model.zero_grad()
    total = 0.0
    for document in documents:
        trained = torch.tensor(document["trained"][1:], dtype=torch.float64)
        if trained.sum() == 0:
            continue
        loss = -(document_logprobs(model, document)[1] * trained).sum() / count
        loss.backward()
        total += loss.item()
    return total


def gradient_norm(model):
    return torch.sqrt(sum(p.grad.double().square().sum() for p in model.parameters())).item()


def train(folder, documents, max_norm, dtype=torch.float32):
    model = load(folder, dtype)
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(
        [{"params": [p for p in parameters if p.dim() == 2], "weight_decay": WEIGHT_DECAY},
         {"params": [p for p in parameters if p.dim() != 2], "weight_decay": 0.0}],
        lr=LEARNING_RATE, betas=BETAS, eps=EPS, foreach=False, fused=False)
    losses, norms = [], []
    for _ in range(STEPS):
        losses.append(backward_all(model, documents))
        norms.append(gradient_norm(model))
        torch.nn.utils.clip_grad_norm_(parameters, max_norm)
        optimizer.step()
    return model, losses, norms


def expected_forward(model, documents, with_logits):
    with torch.no_grad():
        results = [document_logprobs(model, document) for document in documents]
    expected = {"logprobs": torch.cat([logprobs for _, logprobs in results]).float()}
    if with_logits:
        expected["logits"] = torch.cat([logits for logits, _ in results])
    return expected


def rounding_after_steps(folder, documents, max_norm, model):
    """How far fp32 itself is from fp64 after the steps. Adam divides each gradient by its own size, so that an element whose
    gradient is almost zero moves by its rounding error; a model with such an element says nothing about the trainer."""
    exact = dict(train(folder, documents, max_norm, torch.float64)[0].named_parameters())
    return max((exact[name] - p.double()).abs().max().item() for name, p in model.named_parameters())


def expected_training(folder, documents):
    model = load(folder)
    scalars = {"loss": backward_all(model, documents), "grad_norm": gradient_norm(model)}
    expected = {"grad." + name: p.grad.clone() for name, p in model.named_parameters()}
    free = sorted(train(folder, documents, float("inf"))[2])
    max_norm = round((free[STEPS // 2 - 1] + free[STEPS // 2]) / 2, 3)      # so that about half of the steps are clipped
    model, losses, norms = train(folder, documents, max_norm)
    assert min(norms) < max_norm < max(norms), (max_norm, norms)
    assert rounding_after_steps(folder, documents, max_norm, model) < 2e-6, "take another seed"
    scalars |= {"max_norm": max_norm, "step_loss": list(map(float, losses)), "step_norm": list(map(float, norms))}
    expected |= {"after." + name: p.detach().clone() for name, p in model.named_parameters()}
    return expected, {name: value if isinstance(value, list) else float(value) for name, value in scalars.items()}


def greedy(model, documents, stop):
    """What generate() makes of the documents' first halves, greedily, until an end token or 24 tokens; and how near a second choice
    came, because a token that two logits of almost one size decide says nothing about the sampler."""
    answers, nearest = [], float("inf")
    for document in documents:
        prompt = document["ids"][:(len(document["ids"]) + 1) // 2]
        ids = torch.tensor([prompt])
        out = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=24, eos_token_id=stop,
                             pad_token_id=0, output_logits=True, return_dict_in_generate=True, use_cache=True)
        for logits in out.logits:
            best, second = torch.topk(logits[0], 2).values.tolist()
            nearest = min(nearest, best - second)
        answers.append({"prompt": prompt, "ids": out.sequences[0, len(prompt):].tolist()})
    assert nearest > 1e-4, f"a margin of {nearest}: take other prompts"
    return answers


def write_greedy(path, stop, answers):
    rows = ",\n".join("    " + json.dumps(answer) for answer in answers)
    with open(path, "w") as file:
        file.write('{\n  "stop": ' + json.dumps(stop) + ',\n  "answers": [\n' + rows + "\n  ]\n}\n")


def make_model(root, name, config, seed, lengths, micro_batches, sizes):
    folder = os.path.join(root, name)
    os.makedirs(folder, exist_ok=True)
    random = torch.Generator().manual_seed(seed)
    write_json(os.path.join(folder, "config.json"), config(**sizes))
    weights = random_weights(sizes, random)
    save(os.path.join(folder, "model.safetensors"), weights)
    batch = random_batch(lengths, micro_batches, sizes["V"], random)
    write_batch(os.path.join(folder, "batch.json"), batch)
    short = sum(lengths) < 300
    expected = expected_forward(load(folder), batch["documents"], with_logits=short)
    training, scalars = expected_training(folder, batch["documents"])
    expected |= training
    write_json(os.path.join(folder, "expected.json"), scalars)
    save(os.path.join(folder, "expected.safetensors"), expected)
    whole = greedy(load(folder), batch["documents"], sizes["V"])                  # an id that there is not: nothing ends
    stop = sorted({2, whole[1]["ids"][7], whole[3]["ids"][-1]})
    write_greedy(os.path.join(folder, "greedy.json"), stop, greedy(load(folder), batch["documents"], stop))
    return weights, batch


def make_rounded(root, name, dtype, shards, weights, batch):
    """The tied model with weights rounded to a 16-bit type; what is expected is computed in fp32 from the rounded weights."""
    folder = os.path.join(root, name)
    os.makedirs(folder, exist_ok=True)
    config = published_config(**MODELS["tied"]["sizes"])
    config["torch_dtype"] = str(dtype).removeprefix("torch.")
    write_json(os.path.join(folder, "config.json"), config)
    rounded = {key: value.to(dtype) for key, value in weights.items()}
    keys = list(rounded)
    place = {}
    for shard in range(shards):
        file = "model.safetensors" if shards == 1 else f"model-{shard + 1:05d}-of-{shards:05d}.safetensors"
        part = keys[len(keys) * shard // shards:len(keys) * (shard + 1) // shards]
        save(os.path.join(folder, file), {key: rounded[key] for key in part})
        place |= {key: file for key in part}
    if shards > 1:
        size = sum(value.numel() * value.element_size() for value in rounded.values())
        write_json(os.path.join(folder, "model.safetensors.index.json"),
                   {"metadata": {"total_size": size}, "weight_map": dict(sorted(place.items()))})
    write_batch(os.path.join(folder, "batch.json"), batch)
    save(os.path.join(folder, "expected.safetensors"), expected_forward(load(folder), batch["documents"], with_logits=False))


def main(fixtures):
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    root = os.path.join(fixtures, "models")
    made = {name: make_model(root, name, **model) for name, model in MODELS.items()}
    write_json(os.path.join(root, "tied", "generation_config.json"), GENERATION_CONFIG)
    make_rounded(root, "tied_bf16", torch.bfloat16, 2, *made["tied"])
    make_rounded(root, "tied_f16", torch.float16, 1, *made["tied"])


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "test/fixtures")
