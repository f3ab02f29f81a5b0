"""What the demo model is taught: questions about the matrix, and their answers.

The facts come from engine-spec/matrix/cells.tsv alone; this file holds only the
ways in which people say them. A cell has one answer and very many questions.
`train_demo.py` draws from here; nothing in this file knows about models.
"""

import csv
import random
import re
from dataclasses import dataclass
from pathlib import Path

# Title first: it stands in the canonical questions and, with `inline`, in the answers.
FEATURES: dict[str, list[str]] = {
    "chunked-prefill": ["Chunked prefill", "chunked prefills", "prefill chunking", "chunked-prefill", "enable_chunked_prefill", "prompt chunking", "splitting prefills into chunks"],
    "prefix-caching": ["Prefix caching", "automatic prefix caching", "APC", "prefix cache", "prefix-caching", "enable_prefix_caching", "the prefix cache", "prompt caching"],
    "lora": ["LoRA", "LoRA adapters", "a LoRA adapter", "multi-LoRA", "low-rank adapters", "LoRAs"],
    "prompt-adapter": ["Prompt adapter", "prompt adapters", "a prompt adapter", "prompt tuning", "soft prompts", "prompt-adapter"],
    "speculative-decoding": ["Speculative decoding", "spec decode", "spec decoding", "speculation", "speculative-decoding", "a draft model", "draft models", "n-gram speculation", "speculative sampling"],
    "cuda-graph": ["CUDA graph", "CUDA graphs", "cuda-graph", "graph capture", "cudagraphs", "cudagraph"],
    "encoder-decoder": ["Encoder-decoder", "encoder-decoder models", "encoder decoder", "enc-dec", "enc-dec models", "an encoder-decoder model", "BART", "T5", "cross-attention models"],
    "logprobs": ["Logprobs", "log probs", "log probabilities", "output logprobs", "token logprobs", "sample logprobs"],
    "prompt-logprobs": ["Prompt logprobs", "prompt log probs", "prompt-logprobs", "logprobs of the prompt", "prompt log probabilities", "prompt_logprobs"],
    "async-output": ["Async output", "async output processing", "async-output", "asynchronous output", "asynchronous output processing", "async postprocessing", "use_async_output_proc"],
    "multi-step": ["Multi-step", "multi-step scheduling", "multistep", "multi step", "multi-step decoding", "num_scheduler_steps", "multistep scheduling"],
    "multimodal": ["Multimodal", "multimodal models", "multi-modal", "multimodal input", "images", "image inputs", "vision models", "LLaVA", "vision language models", "VLMs"],
    "best-of": ["Best-of", "best of", "best_of", "best-of sampling", "best of n", "best-of-n", "best-of-n sampling"],
    "beam-search": ["Beam search", "beam-search", "beams", "use_beam_search", "beam search decoding", "beam decoding"],
    "guided-decoding": ["Guided decoding", "structured output", "guided-decoding", "guided generation", "constrained decoding", "JSON mode", "structured outputs", "grammar-guided decoding", "JSON schema output"],
}

FAMILIES: dict[str, list[str]] = {
    "volta": ["Volta", "a V100", "V100", "the V100", "Volta GPUs", "a Volta GPU", "sm_70", "Tesla V100", "my V100", "V100s", "compute capability 7.0"],
    "turing": ["Turing", "a T4", "T4", "Turing GPUs", "a Turing GPU", "sm_75", "RTX 2080 Ti", "an RTX 2080", "my T4", "T4s", "compute capability 7.5"],
    "ampere": ["Ampere", "an A100", "A100", "the A100", "Ampere GPUs", "an Ampere GPU", "sm_80", "A10", "an A30", "RTX 3090", "A100s", "sm_86", "compute capability 8.0"],
    "ada": ["Ada", "an L4", "L4", "Ada Lovelace", "Ada GPUs", "an Ada GPU", "sm_89", "L40S", "an L40S", "RTX 4090", "my RTX 4090", "compute capability 8.9"],
    "hopper": ["Hopper", "an H100", "H100", "the H100", "Hopper GPUs", "a Hopper GPU", "sm_90", "H200", "an H200", "GH200", "H100s", "compute capability 9.0"],
    "cpu": ["CPU", "a CPU", "CPUs", "the CPU", "x86", "a Xeon", "an EPYC", "my CPU", "a machine without a GPU", "the CPU backend", "EPYC", "Xeon"],
    "amd": ["AMD", "AMD GPUs", "an AMD GPU", "ROCm", "an MI300X", "MI300X", "MI250X", "MI210", "an RX 7900 XTX", "gfx942", "gfx90a", "Instinct GPUs", "AMD Instinct"],
}

# The first phrasing of each list is the canonical one. {a} and {b} may change places.
PAIR_PHRASINGS = [
    "Does {a} work with {b}?",
    "Can I use {a} with {b}?",
    "Is {a} compatible with {b}?",
    "Can {a} and {b} be used together?",
    "Do {a} and {b} work together?",
    "{a} with {b}?",
    "{a} + {b}",
    "{a} and {b}?",
    "{a} & {b}?",
    "Is it possible to combine {a} and {b}?",
    "Can I combine {a} with {b}?",
    "Does {a} support {b}?",
    "Will {a} work together with {b}?",
    "I want {a} and {b} in one deployment. Is that possible?",
    "What happens if I enable {a} and {b}?",
    "Are {a} and {b} compatible?",
    "Can I turn on {a} while {b} is on?",
    "Can I run {a} when {b} is enabled?",
    "Is {a} allowed together with {b}?",
    "Is {a} supported with {b}?",
    "Is the combination of {a} and {b} supported?",
    "Do I have to give up {a} for {b}, or do they work together?",
    "How about {a} and {b}?",
    "What about {a} together with {b}?",
    "Please check {a} against {b}.",
    "Tell me whether {a} works with {b}.",
    "Could I serve {a} along with {b}?",
    "Are there problems with {a} and {b}?",
    "We use {a}. Can we add {b}?",
    "Why does {a} not work with {b}?",
    "If I have {a} on, can I have {b} too?",
    "In vLLM, does {a} work with {b}?",
    "Should {a} work if {b} is used?",
    "Is anyone running {a} with {b}?",
    "Does enabling {a} allow {b}?",
    "{a}, {b}: compatible?",
]
HARDWARE_PHRASINGS = [
    "Does {a} work on {f}?",
    "Can I use {a} on {f}?",
    "Is {a} supported on {f}?",
    "Does {f} support {a}?",
    "{a} on {f}?",
    "{f} and {a}?",
    "{a} {f}",
    "Will {a} run on {f}?",
    "I have {f}. Can I use {a}?",
    "Is {a} available on {f}?",
    "Can {f} do {a}?",
    "Is {f} able to run {a}?",
    "Can I run {a} on {f}?",
    "What about {a} on {f}?",
    "How about {f} with {a}?",
    "Tell me whether {a} works on {f}.",
    "Please check {a} on {f}.",
    "We deploy on {f}. Is {a} possible?",
    "Is it possible to enable {a} on {f}?",
    "Can I turn on {a} on {f}?",
    "Does vLLM support {a} on {f}?",
    "On {f}, does {a} work?",
    "Are there problems with {a} on {f}?",
    "Why does {a} not work on {f}?",
    "Would {a} work if I run on {f}?",
    "Is {a} compatible with {f}?",
    "Does {a} work with {f}?",
    "What happens if I enable {a} on {f}?",
]
# Never trained on; they measure how far the model gets from the phrasings above.
HELD_OUT_PAIR_PHRASINGS = [
    "Can we have both {a} and {b}?",
    "Is {a} usable in combination with {b}?",
    "Does {a} play well with {b}?",
    "I would like to use {a} and also {b}, does that work?",
    "Will enabling {a} be fine when {b} is turned on?",
    "Could {a} run next to {b}?",
]
HELD_OUT_HARDWARE_PHRASINGS = [
    "Is {a} going to work on {f}?",
    "Can we deploy {a} on {f}?",
    "My server has {f}, does {a} work there?",
    "Does {a} function on {f}?",
    "Do I get {a} on {f}?",
]

ONLY_THE_MATRIX = (
    "I know only the compatibility matrix. Ask me whether a feature works with another feature"
    " or on a hardware family."
)
OFF_TOPIC = [
    "Hello", "Hi there!", "Good morning", "Thanks!", "Who are you?", "What can you do?", "Help",
    "What is the capital of France?", "Tell me a joke.", "Write a poem about the sea.", "What time is it?",
    "How is the weather today?", "What is 2 + 2?", "Translate hello into German.", "Who won the world cup?",
    "How do I bake bread?", "Write a Python function that sorts a list.", "What is the meaning of life?",
    "Sing me a song", "Which GPU should I buy?", "How fast is an H100?", "How much memory has a T4?",
    "What is a transformer?", "Explain attention.", "Is Volta older than Turing?", "Is AMD better than Hopper?",
    "What is the best model?", "How do I install vLLM?", "Can you summarise this text?", "asdf", "test", "?",
    "Once upon a time", "The quick brown fox jumps over the lazy dog.", "What does a tokenizer do?",
    "How many parameters do you have?", "Do you like music?", "Is it raining?", "Can dogs eat chocolate?",
    "Does this work?", "Can I use it?", "Is that supported?", "Yes", "No", "Why?", "How old are you?",
    "Give me a recipe for soup.", "Recommend a book.", "Where is Berlin?", "What is Rust?",
    "Is Python faster than Rust?", "Please write an essay.", "Count to ten.", "Spell banana.",
    "Are you a language model?", "Does coffee work with milk?", "Can I use a bicycle on a train?",
    "Is water compatible with oil?", "Do cats and dogs work together?", "Does the printer work on Monday?",
]
HELD_OUT_OFF_TOPIC = [
    "Hey, how are you?", "What is the capital of Spain?", "Tell me a story.", "What is 7 times 8?",
    "How do I cook rice?", "Who wrote Hamlet?", "Translate good night into French.", "Write a haiku.",
    "Can you play chess?", "What is the largest planet?",
]
ONE_FEATURE = [
    "What is {a}?", "{a}", "Tell me about {a}.", "Does {a} work?", "How do I enable {a}?", "Explain {a}.",
    "Is {a} fast?", "{a}?", "Why would I use {a}?", "Does {a} work with {a}?", "What does {a} do?",
]
ONE_FAMILY = ["What is {f}?", "{f}", "Tell me about {f}.", "Is {f} fast?", "{f}?", "Does it work on {f}?"]
UNKNOWN_FEATURES = [
    "tensor parallelism", "pipeline parallelism", "quantization", "AWQ", "GPTQ", "fp8", "flash attention",
    "torch.compile", "disaggregated prefill", "sliding window attention", "embeddings", "pooling models",
    "tool calling", "streaming", "mixture of experts", "KV cache offloading", "GGUF", "swap space", "reranking",
    "the OpenAI server", "Ray", "Triton", "Docker", "Kubernetes", "data parallelism", "bitsandbytes", "Mamba",
    "watermarking", "stop strings", "temperature", "a bicycle", "coffee", "my cat", "Excel", "TensorRT",
]
UNKNOWN_FAMILIES = [
    "a TPU", "TPUs", "Inferentia", "Trainium", "Gaudi", "Blackwell", "a B200", "Pascal", "a P100", "GTX 1080",
    "a Raspberry Pi", "Apple M2", "Intel Arc", "a phone", "Windows", "the moon", "Kepler", "K80", "Android", "Mac",
]
SYSTEM_PROMPTS = ["You are a helpful assistant.", "You are a helpful, honest assistant.", "Answer briefly.", "You are Lathe's assistant."]
OPENINGS = ["Hi, ", "Hello! ", "Quick question: ", "Hey, ", "Please tell me: ", "Sorry, one more: ", "Question: ", "Ok, ", "and "]


@dataclass(frozen=True)
class Cell:
    """One row of cells.tsv."""

    kind: str
    a: str
    b: str
    verdict: str
    link: str
    reason: str

    def question(self) -> str:
        """The canonical question."""
        if self.kind == "feature":
            return PAIR_PHRASINGS[0].format(a=FEATURES[self.a][0], b=FEATURES[self.b][0])
        return HARDWARE_PHRASINGS[0].format(a=FEATURES[self.a][0], f=FAMILIES[self.b][0])

    def answer(self) -> str:
        """The one answer: verdict, a sentence with the gist of the reason, the link as it stands in the cell."""
        a = FEATURES[self.a][0]
        where = f"with {inline(FEATURES[self.b][0])}" if self.kind == "feature" else f"on {FAMILIES[self.b][0]}"
        match self.verdict:
            case "yes":
                text = f"Yes. {a} works {where}."
            case "no":
                text = f"No. {a} does not work {where}: {gist(self.reason)}."
            case _:
                text = f"Unknown. {a} {where} was {gist(self.reason)}."
        return f"{text} See {self.link}" if self.link else text


def read_cells(path: Path) -> list[Cell]:
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Cell(row["kind"], row["a"], row["b"], row["vllm"], row["link"], row["reason"])
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        ]


def gist(reason: str) -> str:
    """The first statement of a reason, without its asides."""
    reason = re.sub(r" \([^)]*\)", "", reason)
    return re.sub(r"^as [a-z-]+: ", "", reason.split(";")[0])


def inline(title: str) -> str:
    """A title inside a sentence: names that are written in capitals keep them."""
    return title if title.startswith(("LoRA", "CUDA")) else title[0].lower() + title[1:]


class Teacher:
    """Draws questions with their answers. Everything follows from the seed."""

    def __init__(self, cells: list[Cell], seed: int) -> None:
        self.random = random.Random(seed)
        self.cells = cells
        # A refusal has a sentence of its own to learn, a yes shares its sentence with many others.
        self.weights = [1.0 if cell.verdict == "yes" else 2.0 for cell in cells]

    def draw(self) -> tuple[str, str]:
        """One (question, answer)."""
        if self.random.random() < 0.12:
            return self.roughened(self.unanswerable()), ONLY_THE_MATRIX
        cell = self.random.choices(self.cells, self.weights)[0]
        if self.random.random() < 0.1:
            return cell.question(), cell.answer()
        phrasing = self.random.choice(PAIR_PHRASINGS if cell.kind == "feature" else HARDWARE_PHRASINGS)
        return self.roughened(self.phrase(cell, phrasing)), cell.answer()

    def draw_held_out(self) -> tuple[Cell, str]:
        """A cell and a question in a phrasing that is never trained on."""
        cell = self.random.choice(self.cells)
        phrasings = HELD_OUT_PAIR_PHRASINGS if cell.kind == "feature" else HELD_OUT_HARDWARE_PHRASINGS
        return cell, sentence(self.phrase(cell, self.random.choice(phrasings)))

    def phrase(self, cell: Cell, phrasing: str) -> str:
        a = self.name(FEATURES[cell.a])
        if cell.kind == "hardware":
            return phrasing.format(a=a, f=self.random.choice(FAMILIES[cell.b]))
        pair = [a, self.name(FEATURES[cell.b])]
        self.random.shuffle(pair)
        return phrasing.format(a=pair[0], b=pair[1])

    def name(self, names: list[str]) -> str:
        """The title more often than any other name."""
        name = names[0] if self.random.random() < 0.3 else self.random.choice(names)
        return inline(name) if self.random.random() < 0.7 else name

    def unanswerable(self) -> str:
        """A question that the matrix does not answer."""
        feature = self.name(self.random.choice(list(FEATURES.values())))
        family = self.random.choice(self.random.choice(list(FAMILIES.values())))
        stranger = self.random.choice(UNKNOWN_FEATURES) if self.random.random() < 0.6 else self.invented_word()
        match self.random.randrange(6):
            case 0 | 1:
                return self.random.choice(OFF_TOPIC)
            case 2:
                return self.random.choice(ONE_FEATURE).format(a=feature)
            case 3:
                return self.random.choice(ONE_FAMILY).format(f=family)
            case 4:
                pair = [feature if self.random.random() < 0.8 else self.invented_word(), stranger]
                self.random.shuffle(pair)
                return self.random.choice(PAIR_PHRASINGS).format(a=pair[0], b=pair[1])
            case _:
                if self.random.random() < 0.5:
                    return self.random.choice(HARDWARE_PHRASINGS).format(a=stranger, f=family)
                elsewhere = self.random.choice(UNKNOWN_FAMILIES)
                return self.random.choice(HARDWARE_PHRASINGS).format(a=feature, f=elsewhere)

    def invented_word(self) -> str:
        syllables = [self.random.choice("bdfgklmnprstvz") + self.random.choice("aeiou") for _ in range(self.random.randint(2, 4))]
        return "".join(syllables)

    def roughened(self, text: str) -> str:
        """As people type: openings, case, a missing question mark, a slip of the finger."""
        text = sentence(text)
        if self.random.random() < 0.08:
            text = self.random.choice(OPENINGS) + text
        if self.random.random() < 0.08:
            text = self.misspelt(text)
        if self.random.random() < 0.2:
            text = text.rstrip("?.")
        case = self.random.random()
        if case < 0.25:
            return text.lower()
        return text.upper() if case < 0.27 else text

    def misspelt(self, text: str) -> str:
        """One letter of a long word doubled, dropped or swapped; short names keep apart by every letter."""
        words = [match for match in re.finditer(r"[A-Za-z]{6,}", text)]
        if not words:
            return text
        word = self.random.choice(words)
        i = self.random.randrange(word.start() + 1, word.end() - 1)
        dropped = text[:i] + text[i + 1 :]
        doubled = text[:i] + text[i] + text[i:]
        swapped = text[:i] + text[i + 1] + text[i] + text[i + 2 :]
        return self.random.choice([dropped, doubled, swapped])


def sentence(text: str) -> str:
    return text[0].upper() + text[1:]
