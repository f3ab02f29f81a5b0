//! Asking a profile: every answer with its record.

use std::fmt;

use super::{Decision, Origin};
use crate::diagnostics::Span;
use crate::features::{Feature, Switch};
use crate::profile::{Profile, Spanned};
use crate::settings::{Answer, Table};

/// Asks a profile and keeps a record of every answer.
pub(crate) struct Ask<'p> {
    pub profile: &'p Profile,
    decisions: Vec<Decision>,
}

impl<'p> Ask<'p> {
    pub fn new(profile: &'p Profile) -> Ask<'p> {
        Ask {
            profile,
            decisions: Vec::new(),
        }
    }

    pub fn decisions(self) -> Vec<Decision> {
        self.decisions
    }

    pub fn record(&mut self, key: &str, value: impl fmt::Display, origin: Origin) {
        self.decisions.push(Decision {
            key: key.to_owned(),
            value: value.to_string(),
            origin,
        });
    }

    pub fn line(&self, span: &Span) -> Origin {
        Origin::Line(self.profile.line(span))
    }

    /// What the profile must say.
    pub fn said<T: fmt::Display>(&mut self, key: &str, said: Spanned<T>) -> T {
        let origin = self.line(&said.span);
        self.record(key, &said.value, origin);
        said.value
    }

    /// What the profile may say.
    pub fn or<T: fmt::Display>(
        &mut self,
        key: &str,
        said: Option<Spanned<T>>,
        otherwise: T,
        origin: Origin,
    ) -> T {
        match said {
            Some(said) => self.said(key, said),
            None => {
                self.record(key, &otherwise, origin);
                otherwise
            }
        }
    }

    /// One key of a table of settings.
    pub fn setting<T: Answer>(
        &mut self,
        table: Table<'_>,
        key: &str,
        otherwise: T,
        origin: Origin,
    ) -> T {
        let (value, origin) = match T::written(table.values, key) {
            Some(said) => (said.value, self.line(&said.span)),
            None => (otherwise, origin),
        };
        self.record(&format!("{}.{key}", table.name), value.words(), origin);
        value
    }

    /// Whether a feature is on, and with which settings.
    pub fn switch<S>(
        &mut self,
        feature: Feature,
        on: impl FnOnce(&mut Self, Table<'_>) -> S,
    ) -> Switch<S> {
        let key = format!("features.{feature}");
        let mut named = self.profile.features.iter();
        let Some(chosen) = named.find(|chosen| chosen.feature == feature) else {
            self.record(&key, "off", Origin::Default);
            return Switch::Off;
        };
        let origin = self.line(&chosen.key);
        if !chosen.on {
            self.record(&key, "off", origin);
            return Switch::Off;
        }
        self.record(&key, "on", origin);
        let table = Table {
            name: &key,
            values: &chosen.settings,
        };
        Switch::On(on(self, table))
    }
}
