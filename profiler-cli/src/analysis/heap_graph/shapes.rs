//! Shapes of unreached blocks: a cycle, or a block that was forgotten, with what hangs on it.
//!
//! A snapshot has a shape for each set of sites that a cycle is made of, and a site is a whole stack.
//! People tell shapes apart by what is made and where: the owner, its line and the type. So members that
//! are alike in these are one here, and so are shapes whose cycles are.

use std::cmp::Reverse;

use heaplens::snapshot::graph::{Groups, Role};
use rustc_hash::FxHashMap;

use super::labels::{Label, LabelId, Labels};
use super::reach::{self, Amount};
use crate::profile::{FunctionId, NodeId, Profile};

/// Members of a cycle whose order is looked for.
const MOST_IN_RING: usize = 12;

/// What some unreached blocks have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    /// Whether it begins with a cycle: else with a block that was forgotten.
    pub is_cycle: bool,
    /// How often it is there.
    pub instances: u64,
    /// Its members: those that it begins with first, then by weight.
    pub members: Vec<Member>,
    /// How they point at each other.
    pub links: Vec<Link>,
    /// Of all members.
    pub amount: Amount,
}

/// Blocks of one owner, line and type in a shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Whose they are, and of which type.
    pub label: Label,
    /// What they are to the shape.
    pub role: Role,
    /// In all instances.
    pub amount: Amount,
    /// The sites, the heaviest first.
    pub sites: Vec<(NodeId, Amount)>,
}

/// Pointers from one member to another, or to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Place in [`Shape::members`] of who points.
    pub from: usize,
    /// Place of whom it points at.
    pub to: usize,
    /// Bytes from the start of the block; `None` for several places in it.
    pub offset: Option<u64>,
    /// Pointers in all instances.
    pub count: u64,
}

impl Shape {
    /// The members that it begins with.
    pub fn heads(&self) -> impl Iterator<Item = &Member> + Clone {
        let members = self.members.iter();
        members.filter(|member| member.role != Role::Hanging)
    }

    /// Whether an owner has members.
    pub fn is_of(&self, profile: &Profile, owner: FunctionId) -> bool {
        let mut members = self.members.iter();
        members.any(|member| profile.frame(member.label.owner).function == owner)
    }

    /// Places of the members of its cycle in an order in which each points at the next, and the last at
    /// the first. `None` where there is no such order or more than one.
    pub fn ring(&self) -> Option<Vec<usize>> {
        let heads = self.heads().count();
        if heads > MOST_IN_RING {
            return None;
        }
        let mut ring = Vec::with_capacity(heads);
        // Heads stand first.
        let mut at = 0;
        while !ring.contains(&at) {
            ring.push(at);
            let mut next = None;
            for link in self.links.iter().filter(|link| link.from == at) {
                match next {
                    _ if link.to >= heads || link.to == at => {}
                    Some(other) if other != link.to => return None,
                    _ => next = Some(link.to),
                }
            }
            at = next.unwrap_or(at);
        }
        (self.is_cycle && at == 0 && ring.len() == heads).then_some(ring)
    }
}

/// The shapes of a snapshot, the heaviest first.
pub(super) fn shapes(
    profile: &Profile,
    groups: &Groups,
    node_of: impl Fn(u32) -> Option<NodeId>,
) -> Vec<Shape> {
    let mut labels = Labels::new(profile);
    let mut drafts: Vec<Draft> = Vec::new();
    let mut places: FxHashMap<(bool, Vec<u32>), usize> = FxHashMap::default();
    for (row, &is_cycle) in groups.cycle.iter().enumerate() {
        let members: Vec<Option<(NodeId, u32)>> = range(&groups.first_member, row)
            .map(|member| {
                let node = node_of(*groups.members.site.get(member)?)?;
                Some((node, labels.of(node)))
            })
            .collect();
        let first = groups
            .first_member
            .get(row)
            .map_or(0, |&first| first as usize);
        let role = |at: usize| {
            groups
                .members
                .role
                .get(first + at)
                .copied()
                .unwrap_or_default()
        };
        let all = || {
            members
                .iter()
                .enumerate()
                .filter_map(|(at, member)| Some((at, (*member)?)))
        };
        // Whatever hangs on it, unless all that it begins with is left out.
        let mut key: Vec<u32> = all()
            .filter(|&(at, _)| role(at) != Role::Hanging)
            .map(|(_, (_, label))| label)
            .collect();
        if key.is_empty() {
            key.push(u32::MAX);
            key.extend(all().map(|(_, (_, label))| label));
        }
        key.sort_unstable();
        key.dedup();
        if all().next().is_none() {
            continue;
        }
        let place = *places.entry((is_cycle, key)).or_insert_with(|| {
            drafts.push(Draft::default());
            drafts.len() - 1
        });
        let draft = &mut drafts[place];
        draft.shape.is_cycle = is_cycle;
        let instances = groups.instances.get(row).copied().unwrap_or_default();
        draft.shape.instances = draft.shape.instances.saturating_add(instances);
        let mut place_of: Vec<Option<usize>> = vec![None; members.len()];
        for (at, (node, label)) in all() {
            let amount = Amount::of_row(&groups.members.count, &groups.members.bytes, first + at);
            place_of[at] = Some(draft.add_member(&labels, node, label, role(at), amount));
        }
        for link in range(&groups.first_link, row) {
            let links = &groups.links;
            let place = |column: &[u32]| {
                let member = *column.get(link)? as usize;
                *place_of.get(member.checked_sub(first)?)?
            };
            if let (Some(from), Some(to)) = (place(&links.from), place(&links.to)) {
                draft.add_link(Link {
                    from,
                    to,
                    offset: links
                        .offset
                        .get(link)
                        .and_then(|&at| u64::try_from(at).ok()),
                    count: links.count.get(link).copied().unwrap_or_default(),
                });
            }
        }
    }
    let mut shapes: Vec<Shape> = drafts.into_iter().map(Draft::finish).collect();
    // Those of equal weight stay in the order of the file, which has the heaviest first too.
    shapes.sort_by_key(|shape| Reverse((shape.amount.bytes, shape.amount.blocks)));
    shapes
}

/// The rows of a table that belong to row `row` of another.
fn range(first: &[u32], row: usize) -> std::ops::Range<usize> {
    match (first.get(row), first.get(row + 1)) {
        (Some(&from), Some(&to)) => from as usize..to as usize,
        _ => 0..0,
    }
}

/// A shape to which others are added.
#[derive(Default)]
struct Draft {
    shape: Shape,
    members: FxHashMap<(LabelId, Role), usize>,
    links: FxHashMap<(usize, usize, Option<u64>), usize>,
    sites: FxHashMap<(usize, NodeId), usize>,
}

impl Draft {
    fn add_member(
        &mut self,
        labels: &Labels<'_>,
        node: NodeId,
        label: LabelId,
        role: Role,
        amount: Amount,
    ) -> usize {
        let members = &mut self.shape.members;
        let place = *self.members.entry((label, role)).or_insert_with(|| {
            members.push(Member {
                label: labels.get(label).clone(),
                role,
                amount: Amount::default(),
                sites: Vec::new(),
            });
            members.len() - 1
        });
        let member = &mut members[place];
        member.amount.add(amount);
        self.shape.amount.add(amount);
        let site = *self.sites.entry((place, node)).or_insert_with(|| {
            member.sites.push((node, Amount::default()));
            member.sites.len() - 1
        });
        member.sites[site].1.add(amount);
        place
    }

    fn add_link(&mut self, link: Link) {
        let Link {
            from,
            to,
            offset,
            count,
        } = link;
        let links = &mut self.shape.links;
        let place = *self.links.entry((from, to, offset)).or_insert_with(|| {
            links.push(Link { count: 0, ..link });
            links.len() - 1
        });
        links[place].count = links[place].count.saturating_add(count);
    }

    fn finish(self) -> Shape {
        let mut shape = self.shape;
        let mut order: Vec<usize> = (0..shape.members.len()).collect();
        order.sort_by_key(|&at| {
            let Member { role, amount, .. } = &shape.members[at];
            (
                *role == Role::Hanging,
                Reverse((amount.bytes, amount.blocks)),
            )
        });
        let mut new_place = vec![0; order.len()];
        for (place, &at) in order.iter().enumerate() {
            new_place[at] = place;
        }
        let mut members: Vec<(usize, Member)> = shape
            .members
            .into_iter()
            .enumerate()
            .map(|(at, member)| (new_place[at], member))
            .collect();
        members.sort_by_key(|&(place, _)| place);
        shape.members = members.into_iter().map(|(_, member)| member).collect();
        for member in &mut shape.members {
            reach::sort(&mut member.sites);
        }
        for link in &mut shape.links {
            (link.from, link.to) = (new_place[link.from], new_place[link.to]);
        }
        shape
            .links
            .sort_by_key(|link| (Reverse(link.count), link.from, link.to, link.offset));
        shape
    }
}
