//! The amounts of a baseline, of a program or of one owner: one of each quantity at most.

use serde::de::{Error as _, Unexpected};
use serde::{Deserialize, Deserializer};

use super::measure::{Measures, Quantity};

/// In bytes; `None` for what the run did not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Amounts {
    #[serde(default, deserialize_with = "bytes")]
    pub(super) live: Option<f64>,
    #[serde(default, deserialize_with = "bytes")]
    pub(super) growth: Option<f64>,
    #[serde(default, deserialize_with = "bytes")]
    pub(super) growth_per_work: Option<f64>,
    #[serde(default, deserialize_with = "bytes")]
    pub(super) peak: Option<f64>,
    #[serde(default, deserialize_with = "bytes")]
    pub(super) allocated: Option<f64>,
    #[serde(default, deserialize_with = "bytes")]
    pub(super) unreached: Option<f64>,
}

/// An amount: a number that limits something.
fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let bytes = f64::deserialize(deserializer)?;
    match bytes.is_finite() && bytes >= 0.0 {
        true => Ok(Some(bytes)),
        false => Err(D::Error::invalid_value(
            Unexpected::Float(bytes),
            &"a number of bytes, 0 or more",
        )),
    }
}

impl Amounts {
    pub(super) fn new(measures: &Measures) -> Self {
        let mut amounts = Self::default();
        for quantity in Quantity::ALL {
            let estimate = measures.of(quantity);
            *amounts.of_mut(quantity) = estimate.map(|estimate| estimate.value.max(0.0));
        }
        amounts
    }

    pub(super) fn of(mut self, quantity: Quantity) -> Option<f64> {
        *self.of_mut(quantity)
    }

    fn of_mut(&mut self, quantity: Quantity) -> &mut Option<f64> {
        match quantity {
            Quantity::Live => &mut self.live,
            Quantity::Growth => &mut self.growth,
            Quantity::GrowthPerWork => &mut self.growth_per_work,
            Quantity::Peak => &mut self.peak,
            Quantity::Allocated => &mut self.allocated,
            Quantity::Unreached => &mut self.unreached,
        }
    }

    /// Both together, with one number of two where both have one.
    pub(super) fn merged(self, new: Self, one: &mut impl FnMut(f64, f64) -> f64) -> Self {
        let mut merged = self;
        for quantity in Quantity::ALL {
            *merged.of_mut(quantity) = match (self.of(quantity), new.of(quantity)) {
                (Some(old), Some(new)) => Some(one(old, new)),
                (old, new) => new.or(old),
            };
        }
        merged
    }

    /// The inline table of TOML that they are read from.
    pub(super) fn inline(self) -> String {
        let known = Quantity::ALL
            .into_iter()
            .filter_map(|quantity| Some((quantity, self.of(quantity)?)));
        let parts: Vec<String> = known
            .map(|(quantity, amount)| format!("{} = {amount:.1}", quantity.key()))
            .collect();
        format!("{{ {} }}", parts.join(", "))
    }
}
