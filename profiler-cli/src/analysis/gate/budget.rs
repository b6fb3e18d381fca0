//! A budget: limits for the whole and for each owner, as `heaplens.toml` has them.
//!
//! What stands at the top of the file holds for every package; `[package.NAME]` says otherwise for
//! one, limit by limit.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::measure::Quantity;
use super::pattern::Pattern;
use super::text::{Share, Size, TextError, read};

/// What may be held of each quantity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    live: Option<Size>,
    growth: Option<Size>,
    growth_per_work: Option<Size>,
    peak: Option<Size>,
    allocated: Option<Size>,
    unreached: Option<Size>,
    /// Why the limits are what they are.
    reason: Option<String>,
}

impl Limits {
    /// The limit of a quantity in bytes; `None` if it has none.
    pub fn of(&self, quantity: Quantity) -> Option<u64> {
        let Self {
            live,
            growth,
            growth_per_work,
            peak,
            allocated,
            unreached,
            reason: _,
        } = self;
        let size = match quantity {
            Quantity::Live => live,
            Quantity::Growth => growth,
            Quantity::GrowthPerWork => growth_per_work,
            Quantity::Peak => peak,
            Quantity::Allocated => allocated,
            Quantity::Unreached => unreached,
        };
        size.map(|size| size.0)
    }

    /// Why the limits are what they are, in the words of who set them.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// These limits, and for what they do not limit those of `base`.
    fn over(&self, base: &Self) -> Self {
        Self {
            live: self.live.or(base.live),
            growth: self.growth.or(base.growth),
            growth_per_work: self.growth_per_work.or(base.growth_per_work),
            peak: self.peak.or(base.peak),
            allocated: self.allocated.or(base.allocated),
            unreached: self.unreached.or(base.unreached),
            reason: self.reason.clone().or_else(|| base.reason.clone()),
        }
    }
}

type OwnerLimits = BTreeMap<String, Limits>;

/// A budget file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Files of suppressions, relative to this one.
    #[serde(default)]
    pub suppressions: Vec<String>,
    #[serde(default)]
    baseline: BaselineRules,
    #[serde(default)]
    total: Limits,
    #[serde(default)]
    owner: OwnerLimits,
    #[serde(default)]
    package: BTreeMap<Spanned<String>, PackageLimits>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct BaselineRules {
    #[serde(default)]
    tolerance: Share,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PackageLimits {
    #[serde(default)]
    total: Limits,
    #[serde(default)]
    owner: OwnerLimits,
}

/// The limits of one package.
#[derive(Debug, Clone, Default)]
pub struct PackageBudget {
    /// Of the whole program.
    pub total: Limits,
    /// Of each owner that matches.
    pub owners: Vec<(Pattern, Limits)>,
}

impl Budget {
    /// Reads a budget.
    ///
    /// # Errors
    ///
    /// What is not TOML, unknown keys, and values that are no sizes.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        read(text)
    }

    /// Refuses packages that are not among those `known`.
    ///
    /// # Errors
    ///
    /// The first of them, at its place in `text`, which is that of [`parse`](Self::parse).
    pub fn refuse_unknown_packages(&self, text: &str, known: &[&str]) -> Result<(), TextError> {
        let is_unknown = |name: &&Spanned<String>| !known.contains(&name.get_ref().as_str());
        let Some(name) = self.package.keys().find(is_unknown) else {
            return Ok(());
        };
        let what = format!(
            "there is no package `{}`, expected one of {}",
            name.get_ref(),
            known
                .iter()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", ")
        );
        Err(TextError::at(text, name.span().start, what))
    }

    /// How much more than its baseline a quantity may be, as a share of it.
    pub fn tolerance(&self) -> f64 {
        self.baseline.tolerance.0
    }

    /// The limits of a package.
    pub fn of(&self, package: &str) -> PackageBudget {
        let own = self
            .package
            .iter()
            .find(|(name, _)| name.get_ref() == package);
        let none = PackageLimits::default();
        let own = own.map_or(&none, |(_, limits)| limits);
        let mut owners = self.owner.clone();
        for (pattern, limits) in &own.owner {
            let merged = owners.get(pattern).map(|base| limits.over(base));
            owners.insert(pattern.clone(), merged.unwrap_or_else(|| limits.clone()));
        }
        PackageBudget {
            total: own.total.over(&self.total),
            owners: owners
                .into_iter()
                .map(|(pattern, limits)| (Pattern::whole(&pattern), limits))
                .collect(),
        }
    }
}

impl PackageBudget {
    /// The limit of a quantity of an owner: by the pattern that tells most of its name.
    pub fn of_owner(&self, name: &str, quantity: Quantity) -> Option<(&Pattern, &Limits, u64)> {
        self.owners
            .iter()
            .filter_map(|(pattern, limits)| Some((pattern, limits, limits.of(quantity)?)))
            .filter(|(pattern, ..)| pattern.matches(name))
            .max_by_key(|(pattern, ..)| pattern.telling())
    }

    /// Whether a quantity of an owner, or of the whole, has a limit.
    pub fn limits(&self, name: &str, quantity: Quantity) -> bool {
        self.total.of(quantity).is_some() || self.of_owner(name, quantity).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: &str = r#"
suppressions = ["known.supp"]

[baseline]
tolerance = "2.5 %"

[total]
live = "64 MiB"
growth = 0

[owner."*"]
growth = "1 KiB"
reason = "nothing is kept"

[owner."shop::cache::*"]
growth = "4MiB"

[package.shop.total]
live = "1GiB"

[package.shop.owner."*"]
live = 5
"#;

    #[test]
    fn a_package_overrides_limit_by_limit() {
        let budget = Budget::parse(SHOP).unwrap();
        assert_eq!(budget.suppressions, ["known.supp"]);
        assert_eq!(budget.tolerance(), 0.025);
        let other = budget.of("other");
        assert_eq!(other.total.of(Quantity::Live), Some(64 << 20));
        assert_eq!(other.total.of(Quantity::Growth), Some(0));
        assert_eq!(other.total.of(Quantity::Peak), None);
        let shop = budget.of("shop");
        assert_eq!(shop.total.of(Quantity::Live), Some(1 << 30));
        assert_eq!(shop.total.of(Quantity::Growth), Some(0));
        let limit = |name, quantity| shop.of_owner(name, quantity).map(|(.., bytes)| bytes);
        assert_eq!(limit("shop::cart::add", Quantity::Live), Some(5));
        assert_eq!(limit("shop::cart::add", Quantity::Growth), Some(1024));
        assert_eq!(limit("shop::cache::put", Quantity::Growth), Some(4 << 20));
        assert_eq!(limit("shop::cache::put", Quantity::Peak), None);
        let (pattern, limits, _) = shop.of_owner("x", Quantity::Growth).unwrap();
        assert_eq!(
            (pattern.text(), limits.reason()),
            ("*", Some("nothing is kept"))
        );
    }

    #[test]
    fn what_is_wrong_has_a_place_and_says_what_is_allowed() {
        for (text, place, parts) in [
            (
                "[total]\nlife = 1\n",
                (2, 1),
                &["`life`", "`live`", "`growth_per_work`"][..],
            ),
            (
                "[total]\n  live = \"64 parsecs\"\n",
                (2, 10),
                &["64 parsecs", "such as \"64 KiB\""],
            ),
            ("[total]\nlive = -5\n", (2, 8), &["-5", "0 or more"]),
            (
                "[total]\nlive = 1.5\n",
                (2, 8),
                &["1.5", "whole number of bytes"],
            ),
            (
                "[owner.\"a::*\"]\nlive = true\n",
                (2, 8),
                &["true", "a size"],
            ),
            (
                "[baseline]\ntolerance = \"lots\"\n",
                (2, 13),
                &["lots", "such as \"5 %\""],
            ),
            (
                "[package.shop.limits]\nlive = 1\n",
                (1, 15),
                &["`limits`", "`total`", "`owner`"],
            ),
            (
                "budget = 1\n",
                (1, 1),
                &["`budget`", "`total`", "`package`"],
            ),
            ("[total\nlive = 1\n", (1, 7), &["]"]),
            ("[total]\nlive = 1\nlive = 2\n", (3, 1), &["duplicate"]),
        ] {
            let error = Budget::parse(text).unwrap_err();
            assert_eq!((error.line, error.column), place, "{text}: {error}");
            for part in parts {
                assert!(error.what.contains(part), "{part} in {error}");
            }
            assert!(!error.what.contains('\n'), "{error}");
        }
    }

    #[test]
    fn unknown_packages_are_refused_at_their_place() {
        let text = "[package.shop]\n\n[package.shob.total]\nlive = 1\n";
        let budget = Budget::parse(text).unwrap();
        let error = budget
            .refuse_unknown_packages(text, &["shop", "till"])
            .unwrap_err();
        assert_eq!((error.line, error.column), (3, 10), "{error}");
        assert_eq!(
            error.what,
            "there is no package `shob`, expected one of `shop`, `till`"
        );
        assert!(
            budget
                .refuse_unknown_packages(text, &["shob", "shop"])
                .is_ok()
        );
    }
}
