//! Sites grouped and ranked.

use rustc_hash::FxHashMap;

use super::diff::{Diff, Side};
use crate::profile::{FunctionId, NodeId, Profile, Values};

/// What the sites of one row have in common.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum By {
    /// The innermost function: the one that calls the allocator.
    Function,
    /// The first function in the user's own code.
    #[default]
    Owner,
    /// The crate of the owner.
    Crate,
}

/// What rows are ranked by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Sort {
    /// Bytes allocated and not freed.
    #[default]
    Live,
    /// Blocks allocated and not freed.
    Count,
    /// Bytes ever allocated.
    Total,
    /// Bytes live now and not in the base.
    Growth,
}

impl Sort {
    /// The number that a row is ranked by.
    pub fn measure(self, values: &Values, base: Option<&Values>) -> i64 {
        match self {
            Self::Live => values.live_bytes,
            Self::Count => values.live_count,
            Self::Total => i64::try_from(values.total_bytes).unwrap_or(i64::MAX),
            Self::Growth => values
                .live_bytes
                .saturating_sub(base.map_or(0, |base| base.live_bytes)),
        }
    }
}

/// One group of sites.
#[derive(Debug, Clone, Copy)]
pub struct TopRow<'a> {
    /// The profile that `example` is in.
    pub profile: &'a Profile,
    /// Node of the group's heaviest site.
    pub example: NodeId,
    /// The group's numbers.
    pub values: Values,
    /// The group's numbers in the base, where there is one.
    pub base: Option<Values>,
}

impl<'a> TopRow<'a> {
    /// The owner of the group's heaviest site; of all of it when grouped by owner.
    pub fn owner(&self) -> NodeId {
        self.profile.owner(self.example)
    }

    /// What the group is called.
    pub fn name(&self, by: By) -> &'a str {
        match by {
            By::Function => self.profile.name(self.example),
            By::Owner => self.profile.name(self.owner()),
            By::Crate => crate_of_owner(self.profile, self.example),
        }
    }
}

/// The sites of a profile, grouped and ranked.
pub fn top(profile: &Profile, by: By, sort: Sort) -> Vec<TopRow<'_>> {
    let entries = profile.sites().iter().map(|site| Entry {
        profile,
        side: Side::After,
        node: site.node,
        values: site.values,
        base: None,
    });
    rank(entries, by, sort, |_, function| function)
}

/// The same beside a base, which is the earlier side of `diff`.
pub fn top_since<'a>(diff: &Diff<'a>, by: By, sort: Sort) -> Vec<TopRow<'a>> {
    let entries = diff.rows().iter().map(|row| Entry {
        profile: diff.profile(row.side),
        side: row.side,
        node: row.example,
        values: row.after,
        base: Some(row.before),
    });
    // A function of one side is one of the other where their identities are one.
    rank(entries, by, sort, |side, function| {
        diff.identity(side, function)
    })
}

/// A site, or a path of two profiles.
struct Entry<'a> {
    profile: &'a Profile,
    side: Side,
    node: NodeId,
    values: Values,
    base: Option<Values>,
}

#[derive(PartialEq, Eq, Hash)]
enum Key<'a> {
    Function(u32),
    Crate(&'a str),
}

fn crate_of_owner(profile: &Profile, node: NodeId) -> &str {
    profile
        .crate_name(profile.owner(node))
        .unwrap_or("[no crate]")
}

fn rank<'a>(
    entries: impl Iterator<Item = Entry<'a>>,
    by: By,
    sort: Sort,
    identity: impl Fn(Side, FunctionId) -> u32,
) -> Vec<TopRow<'a>> {
    let mut groups: FxHashMap<Key<'a>, (TopRow<'a>, i64)> = FxHashMap::default();
    for Entry {
        profile,
        side,
        node,
        values,
        base,
    } in entries
    {
        let function = |node| Key::Function(identity(side, profile.frame(node).function));
        let key = match by {
            By::Function => function(node),
            By::Owner => function(profile.owner(node)),
            By::Crate => Key::Crate(crate_of_owner(profile, node)),
        };
        let weight = sort.measure(&values, base.as_ref());
        let (row, heaviest) = groups.entry(key).or_insert_with(|| {
            let base = base.map(|_| Values::default());
            (
                TopRow {
                    profile,
                    example: node,
                    values: Values::default(),
                    base,
                },
                weight,
            )
        });
        row.values.add(&values);
        if let (Some(sum), Some(base)) = (&mut row.base, base) {
            sum.add(&base);
        }
        if weight > *heaviest {
            *heaviest = weight;
            (row.profile, row.example) = (profile, node);
        }
    }
    let mut rows: Vec<TopRow<'a>> = groups.into_values().map(|(row, _)| row).collect();
    rows.sort_by(|a, b| {
        let measure = |row: &TopRow<'_>| sort.measure(&row.values, row.base.as_ref());
        measure(b)
            .cmp(&measure(a))
            .then_with(|| b.values.total_bytes.cmp(&a.values.total_bytes))
            .then_with(|| a.name(by).cmp(b.name(by)))
    });
    rows
}
