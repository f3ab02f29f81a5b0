#!/usr/bin/env python3
"""Writes a checkpoint with random bf16 weights, of a Llama or a Qwen2, for benchmarks.

The shapes are those that the speed goals are stated for:

    llama-1.1b     22 layers, hidden 2048, 32 heads, 4 key-value heads, feed-forward
                   5632, vocabulary 32000, untied output layer; 2.2 GB
    qwen2.5-0.5b   24 layers, hidden 896, 14 heads, 2 key-value heads, feed-forward
                   4864, vocabulary 151936, biases, tied output layer; 1 GB

OUT/                   Hugging Face layout: config.json, generation_config.json,
                       tokenizer.json, tokenizer_config.json, model.safetensors
OUT/model.gguf         the same weights for llama.cpp (bf16 matrices, f32 norms and biases)

The weights say nothing, but they are scaled so that a forward pass stays sane:
matrices are normal with deviation 1/sqrt(inputs), the two that write to the
residual stream are smaller by sqrt(2 * layers), and logits come out with a
deviation of about 3. One tensor is in memory at a time.

    tools/make_random_llama.py OUT --shape qwen2.5-0.5b
    tools/make_random_llama.py OUT --layers 2 --hidden 256 --heads 8 --ffn 704 --check

--check runs both files, transformers on the one (f32 arithmetic) and llama.cpp
on the other, and compares their logits and greedy tokens.

Versions: tools/requirements.txt (numpy, gguf; --check: torch, transformers) and
tools/requirements-peers.txt (--check: llama-cpp-python).
"""

import argparse
import ctypes
import json
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import gguf
import numpy as np

LOGITS_DEVIATION = 3.0
BIAS_DEVIATION = 0.1


@dataclass(frozen=True)
class Shape:
    """The dimensions of a model, and what its family adds to them."""

    family: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    ffn: int
    vocab: int
    max_position: int
    rope_theta: float
    rms_norm_eps: float
    qkv_bias: bool
    tied: bool

    @property
    def head_dim(self) -> int:
        return self.hidden // self.heads

    def tensors(self) -> Iterator[tuple[str, str, tuple[int, ...], float]]:
        """Every tensor: Hugging Face name, GGUF name, [out, in], deviation (0 for a norm)."""
        q, kv = self.hidden, self.kv_heads * self.head_dim
        into = self.hidden**-0.5
        residual = (2 * self.layers) ** -0.5
        head = into * LOGITS_DEVIATION
        embedding = head if self.tied else 1.0
        yield "model.embed_tokens.weight", "token_embd.weight", (self.vocab, self.hidden), embedding
        for i in range(self.layers):
            hf, gg = f"model.layers.{i}", f"blk.{i}"
            yield f"{hf}.input_layernorm.weight", f"{gg}.attn_norm.weight", (self.hidden,), 0.0
            for name, width in (("q", q), ("k", kv), ("v", kv)):
                their, our = f"{hf}.self_attn.{name}_proj", f"{gg}.attn_{name}"
                yield f"{their}.weight", f"{our}.weight", (width, self.hidden), into
                if self.qkv_bias:
                    yield f"{their}.bias", f"{our}.bias", (width,), BIAS_DEVIATION
            yield (
                f"{hf}.self_attn.o_proj.weight",
                f"{gg}.attn_output.weight",
                (self.hidden, self.hidden),
                into * residual,
            )
            yield f"{hf}.post_attention_layernorm.weight", f"{gg}.ffn_norm.weight", (self.hidden,), 0.0
            yield f"{hf}.mlp.gate_proj.weight", f"{gg}.ffn_gate.weight", (self.ffn, self.hidden), into
            yield f"{hf}.mlp.up_proj.weight", f"{gg}.ffn_up.weight", (self.ffn, self.hidden), into
            yield (
                f"{hf}.mlp.down_proj.weight",
                f"{gg}.ffn_down.weight",
                (self.hidden, self.ffn),
                self.ffn**-0.5 * residual,
            )
        yield "model.norm.weight", "output_norm.weight", (self.hidden,), 0.0
        if not self.tied:
            yield "lm_head.weight", "output.weight", (self.vocab, self.hidden), head


SHAPES = {
    "llama-1.1b": Shape("llama", 22, 2048, 32, 4, 5632, 32000, 8192, 1e4, 1e-5, qkv_bias=False, tied=False),
    "qwen2.5-0.5b": Shape("qwen2", 24, 896, 14, 2, 4864, 151936, 8192, 1e6, 1e-6, qkv_bias=True, tied=True),
}


# What config.json holds beside the dimensions.
FAMILY_CONFIG = {
    "llama": {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "mlp_bias": False,
        "pretraining_tp": 1,
        "rope_scaling": None,
    },
    "qwen2": {
        "architectures": ["Qwen2ForCausalLM"],
        "use_sliding_window": False,
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="folder to write; made when missing")
    parser.add_argument("--shape", choices=SHAPES, default="llama-1.1b")
    dimensions = [field.name for field in fields(Shape) if field.type is int]
    for dimension in dimensions:
        parser.add_argument(f"--{dimension.replace('_', '-')}", type=int, help="in place of the shape's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--check", action="store_true", help="compare transformers with llama.cpp")
    args = parser.parse_args()
    given = {name: value for name in dimensions if (value := getattr(args, name)) is not None}
    shape = replace(SHAPES[args.shape], **given)
    if shape.hidden % shape.heads or shape.heads % shape.kv_heads or shape.vocab < 260:
        parser.error("heads must divide hidden, kv-heads must divide heads, vocab must be 260 or more")

    args.out.mkdir(parents=True, exist_ok=True)
    write_json_files(args.out, shape)
    write_safetensors(args.out / "model.safetensors", shape, args.seed)
    write_gguf(args.out / "model.gguf", shape, args.seed)
    parameters = sum(int(np.prod(dims)) for _, _, dims, _ in shape.tensors())
    print(f"{args.out}: {parameters:,} parameters")
    if args.check:
        check(args.out, shape)


def random_bf16(name: str, dims: tuple[int, ...], deviation: float, seed: int) -> np.ndarray:
    """The tensor's bf16 bits as u16. It depends on name and seed only, so each file can make it anew."""
    random = np.random.Generator(np.random.Philox(key=[seed, zlib.crc32(name.encode())]))
    values = random.standard_normal(dims, dtype=np.float32)
    if deviation == 0.0:
        values = 1.0 + 0.1 * values
    else:
        values *= np.float32(deviation)
    return to_bf16_bits(values)


def to_bf16_bits(values: np.ndarray) -> np.ndarray:
    """Round f32 to bf16, to nearest, ties to even."""
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def write_safetensors(path: Path, shape: Shape, seed: int) -> None:
    """Header first, then one tensor after the other, in the header's order."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, _, dims, _ in shape.tensors():
        start, end = end, end + 2 * int(np.prod(dims))
        header[name] = {"dtype": "BF16", "shape": list(dims), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for name, _, dims, deviation in shape.tensors():
            random_bf16(name, dims, deviation, seed).tofile(file)


def write_gguf(path: Path, shape: Shape, seed: int) -> None:
    """The same weights under llama.cpp's names, a Llama's query and key rows in its rotary order."""
    writer = gguf.GGUFWriter(path, shape.family)
    writer.add_name(f"random {shape.family}")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)
    writer.add_vocab_size(shape.vocab)
    writer.add_context_length(shape.max_position)
    writer.add_embedding_length(shape.hidden)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.ffn)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_rope_freq_base(shape.rope_theta)
    writer.add_layer_norm_rms_eps(shape.rms_norm_eps)
    # Token ids go in and come out; llama.cpp needs no text for a benchmark.
    writer.add_tokenizer_model("no_vocab")
    for _, name, dims, _ in shape.tensors():
        if len(dims) == 1:
            size = 4 * int(np.prod(dims))
            writer.add_tensor_info(name, dims, np.dtype(np.float32), size)
        else:
            size = 2 * int(np.prod(dims))
            writer.add_tensor_info(
                name, dims, np.dtype(np.uint16), size, raw_dtype=gguf.GGMLQuantizationType.BF16
            )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for hf_name, name, dims, deviation in shape.tensors():
        bits = random_bf16(hf_name, dims, deviation, seed)
        if len(dims) == 1:
            writer.write_tensor_data((bits.astype(np.uint32) << 16).view(np.float32))
        elif shape.family == "llama" and name.endswith("attn_q.weight"):
            writer.write_tensor_data(interleave_rotary(bits, shape.heads))
        elif shape.family == "llama" and name.endswith("attn_k.weight"):
            writer.write_tensor_data(interleave_rotary(bits, shape.kv_heads))
        else:
            writer.write_tensor_data(bits)
    writer.close()


def interleave_rotary(weight: np.ndarray, heads: int) -> np.ndarray:
    """Hugging Face rotates element i of a head with i + head_dim/2, llama.cpp's `llama` with its neighbour."""
    rows, columns = weight.shape
    halves = weight.reshape(heads, 2, rows // heads // 2, columns)
    return np.ascontiguousarray(halves.swapaxes(1, 2)).reshape(rows, columns)


def write_json_files(out: Path, shape: Shape) -> None:
    """config.json as transformers 4 writes it, and a byte-level tokenizer that fills the vocabulary."""
    bos, eos = shape.vocab - 2, shape.vocab - 1
    config = {
        "bos_token_id": bos,
        "eos_token_id": eos,
        "hidden_act": "silu",
        "hidden_size": shape.hidden,
        "initializer_range": 0.02,
        "intermediate_size": shape.ffn,
        "max_position_embeddings": shape.max_position,
        "model_type": shape.family,
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "num_key_value_heads": shape.kv_heads,
        "rms_norm_eps": shape.rms_norm_eps,
        "rope_theta": shape.rope_theta,
        "tie_word_embeddings": shape.tied,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "vocab_size": shape.vocab,
    }
    write_json(out / "config.json", config | FAMILY_CONFIG[shape.family])
    write_json(out / "generation_config.json", {"bos_token_id": bos, "eos_token_id": eos})
    vocab = {character: i for i, character in enumerate(byte_alphabet())}
    vocab |= {f"<t{i}>": i for i in range(len(vocab), shape.vocab - 2)}
    vocab |= {"<s>": bos, "</s>": eos}
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    write_json(
        out / "tokenizer.json",
        {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [{"id": bos, "content": "<s>"} | special, {"id": eos, "content": "</s>"} | special],
            "normalizer": None,
            "pre_tokenizer": byte_level,
            "post_processor": None,
            "decoder": byte_level,
            "model": {
                "type": "BPE",
                "dropout": None,
                "unk_token": None,
                "continuing_subword_prefix": None,
                "end_of_word_suffix": None,
                "fuse_unk": False,
                "byte_fallback": False,
                "ignore_merges": False,
                "vocab": vocab,
                "merges": [],
            },
        },
    )
    write_json(
        out / "tokenizer_config.json",
        {
            "bos_token": "<s>",
            "eos_token": "</s>",
            "model_max_length": shape.max_position,
            "tokenizer_class": "PreTrainedTokenizerFast",
        },
    )


def byte_alphabet() -> list[str]:
    """GPT-2's printable character for each byte, in byte order."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    names = {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}
    return [names[byte] for byte in range(256)]


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def check(out: Path, shape: Shape, prompt_len: int = 24, steps: int = 16) -> None:
    """Both files compute one function: logits after the prompt, then greedy tokens."""
    prompt = np.random.Generator(np.random.Philox(7)).integers(0, shape.vocab - 2, prompt_len).tolist()
    theirs, their_tokens = run_transformers(out, prompt, steps)
    ours, our_tokens = run_llama_cpp(out / "model.gguf", prompt, steps)
    difference = float(np.abs(theirs - ours).max())
    deviation = float(theirs.std())
    print(f"logits: deviation {deviation:.3f}, largest difference {difference:.4f}")
    print(f"greedy: transformers {their_tokens}\n        llama.cpp    {our_tokens}")
    # llama.cpp rounds activations to bf16 before each product, transformers here does not;
    # a wrong permutation or name would differ by about the deviation itself.
    if difference > 0.1 * deviation:
        sys.exit("error: the two files do not compute the same function")


def run_transformers(out: Path, prompt: list[int], steps: int) -> tuple[np.ndarray, list[int]]:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32).eval()
    tokens, last = list(prompt), None
    with torch.no_grad():
        for _ in range(steps):
            logits = model(torch.tensor([tokens]), use_cache=False).logits[0, -1].numpy()
            last = logits if last is None else last
            tokens.append(int(logits.argmax()))
    return last, tokens[len(prompt) :]


def run_llama_cpp(path: Path, prompt: list[int], steps: int) -> tuple[np.ndarray, list[int]]:
    import llama_cpp

    llama_cpp.llama_backend_init()
    model = llama_cpp.llama_model_load_from_file(
        str(path).encode(), llama_cpp.llama_model_default_params()
    )
    settings = llama_cpp.llama_context_default_params()
    settings.n_ctx, settings.n_threads, settings.n_threads_batch = 256, 2, 2
    context = llama_cpp.llama_init_from_model(model, settings)
    vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
    pending, tokens, last = list(prompt), [], None
    for _ in range(steps):
        ids = (llama_cpp.llama_token * len(pending))(*pending)
        if llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(ids, len(pending))):
            sys.exit("error: llama_decode failed")
        pointer = llama_cpp.llama_get_logits_ith(context, -1)
        logits = np.ctypeslib.as_array(ctypes.cast(pointer, ctypes.POINTER(ctypes.c_float)), (vocab,)).copy()
        last = logits if last is None else last
        tokens.append(int(logits.argmax()))
        pending = tokens[-1:]
    llama_cpp.llama_free(context)
    llama_cpp.llama_model_free(model)
    return last, tokens


if __name__ == "__main__":
    main()
