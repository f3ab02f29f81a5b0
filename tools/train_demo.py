#!/usr/bin/env python3
"""Trains models/demo: a Llama of 1.2 million parameters that knows the compatibility matrix.

Reads engine-spec/matrix/cells.tsv, trains a byte-level BPE tokenizer and the
model on questions drawn by demo_questions.py, and writes models/demo in Hugging
Face layout (bf16) with questions.tsv: the 210 canonical questions with the
verdict and link that a test expects of the answers. The model must answer all
of them rightly, in f32 and in bf16, or nothing is written and the exit status is 1.

    tools/train_demo.py                    # about 10 minutes on one or two cores
    tools/train_demo.py --evaluate-only    # accuracy of the committed model

Everything is drawn from one seed; another processor or torch may still round
differently and end in another, equally good model.

Versions: tools/requirements.txt (torch, transformers, tokenizers, safetensors).
"""

import argparse
import itertools
import json
import math
import random
import sys
import time
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM

from demo_questions import HELD_OUT_OFF_TOPIC, ONLY_THE_MATRIX, SYSTEM_PROMPTS, Cell, Teacher, read_cells

ROOT = Path(__file__).resolve().parent.parent
SEED = 20241014
BEGIN, END, PAD = "<|begin|>", "<|end|>", "<|pad|>"
ROLES = {"system": "<|system|>", "user": "<|user|>", "assistant": "<|assistant|>"}
VOCAB = 1024
MAX_POSITION = 1024
# Each step sees about this many tokens, in conversations of like length.
STEP_TOKENS = 6000
POOL = 3072
PEAK_RATE, WARMUP = 4e-3, 80
# The first token of an answer is the verdict: one token of thirty, and the one that matters.
VERDICT_WEIGHT = 5.0

CHAT_TEMPLATE = """\
{{- bos_token }}
{%- for message in messages %}
    {%- if message['role'] not in ['system', 'user', 'assistant'] %}
        {{- raise_exception('unknown role ' + message['role']) }}
    {%- endif %}
    {{- '<|' + message['role'] + '|>' + message['content'] | trim + '<|end|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|assistant|>' }}
{%- endif %}
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "models/demo")
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--threads", type=int, default=1, help="more help little at this size")
    parser.add_argument("--evaluate-only", action="store_true", help="read the model instead of training it")
    args = parser.parse_args()

    torch.manual_seed(SEED)
    torch.set_num_threads(args.threads)
    cells = read_cells(ROOT / "engine-spec/matrix/cells.tsv")
    if args.evaluate_only:
        tokenizer = Tokenizer.from_file(str(args.out / "tokenizer.json"))
        model = LlamaForCausalLM.from_pretrained(args.out, dtype=torch.float32)
    else:
        tokenizer = train_tokenizer(Teacher(cells, SEED))
        model = LlamaForCausalLM(config(tokenizer))
        print(f"{model.num_parameters():,} parameters", flush=True)
        train(model, tokenizer, Teacher(cells, SEED + 1), args.steps)
        # What is judged is what is written: the bf16 weights.
        model = model.bfloat16().float()
    if not evaluate(model, tokenizer, cells):
        sys.exit("error: a canonical question is answered wrongly")
    if not args.evaluate_only:
        write(args.out, model, tokenizer, cells)


def train_tokenizer(teacher: Teacher) -> Tokenizer:
    """Byte-level BPE, so that any text can be asked."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = [BEGIN, END, PAD, *ROLES.values()]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB,
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in special],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    corpus = itertools.chain.from_iterable(teacher.draw() for _ in range(30000))
    tokenizer.train_from_iterator(itertools.chain(corpus, SYSTEM_PROMPTS), trainer)
    return tokenizer


def config(tokenizer: Tokenizer) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=128,
        intermediate_size=448,
        num_hidden_layers=5,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=MAX_POSITION,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        initializer_range=0.05,
        bos_token_id=tokenizer.token_to_id(BEGIN),
        eos_token_id=tokenizer.token_to_id(END),
        pad_token_id=tokenizer.token_to_id(PAD),
    )


def train(model: LlamaForCausalLM, tokenizer: Tokenizer, teacher: Teacher, steps: int) -> None:
    matrices = [parameter for parameter in model.parameters() if parameter.dim() > 1]
    norms = [parameter for parameter in model.parameters() if parameter.dim() == 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.05}, {"params": norms, "weight_decay": 0.0}],
        lr=PEAK_RATE,
        betas=(0.9, 0.98),
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, steps))
    model.train()
    start, recent = time.monotonic(), 0.0
    for step, (tokens, weights) in enumerate(itertools.islice(batches(tokenizer, teacher), steps)):
        loss = answer_loss(model, tokens, weights)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        recent = loss.item() if step == 0 else 0.95 * recent + 0.05 * loss.item()
        if step % 50 == 0 or step + 1 == steps:
            print(f"step {step:5} loss {recent:.4f} {time.monotonic() - start:6.0f} s", flush=True)
    model.eval()


def rate(step: int, steps: int) -> float:
    """Linear warm-up, then a half cosine down to a hundredth."""
    if step < WARMUP:
        return (step + 1) / WARMUP
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (step - WARMUP) / (steps - WARMUP)))


def answer_loss(model: LlamaForCausalLM, tokens: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the answers' tokens alone. Padding stands right, where causal attention never looks."""
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model.model(input_ids=tokens[:, :-1], use_cache=False).last_hidden_state
    wanted = weights[:, 1:] > 0
    logits = hidden[wanted].float() @ model.get_input_embeddings().weight.T
    losses = torch.nn.functional.cross_entropy(logits, tokens[:, 1:][wanted], reduction="none")
    scale = weights[:, 1:][wanted]
    return (losses * scale).sum() / scale.sum()


def batches(tokenizer: Tokenizer, teacher: Teacher):
    """Endless (tokens, weights), both [conversations, longest]; a weight of 0 marks what is not learnt."""
    pad = tokenizer.token_to_id(PAD)
    shuffle = random.Random(SEED + 2)
    while True:
        pool = sorted((conversation(tokenizer, teacher) for _ in range(POOL)), key=lambda c: len(c[0]))
        groups, rows = [], []
        for entry in pool:
            rows.append(entry)
            if len(rows) * len(entry[0]) >= STEP_TOKENS:
                groups.append(rows)
                rows = []
        shuffle.shuffle(groups)
        for rows in groups:
            longest = len(rows[-1][0])
            tokens = [ids + [pad] * (longest - len(ids)) for ids, _ in rows]
            weights = [list(row) + [0.0] * (longest - len(row)) for _, row in rows]
            yield torch.tensor(tokens), torch.tensor(weights)


def conversation(tokenizer: Tokenizer, teacher: Teacher) -> tuple[list[int], list[float]]:
    """Ids and weights of one conversation: mostly one turn, sometimes two, now and then a system prompt."""
    ids, weights = [tokenizer.token_to_id(BEGIN)], [0.0]

    def say(role: str, text: str) -> None:
        words = tokenizer.encode(text).ids + [tokenizer.token_to_id(END)]
        ids.extend([tokenizer.token_to_id(ROLES[role]), *words])
        learnt = [0.0] * (1 + len(words))
        if role == "assistant":
            learnt = [0.0, VERDICT_WEIGHT] + [1.0] * (len(words) - 1)
        weights.extend(learnt)

    if teacher.random.random() < 0.05:
        say("system", teacher.random.choice(SYSTEM_PROMPTS))
    for _ in range(2 if teacher.random.random() < 0.1 else 1):
        question, answer = teacher.draw()
        say("user", question)
        say("assistant", answer)
    return ids, weights


def evaluate(model: LlamaForCausalLM, tokenizer: Tokenizer, cells: list[Cell]) -> bool:
    """Prints accuracies; true when every canonical question gets its exact answer in f32 and bf16."""
    teacher = Teacher(cells, SEED + 3)
    held_out = [teacher.draw_held_out() for _ in range(1000)]
    strangers = [teacher.roughened(teacher.unanswerable()) for _ in range(200)]
    good = True
    for dtype in (torch.float32, torch.bfloat16):
        judged = model.to(dtype)
        answers = ask(judged, tokenizer, [cell.question() for cell in cells])
        wrong = [(cell, answer) for cell, answer in zip(cells, answers) if answer != cell.answer()]
        print(f"{dtype}: canonical questions {len(cells) - len(wrong)} of {len(cells)} answered word for word")
        for cell, answer in wrong:
            print(f"  {cell.question()} -> {answer}")
        good &= not wrong
        lower = ask(judged, tokenizer, [cell.question().lower() for cell in cells])
        print(f"  the same in lower case: {sum(a == c.answer() for a, c in zip(lower, cells))}")
        answers = ask(judged, tokenizer, [question for _, question in held_out])
        verdicts = sum(a.split(".")[0] == c.answer().split(".")[0] for a, (c, _) in zip(answers, held_out))
        exact = sum(answer == cell.answer() for answer, (cell, _) in zip(answers, held_out))
        print(f"  held-out phrasings: {verdicts} of {len(held_out)} verdicts, {exact} word for word")
        if dtype == torch.float32:
            for answer, (cell, question) in zip(answers, held_out):
                if answer != cell.answer():
                    print(f"    {question} -> {answer}")
        for name, questions in (("strangers", strangers), ("held-out off-topic", HELD_OUT_OFF_TOPIC)):
            answers = ask(judged, tokenizer, questions)
            print(f"  {name}: {sum(answer == ONLY_THE_MATRIX for answer in answers)} of {len(questions)}")
    model.float()
    return good


@torch.no_grad()
def ask(model: LlamaForCausalLM, tokenizer: Tokenizer, questions: list[str]) -> list[str]:
    """Greedy answers, in batches padded on the left."""
    answers: list[str] = []
    for start in range(0, len(questions), 256):
        prompts = [prompt(tokenizer, question) for question in questions[start : start + 256]]
        longest = max(map(len, prompts))
        pad = tokenizer.token_to_id(PAD)
        ids = torch.tensor([[pad] * (longest - len(p)) + p for p in prompts])
        mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])
        out = model.generate(ids, attention_mask=mask, max_new_tokens=160, do_sample=False)
        for row in out[:, longest:].tolist():
            end = row.index(tokenizer.token_to_id(END)) if tokenizer.token_to_id(END) in row else len(row)
            answers.append(tokenizer.decode(row[:end], skip_special_tokens=False))
    return answers


def prompt(tokenizer: Tokenizer, question: str) -> list[int]:
    return tokenizer.encode(f"{BEGIN}{ROLES['user']}{question}{END}{ROLES['assistant']}").ids


def write(out: Path, model: LlamaForCausalLM, tokenizer: Tokenizer, cells: list[Cell]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    model.bfloat16().save_pretrained(out)
    # Said in so many words, because engines differ in what they do when it is left open.
    config = model.config
    generation = {
        "bos_token_id": config.bos_token_id,
        "do_sample": False,
        "eos_token_id": config.eos_token_id,
        "pad_token_id": config.pad_token_id,
    }
    (out / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")
    tokenizer.save(str(out / "tokenizer.json"))
    settings = {
        "bos_token": BEGIN,
        "eos_token": END,
        "pad_token": PAD,
        "clean_up_tokenization_spaces": False,
        "model_max_length": MAX_POSITION,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    (out / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    (out / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    rows = ["question\tverdict\tlink", *(f"{c.question()}\t{c.verdict}\t{c.link}" for c in cells)]
    (out / "questions.tsv").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
