//! What is printed: figures by target, each also as a ratio to bare pingora.

use crate::targets::Kind;

/// One figure for each target.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<(Kind, f64)>);

/// What a figure is held against.
#[derive(Debug)]
pub(crate) struct Goal {
    pub(crate) what: &'static str,
    pub(crate) figure: f64,
    pub(crate) at_most: f64,
    pub(crate) unit: &'static str,
}

pub(crate) fn heading(text: &str) {
    println!("\n{text}");
}

// === impl Table ===

impl Table {
    pub(crate) fn add(&mut self, kind: Kind, figure: f64) {
        self.0.push((kind, figure));
    }

    /// The median of each target's figures.
    pub(crate) fn of_medians(figures: impl IntoIterator<Item = (Kind, Vec<f64>)>) -> Self {
        Self(figures.into_iter().map(|(kind, figures)| (kind, median(figures))).collect())
    }

    pub(crate) fn figure(&self, kind: Kind) -> f64 {
        self.0.iter().find(|(other, _)| *other == kind).map_or(f64::NAN, |(_, figure)| *figure)
    }

    pub(crate) fn ratio(&self, kind: Kind) -> f64 {
        self.figure(kind) / self.figure(Kind::Bare)
    }

    pub(crate) fn print(&self, unit: &str) {
        for (kind, figure) in &self.0 {
            println!("  {:<20} {figure:>10.1} {unit:<4} {:>6.2} x bare", kind.name(), self.ratio(*kind));
        }
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

// === impl Goal ===

impl Goal {
    /// A figure that is none meets nothing.
    pub(crate) fn is_met(&self) -> bool {
        self.figure <= self.at_most
    }

    pub(crate) fn print(&self) {
        let verdict = if self.is_met() { "met" } else { "MISSED" };
        let Self { what, figure, at_most, unit } = self;
        println!("  {what:<36} {figure:>7.2} {unit:<7} (at most {at_most:.2})  {verdict}");
    }
}
