//! Tokenizers and chat templates. They run no kernel, and so are built beside the suite that does.

mod goldens;
mod hostile;
