//! Finding stop strings in a text that arrives in pieces.
//!
//! The result does not depend on where the pieces are cut: the match that ends first counts, the longest of those
//! that end together. Text that may still become a match is held back.

use std::sync::Arc;

/// A match: which stop string, and the text in front of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    pub stop: Arc<str>,
    pub before: String,
}

/// The stop strings of one sequence, and the text that they hold back.
#[derive(Debug, Clone, Default)]
pub struct StopStrings {
    stops: Vec<Arc<str>>,
    held: String,
    /// Bytes of `held` that a match must reach beyond to count.
    unarmed: usize,
}

impl StopStrings {
    /// `stops` holds no empty string.
    pub fn new(stops: &[String]) -> Self {
        Self {
            stops: stops.iter().map(|stop| Arc::from(stop.as_str())).collect(),
            held: String::new(),
            unarmed: 0,
        }
    }

    /// Adds text in which no match may end, and returns what can be shown.
    pub fn push_unarmed(&mut self, text: &str) -> String {
        self.held.push_str(text);
        self.unarmed = self.held.len();
        self.release()
    }

    /// Adds text, and returns what can be shown, or the match that ends the output.
    pub fn push(&mut self, text: &str) -> Result<String, Match> {
        self.held.push_str(text);
        match self.find() {
            Some((start, stop)) => {
                self.held.truncate(start);
                Err(Match {
                    stop,
                    before: std::mem::take(&mut self.held),
                })
            }
            None => Ok(self.release()),
        }
    }

    /// Returns what was held back: the output has ended otherwise.
    pub fn finish(&mut self) -> String {
        self.unarmed = 0;
        std::mem::take(&mut self.held)
    }

    /// Where the match that ends first starts.
    fn find(&self) -> Option<(usize, Arc<str>)> {
        self.stops
            .iter()
            .filter_map(|stop| {
                // A match must end beyond `unarmed`, so this is the first byte it can start at.
                let from = (self.unarmed + 1).saturating_sub(stop.len());
                let from = self.held.ceil_char_boundary(from);
                let start = from + self.held[from..].find(&**stop)?;
                Some((start + stop.len(), start, stop))
            })
            .min_by_key(|&(end, start, _)| (end, start))
            .map(|(_, start, stop)| (start, stop.clone()))
    }

    /// Takes all that cannot be the beginning of a match.
    fn release(&mut self) -> String {
        let starts = self.held.char_indices().map(|(at, _)| at);
        let mut starts = starts.skip_while(|&at| {
            let rest = &self.held.as_bytes()[at..];
            !self
                .stops
                .iter()
                .any(|stop| stop.as_bytes().starts_with(rest) && stop.len() > rest.len())
        });
        let keep = starts.next().unwrap_or(self.held.len());
        self.unarmed = self.unarmed.saturating_sub(keep);
        let rest = self.held.split_off(keep);
        std::mem::replace(&mut self.held, rest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition: after each character, is there a stop string that ends here, the longest first?
    fn naive(text: &str, stops: &[String], unarmed: usize) -> (String, Option<String>) {
        let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
        for end in ends.filter(|&end| end > unarmed) {
            let ending = stops.iter().filter(|stop| text[..end].ends_with(*stop));
            if let Some(stop) = ending.max_by_key(|stop| stop.len()) {
                return (text[..end - stop.len()].to_owned(), Some(stop.clone()));
            }
        }
        (text.to_owned(), None)
    }

    fn streamed(pieces: &[&str], stops: &[String], unarmed: usize) -> (String, Option<String>) {
        let mut matcher = StopStrings::new(stops);
        let mut shown = String::new();
        let mut seen = 0;
        for piece in pieces {
            seen += piece.len();
            if seen <= unarmed {
                shown.push_str(&matcher.push_unarmed(piece));
                continue;
            }
            match matcher.push(piece) {
                Ok(text) => shown.push_str(&text),
                Err(found) => {
                    shown.push_str(&found.before);
                    return (shown, Some(found.stop.to_string()));
                }
            }
        }
        shown.push_str(&matcher.finish());
        (shown, None)
    }

    proptest! {
        #![proptest_config(testbed::properties(256))]

        #[test]
        fn streamed_text_is_unstreamed_text_at_every_split(
            text in "[abä]{0,12}",
            stops in prop::collection::vec("[abä]{1,4}", 0..4),
            cuts in prop::collection::vec(any::<bool>(), 13),
            unarmed_chars in 0_usize..6,
        ) {
            let mut pieces = Vec::new();
            let mut start = 0;
            let mut unarmed = 0;
            for (index, (at, _)) in text.char_indices().enumerate() {
                // A cut where arming happens, as between two tokens.
                if index == unarmed_chars {
                    unarmed = at;
                }
                if at > 0 && (cuts[index] || index == unarmed_chars) {
                    pieces.push(&text[start..at]);
                    start = at;
                }
            }
            pieces.push(&text[start..]);
            prop_assert_eq!(streamed(&pieces, &stops, unarmed), naive(&text, &stops, unarmed));
        }
    }

    #[test]
    fn only_the_possible_beginning_of_a_match_is_held_back() {
        let mut matcher = StopStrings::new(&["</s>".to_owned()]);
        assert_eq!(matcher.push("a<"), Ok("a".to_owned()));
        assert_eq!(matcher.push("/x<"), Ok("</x".to_owned()));
        assert_eq!(matcher.finish(), "<");
    }
}
