//! Where answers go: standard output, or a file that appears whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::cli::Failure;

/// A writer of JSON lines. Dropped before [`Sink::finish`], it leaves no file.
pub enum Sink {
    Stdout,
    File {
        /// Written under another name, then renamed.
        writer: BufWriter<File>,
        unfinished: Unfinished,
        path: PathBuf,
    },
}

/// A file that is removed unless it was given its name.
pub struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After the rename there is nothing of this name, which is as it should be.
        let _ = fs::remove_file(&self.0);
    }
}

impl Sink {
    pub fn create(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else {
            return Ok(Self::Stdout);
        };
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.part", std::process::id()));
        let unfinished = path.with_file_name(name);
        let file = File::create(&unfinished)
            .map_err(|error| format!("cannot write {}: {error}", unfinished.display()))?;
        Ok(Self::File {
            writer: BufWriter::new(file),
            unfinished: Unfinished(unfinished),
            path: path.to_owned(),
        })
    }

    pub fn write(&mut self, line: &str) -> io::Result<()> {
        match self {
            Self::Stdout => {
                let mut out = io::stdout().lock();
                writeln!(out, "{line}")?;
                out.flush()
            }
            Self::File { writer, .. } => writeln!(writer, "{line}"),
        }
    }

    /// Gives the file its name.
    pub fn finish(self) -> Result<(), Failure> {
        let Self::File {
            writer,
            unfinished,
            path,
        } = self
        else {
            return Ok(());
        };
        let named =
            |error: &dyn std::fmt::Display| format!("cannot write {}: {error}", path.display());
        let file = writer.into_inner().map_err(|error| named(&error))?;
        file.sync_all().map_err(|error| named(&error))?;
        fs::rename(&unfinished.0, &path).map_err(|error| named(&error))?;
        Ok(())
    }
}
