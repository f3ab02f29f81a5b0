"""Tiny tokenizers of the two kinds that our families use, and golden files of what they do.

Used by make_goldens.py. Each is trained on the few sentences below, so that its
vocabulary holds some words and needs bytes for the rest. The chat templates are
our own, made of the constructs that published templates use.
"""

import copy
import json
import tempfile
from pathlib import Path

import tokenizers
import transformers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

CORPUS = [
    "A profile names the hardware, the model family and the serving features.",
    "At compile time it is checked against a compatibility matrix.",
    "What passes becomes one engine with only that profile's code in it.",
    "The engine loads a checkpoint, reads a prompt and generates tokens.",
    "It's what they'd said: we've tested 105 pairs, and 12 of them can't work.",
    "    indented code\n        and more of it\n\n\nafter blank lines\tand tabs",
    "Größe, façade, naïve, señor, Ελλάδα, привет, 日本語, 中文字符, 한국어",
]
# What breaks careless tokenizers, and careless streaming: characters of several tokens, and several characters of one.
TEXTS = [
    "",
    " ",
    "a",
    "Hello, world!",
    "  two spaces before, two after  ",
    "The engine loads a checkpoint.",
    "it's we've THEY'D can't",
    "numbers 1 12 123 1234 12345 3.14 1,000",
    "tabs\tand\nnew lines\r\nand\n\n\nblank ones   \n  x",
    "snake_case camelCase kebab-case a+b==c // comment",
    "🙂",
    "🙂🙃🙂 three faces",
    "👩‍👩‍👧‍👦 one family of seven code points",
    "🇩🇪🇫🇷 flags",
    "日本語のテキスト、中文字符。",
    "한국어 텍스트",
    "e\u0301 combining, \u00e9 composed, \u0041\u030a \u212b",
    "नमस्ते दुनिया",
    "مرحبا بالعالم",
    "\u200b zero width, \ufeff mark, \u00a0 no break",
    "mathematical 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 and ½ ² ﬁ",
    "replacement \ufffd itself",
    "\u0000 nul and \u007f del",
    "<s> </s> <unk> <0x41> <|end|> <|begin_of_text|> <|eot_id|> <|user|> look special",
    "▁ the metaspace character ▁▁ itself",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
]
CHATS = [
    [{"role": "user", "content": "Does LoRA work on Volta?"}],
    [{"role": "user", "content": "  spaces around \n"}],
    [{"role": "system", "content": "Answer briefly."}, {"role": "user", "content": "Hi"}],
    [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": "日本語 🙂?"},
    ],
    [{"role": "tool", "content": "a role that not every template knows"}],
    [{"role": "user", "content": "one"}, {"role": "user", "content": "two in a row"}],
    [{"role": "user", "content": "{{ not_a_template }} {% raw %} <b>&amp;</b>"}],
]

# Chats as clients of OpenAI's API send them: no content, content in parts, calls of tools, reasoning.
CALL = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": '{"pair": ["lora", "cpu"], "n": 1}'}}
CLIENT_CHATS = [
    [{"role": "user", "content": [{"type": "text", "text": "one part"}]}],
    [{"role": "user", "content": [{"type": "text", "text": "first"}, {"type": "input_text", "text": "second"}, "third"]}],
    [{"role": "system", "content": [{"type": "text", "text": "Be brief."}]}, {"role": "user", "content": "plain"}],
    [
        {"role": "user", "content": "Look it up."},
        {"role": "assistant", "content": None, "tool_calls": [CALL], "refusal": None, "function_call": None},
        {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "yes"}, {"type": "text", "text": "6"}]},
        {"role": "assistant", "content": "Yes.", "tool_calls": None},
        {"role": "user", "content": "Thanks", "name": "ann"},
    ],
    [
        {"role": "user", "content": "Again."},
        {"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "now", "arguments": ""}}]},
        {"role": "tool", "content": "12:00"},
    ],
    [
        {"role": "user", "content": "Think."},
        {"role": "assistant", "content": "Done.", "reasoning": "hm", "tool_calls": []},
        {"role": "user", "content": ""},
    ],
]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "look_up",
            "description": "Looks a pair up: <é> & more",
            "parameters": {"type": "object", "properties": {"pair": {"type": "array", "items": {"type": "string"}}}},
        },
    }
]

HEADERS_TEMPLATE = """\
{%- set loop_messages = messages %}
{%- for message in loop_messages %}
    {%- set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' %}
    {%- if loop.index0 == 0 %}
        {%- set content = bos_token + content %}
    {%- endif %}
    {{- content }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""
INST_TEMPLATE = (
    "{% if messages[0]['role'] == 'system' %}"
    "{% set system_message = messages[0]['content'] | trim %}{% set messages = messages[1:] %}"
    "{% else %}{% set system_message = '' %}{% endif %}"
    "{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate, user first') }}{% endif %}"
    "{% if loop.first and system_message != '' %}"
    "{% set content = '<<SYS>>\\n' ~ system_message ~ '\\n<</SYS>>\\n\\n' ~ message['content'] %}"
    "{% else %}{% set content = message['content'] %}{% endif %}"
    "{% if message['role'] == 'user' %}{{ bos_token ~ '[INST] ' ~ content.strip() ~ ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' ' ~ content.strip() ~ ' ' ~ eos_token }}{% endif %}"
    "{% endfor %}"
)
CHATML_TEMPLATE = """\
{%- set ns = namespace(system=false, last=messages | length - 1) %}
{%- for message in messages %}
    {%- if message.role == "system" %}
        {%- set ns.system = true %}
    {%- endif %}
{%- endfor %}
{%- if not ns.system %}
    {{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system") or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "tool" %}
        {{- '<|im_start|>user\\n<tool_response>\\n' + (message.content | tojson) + '\\n</tool_response><|im_end|>\\n' }}
    {%- endif %}
    {%- if loop.index0 == ns.last and message.content.startswith('two') %}
        {{- '(' ~ message.content.split(' ')[-1].upper() ~ ')\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
"""


def byte_level(out: Path) -> None:
    """As Llama 3: a splitting regex, bytes, whole words looked up before merging, a beginning put in front."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    pattern = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=480, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    # As in Llama 3, special tokens come after the text's.
    special = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single="<|begin_of_text|> $A",
                pair="<|begin_of_text|> $A <|begin_of_text|>:1 $B:1",
                special_tokens=[("<|begin_of_text|>", tokenizer.token_to_id("<|begin_of_text|>"))],
            ),
        ]
    )
    write(out, tokenizer, "<|begin_of_text|>", "<|eot_id|>", HEADERS_TEMPLATE)


def byte_fallback(out: Path) -> None:
    """As Llama 2 after conversion from SentencePiece: metaspace, and bytes for what has no piece."""
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=True)
    trainer = trainers.BpeTrainer(
        vocab_size=200,
        # No alphabet for the last line of the corpus: those letters are what falls back to bytes.
        special_tokens=["<unk>", "<s>", "</s>"],
        show_progress=False,
    )
    trained.train_from_iterator(CORPUS[:-1], trainer)
    model = json.loads(trained.to_str())["model"]
    pieces = [piece for piece, _ in sorted(model["vocab"].items(), key=lambda item: item[1])][3:]
    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *pieces]
    tokenizer = Tokenizer(
        models.BPE(
            vocab={name: i for i, name in enumerate(names)},
            merges=[tuple(merge) for merge in model["merges"]],
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in ("<unk>", "<s>", "</s>")]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)]
    )
    write(out, tokenizer, "<s>", "</s>", INST_TEMPLATE)
    settings(out, out)


def chatml(out: Path) -> None:
    """As Qwen 2 and 3: NFC, a splitting regex with single digits, bytes, nothing put in front."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    pattern = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    # Text tokens that are matched whole, yet are not special: they stay when special tokens are skipped.
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in ("<think>", "</think>")])
    write(out, tokenizer, None, "<|im_end|>", CHATML_TEMPLATE)
    client_chats(out, out)


# One template that reads content as text, and writes calls and tools as Qwen's do; one that reads text or parts; one that
# reads nothing but parts, as some models for images have it.
TOOLS_TEMPLATE = """\
{%- if tools %}
    {{- '<|im_start|>system\\n# Tools' }}
    {%- for tool in tools %}{{- '\\n' + (tool | tojson) }}{%- endfor %}
    {{- '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' }}
    {%- if message.reasoning_content is defined %}{{- '<think>' + message.reasoning_content + '</think>' }}{%- endif %}
    {%- if message.content %}{{- message.content }}{%- endif %}
    {%- if 'tool_calls' in message %}
        {%- for call in message.tool_calls %}
            {{- '<tool_call>' + call.function.name }}
            {%- for name, value in call.function.arguments.items() %}{{- ' ' ~ name ~ '=' ~ (value | tojson) }}{%- endfor %}
            {{- '</tool_call>' }}
        {%- endfor %}
    {%- endif %}
    {{- '<|im_end|>\\n' }}
{%- endfor %}
"""
EITHER_TEMPLATE = """\
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' }}
    {%- if message.content is string %}
        {{- message.content }}
    {%- else %}
        {%- for part in message.content %}{%- if part.type == 'text' %}{{- '[' + part.text + ']' }}{%- endif %}{%- endfor %}
    {%- endif %}
    {{- '<|im_end|>\\n' }}
{%- endfor %}
"""
PARTS_TEMPLATE = """\
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' }}
    {%- for part in message.content %}{%- if part.type == 'text' %}{{- '[' + part.text + ']' }}{%- endif %}{%- endfor %}
    {{- '<|im_end|>\\n' }}
{%- endfor %}
"""
CLIENT_TEMPLATES = {"text": TOOLS_TEMPLATE, "either": EITHER_TEMPLATE, "parts": PARTS_TEMPLATE}


def client_chats(folder: Path, out: Path) -> None:
    """out/clients.json: what transformers makes of CLIENT_CHATS once they are what vLLM passes to it."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    chat = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    entries = []
    for form, template in CLIENT_TEMPLATES.items():
        chat.chat_template = template
        for messages in CLIENT_CHATS:
            for tools in (None, TOOLS):
                rendered = chat.apply_chat_template(
                    [as_vllm_passes_it(message, form) for message in messages], tools=tools, tokenize=False
                )
                entries.append({"template": template, "messages": messages, "tools": tools or [], "rendered": rendered})
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    (out / "clients.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def as_vllm_passes_it(message: dict, form: str) -> dict:
    """What vllm/entrypoints/chat_utils.py turns a client's message into, for templates that read content in this form."""
    message = {name: value for name, value in copy.deepcopy(message).items() if value is not None}
    content = message.get("content", [])
    parts = content if isinstance(content, list) else [content]
    texts = [part if isinstance(part, str) else part["text"] for part in parts]
    # Templates that read either get text as it came, but a tool's result as text. vLLM passes it as text to those that
    # read parts alone, too, where it would be lost.
    as_it_came = form == "either" and isinstance(content, list) and texts and message["role"] != "tool"
    if form == "parts" or as_it_came:
        content = [{"type": "text", "text": text} for text in texts]
    else:
        content = "\n".join(texts)
    message["content"] = content
    if not message.get("tool_calls", True):
        del message["tool_calls"]
    for call in message.get("tool_calls", []):
        call["function"] = call["function"] | {"arguments": json.loads(call["function"]["arguments"] or "{}")}
    return message


PLAIN = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
# What a folder's settings say of a tokenizer, against what transformers takes from them.
SETTINGS = {
    "plain": {"eos_token": "</s>"},
    "as an object": {"eos_token": {"__type": "AddedToken", "content": "</s>", **PLAIN}},
    "none": {},
    "null": {"eos_token": None},
    "another": {"eos_token": "<s>"},
}
MAPS = {
    "no map": None,
    "a map": {"eos_token": "<unk>"},
    "a map of objects": {"eos_token": {"content": "<unk>", **PLAIN}},
}


def settings(folder: Path, out: Path) -> None:
    """out/settings.json: the end of sequence, and the ids of a text with what is put around it."""
    entries = []
    original = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    listed = {str(token["id"]): {k: v for k, v in token.items() if k != "id"} for token in original["added_tokens"]}
    around = [
        {"tokenizer_class": cls, "add_bos_token": bos, "add_eos_token": eos}
        for cls in ("PreTrainedTokenizerFast", "LlamaTokenizer", "LlamaTokenizerFast")
        for bos in (True, False)
        for eos in (True, False)
    ]
    cases = [(config | {"bos_token": "<s>"} | lists, file, True) for config in SETTINGS.values() for file in MAPS.values()
             for lists in ({}, {"added_tokens_decoder": listed})]
    cases += [(config | {"bos_token": "<s>", "eos_token": "</s>"}, None, own) for config in around for own in (True, False)]
    for config, file, own in cases:
        with tempfile.TemporaryDirectory() as written:
            tokenizer = original if own else original | {"post_processor": None}
            write_json(Path(written) / "tokenizer.json", tokenizer)
            write_json(Path(written) / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"} | config)
            if file is not None:
                write_json(Path(written) / "special_tokens_map.json", file)
            # The class decides what is read; without a model's config it is that of the tokenizer's.
            write_json(Path(written) / "config.json", {"model_type": "llama"})
            loaded = transformers.AutoTokenizer.from_pretrained(written)
            entries.append(
                {
                    "config": config,
                    "special_tokens_map": file,
                    "post_processor": own,
                    "eos_token_id": loaded.eos_token_id,
                    "ids_with_special": loaded("the engine").input_ids,
                }
            )
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    (out / "settings.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


TOKENIZERS = {"byte-level": byte_level, "byte-fallback": byte_fallback, "chatml": chatml}


def write(out: Path, tokenizer: Tokenizer, bos: str | None, eos: str, chat_template: str) -> None:
    out.mkdir(parents=True)
    tokenizer.save(str(out / "tokenizer.json"))
    settings = {
        "bos_token": bos,
        "eos_token": eos,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 4096,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    write_json(out / "tokenizer_config.json", settings)
    (out / "chat_template.jinja").write_text(chat_template, encoding="utf-8")
    write_golden(out, out)


def write_golden(folder: Path, out: Path) -> None:
    """out/golden.json: everything that `folder`'s tokenizer and template make of TEXTS and CHATS."""
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    chat = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=settings["bos_token"],
        eos_token=settings["eos_token"],
        clean_up_tokenization_spaces=False,
    )
    chat.chat_template = (folder / "chat_template.jinja").read_text(encoding="utf-8")
    texts = [encoded(tokenizer, text) for text in TEXTS]
    chats = [rendered(chat, messages, prompt) for messages in CHATS for prompt in (True, False)]
    made_by = f"tokenizers {tokenizers.__version__}, transformers {transformers.__version__}"
    # One line an entry, so that a diff shows which text has changed.
    lines = [
        '{"made_by": ' + json.dumps(made_by) + ',\n"texts": [',
        ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in texts),
        '],\n"chats": [',
        ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in chats),
        "]}\n",
    ]
    (out / "golden.json").write_text("\n".join(lines), encoding="utf-8")


def encoded(tokenizer: Tokenizer, text: str) -> dict:
    """`ids` without and `ids_with_special` with what the post-processor adds; then back to text."""
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    return {
        "text": text,
        "ids": ids,
        "ids_with_special": tokenizer.encode(text, add_special_tokens=True).ids,
        "decoded": tokenizer.decode(ids, skip_special_tokens=False),
        "decoded_without_special": tokenizer.decode(ids, skip_special_tokens=True),
        # A stream that only ever shows the whole text so far must pass through these, less unfinished characters.
        "prefixes": [tokenizer.decode(ids[:end], skip_special_tokens=False) for end in range(len(ids) + 1)],
    }


def rendered(chat: PreTrainedTokenizerFast, messages: list[dict], prompt: bool) -> dict:
    """`rendered` and the `ids` it becomes, or `error` when the template raises one."""
    entry = {"messages": messages, "add_generation_prompt": prompt}
    try:
        text = chat.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt)
    except Exception as error:
        return entry | {"error": str(error)}
    return entry | {"rendered": text, "ids": chat(text, add_special_tokens=False).input_ids}


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
