"""What PEFT and PyTorch compute with adapters on the tiny models of make_models.py: test/fixtures/lora/NAME/.

adapter_config.json and adapter_model.safetensors as PEFT saves them, expected.json and expected.safetensors as make_models.py has them,
of the adapters alone, and in merged.safetensors what merge_and_unload makes after the steps. B is not zero, so that A has a gradient too.
"""

import json
import os
import sys

import torch
from peft import LoraConfig, PeftModel, get_peft_model

import make_models

ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ADAPTERS = {
    "tied": dict(seed=4, rank=4, alpha=6, targets=ALL),
    "qwen2_untied": dict(seed=1, rank=3, alpha=3, targets=["v_proj", "q_proj", "up_proj", "down_proj"]),
}


def plain(name):
    return name.replace(".default.", ".")


def make_adapters(base, folder, seed, rank, alpha, targets):
    torch.manual_seed(seed)
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=sorted(targets), lora_dropout=0.0, bias="none", task_type="CAUSAL_LM")
    model = get_peft_model(make_models.load(base), config)
    for name, p in model.named_parameters():
        if ".lora_B." in name:
            torch.nn.init.normal_(p.data, std=0.1)
    model.save_pretrained(folder)
    os.remove(os.path.join(folder, "README.md"))
    path = os.path.join(folder, "adapter_config.json")
    with open(path) as file:
        saved = json.load(file)
    make_models.write_json(path, dict(sorted(saved.items())) | {"base_model_name_or_path": None, "target_modules": sorted(targets)})
    os.chmod(os.path.join(folder, "adapter_model.safetensors"), 0o644)


def load(base, folder, dtype=torch.float32):
    return PeftModel.from_pretrained(make_models.load(base, dtype), folder, is_trainable=True, autocast_adapter_dtype=False).to(dtype).eval()


def learned(model):
    return {plain(name): p for name, p in model.named_parameters() if p.requires_grad}


def norm_of(model):
    return torch.sqrt(sum(p.grad.double().square().sum() for p in learned(model).values())).item()


def train(base, folder, documents, max_norm, dtype=torch.float32):
    model = load(base, folder, dtype)
    parameters = list(learned(model).values())
    optimizer = torch.optim.AdamW(parameters, lr=make_models.LEARNING_RATE, betas=make_models.BETAS, eps=make_models.EPS,
                                  weight_decay=make_models.WEIGHT_DECAY, foreach=False, fused=False)
    losses, norms = [], []
    for _ in range(make_models.STEPS):
        losses.append(make_models.backward_all(model, documents))
        norms.append(norm_of(model))
        torch.nn.utils.clip_grad_norm_(parameters, max_norm)
        optimizer.step()
    return model, losses, norms


def rounding(base, folder, documents, max_norm, model):
    exact = learned(train(base, folder, documents, max_norm, torch.float64)[0])
    return max((exact[name] - p.double()).abs().max().item() for name, p in learned(model).items())


def make(fixtures, name, seed, rank, alpha, targets):
    base, folder = os.path.join(fixtures, "models", name), os.path.join(fixtures, "lora", name)
    with open(os.path.join(base, "batch.json")) as file:
        documents = json.load(file)["documents"]
    make_adapters(base, folder, seed, rank, alpha, targets)
    model = load(base, folder)
    scalars = {"loss": make_models.backward_all(model, documents), "grad_norm": norm_of(model)}
    expected = {"grad." + key: p.grad.clone() for key, p in learned(model).items()}
    free = sorted(train(base, folder, documents, float("inf"))[2])
    max_norm = round((free[4] + free[5]) / 2, 3)
    model, losses, norms = train(base, folder, documents, max_norm)
    assert min(norms) < max_norm < max(norms), (max_norm, norms)
    assert rounding(base, folder, documents, max_norm, model) < 2e-6, "take another seed"
    scalars |= {"max_norm": max_norm, "step_loss": losses, "step_norm": norms}
    expected |= {"after." + key: p.detach().clone() for key, p in learned(model).items()}
    make_models.write_json(os.path.join(folder, "expected.json"), scalars)
    make_models.save(os.path.join(folder, "expected.safetensors"), expected)
    merged = {key: p.detach().clone() for key, p in model.merge_and_unload().state_dict().items()
              if any(target in key for target in targets) and key.endswith("_proj.weight")}
    make_models.save(os.path.join(folder, "merged.safetensors"), merged)


def main(fixtures):
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for name, adapters in ADAPTERS.items():
        make(fixtures, name, **adapters)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "test/fixtures")
