//! Where results go: standard output, with colours only where someone looks at them.

use std::io::{self, StdoutLock, Write};

use anstream::{AutoStream, ColorChoice};
use clap::ValueEnum;

/// Whether to write colours.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum Color {
    /// To a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    Always,
    Never,
}

impl Color {
    /// Makes this the choice of standard output and standard error.
    pub fn apply(self) {
        match self {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::AlwaysAnsi,
            Color::Never => ColorChoice::Never,
        }
        .write_global();
    }
}

/// Buffered standard output that drops colours when it is not a terminal.
pub struct Output(io::BufWriter<AutoStream<StdoutLock<'static>>>);

impl Output {
    pub fn stdout() -> Output {
        Output(io::BufWriter::new(AutoStream::auto(io::stdout()).lock()))
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
