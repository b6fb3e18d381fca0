//! What unreached blocks look like: instances, each a cycle or a forgotten block with all that hangs on
//! it, summed by shape.
//!
//! Instances are of one shape if their cycles are made of the same sites, or if a block of the same site
//! was forgotten: what hangs on them may differ, as lists differ in length.

use super::array::{Array, NoMemory};
use super::blocks::Blocks;
use super::components::{ComponentId, Components, NONE};
use super::report::{LINKS, Link, MEMBERS, Member, OFFSETS, Report, Role, Shape, Sum};
use crate::recorder::Recorder;
use crate::tables::site_tree::NodeId;

/// Most shapes that are kept apart while they are summed up.
const KEPT: usize = 8 * super::report::SHAPES;

/// Sums the instances up by shape and tells the heaviest. heaplens' own blocks are in none.
pub(super) fn tell(
    recorder: &Recorder,
    blocks: &Blocks,
    components: &Components,
    report: &mut Report,
) -> Result<(), NoMemory> {
    let mut gathering = Gathering::new(recorder.own_site(), blocks, components)?;
    gathering.find_held();
    // Whoever points at a component has a larger id: heads come first.
    for component in (1..=components.last()).rev() {
        if !gathering.is_held[component as usize] {
            gathering.add_instance(component)?;
        }
    }
    gathering
        .shapes
        .sort_unstable_by_key(|shape| std::cmp::Reverse(shape.blocks.bytes));
    let (summary, ..) = report.parts();
    for (at, shape) in gathering.shapes.iter().enumerate() {
        match summary.shapes.get_mut(at) {
            Some(place) => {
                *place = *shape;
                summary.shapes_len += 1;
            }
            None => {
                summary.left_out_shapes += 1;
                gathering.left_out.add(shape.instances, shape.blocks);
            }
        }
    }
    summary.left_out_instances = gathering.left_out.instances;
    summary.left_out = gathering.left_out.blocks;
    Ok(())
}

/// Instances of shapes for which there was no room.
#[derive(Default)]
struct LeftOut {
    instances: u64,
    blocks: Sum,
}

impl LeftOut {
    fn add(&mut self, instances: u64, blocks: Sum) {
        self.instances += instances;
        self.blocks.count += blocks.count;
        self.blocks.bytes += blocks.bytes;
    }
}

/// Unreached blocks and the pointers between them.
#[derive(Clone, Copy)]
struct Unreached<'a> {
    blocks: &'a Blocks,
    components: &'a Components,
}

impl Unreached<'_> {
    /// Calls `visit` with each unreached block that one points at, the offset of the pointer, and whether it
    /// points at its start.
    fn pointers(self, block: u32, mut visit: impl FnMut(u32, u64, bool)) {
        let holder = self.blocks.list[block as usize];
        // SAFETY: the blocks are as they were found, in a copy in which nothing else runs.
        unsafe {
            self.blocks.words(holder, |word, offset| {
                let Some(target) = self.blocks.at(word) else {
                    return;
                };
                if self.components.of[target as usize] != NONE {
                    let is_start = self.blocks.list[target as usize].start == word;
                    visit(target, offset, is_start);
                }
            });
        }
    }

    fn site(self, block: u32) -> NodeId {
        self.blocks.list[block as usize].site()
    }

    fn size(self, block: u32) -> u64 {
        self.blocks.list[block as usize].size()
    }
}

struct Gathering<'a> {
    own: NodeId,
    unreached: Unreached<'a>,
    /// For each component whether another one points at it.
    is_held: Array<bool>,
    /// For each component whether it lies on a cycle.
    is_cycle: Array<bool>,
    /// For each block the head of its instance, once it is in one.
    head: Array<ComponentId>,
    /// For each block in the instance at hand its place among the members; [`NO_MEMBER`] for none.
    member: Array<u8>,
    instance: Array<u32>,
    shapes: Array<Shape>,
    left_out: LeftOut,
}

/// Of a block that is no member of its shape, for want of room.
const NO_MEMBER: u8 = u8::MAX;

impl<'a> Gathering<'a> {
    fn new(own: NodeId, blocks: &'a Blocks, components: &'a Components) -> Result<Self, NoMemory> {
        let count = components.last() as usize + 1;
        // SAFETY: zero is a number, and false.
        let (is_held, is_cycle, head, member) = unsafe {
            let len = blocks.list.len();
            (
                Array::zeroed(count)?,
                Array::zeroed(count)?,
                Array::zeroed(len)?,
                Array::zeroed(len)?,
            )
        };
        Ok(Self {
            own,
            unreached: Unreached { blocks, components },
            is_held,
            is_cycle,
            head,
            member,
            instance: Array::new()?,
            shapes: Array::new()?,
            left_out: LeftOut::default(),
        })
    }

    /// Finds out which components are held, and which are cycles: those of several blocks, and of one that
    /// points at its own start.
    fn find_held(&mut self) {
        let components = self.unreached.components;
        for &block in components.order.iter() {
            let component = components.of[block as usize];
            self.is_cycle[component as usize] |= components.blocks(component).len() > 1;
            self.unreached.pointers(block, |target, _, is_start| {
                let other = components.of[target as usize];
                self.is_held[other as usize] |= other != component;
                self.is_cycle[other as usize] |= target == block && is_start;
            });
        }
    }

    /// Adds the instance that begins with a component.
    fn add_instance(&mut self, head: ComponentId) -> Result<(), NoMemory> {
        let is_cycle = self.is_cycle[head as usize];
        let first = self.unreached.components.blocks(head).first();
        let is_own = first.is_some_and(|&block| self.unreached.site(block) == self.own);
        self.claim(head)?;
        if is_own {
            return Ok(());
        }
        let hash = self.hash(head, is_cycle);
        let known = self.shapes.iter().position(|shape| shape.hash == hash);
        let place = match known {
            Some(place) => place,
            None if self.shapes.len() < KEPT => {
                // SAFETY: a shape is valid when all zero.
                let mut shape: Shape = unsafe { std::mem::zeroed() };
                (shape.hash, shape.is_cycle) = (hash, is_cycle);
                self.shapes.push(shape)?;
                self.shapes.len() - 1
            }
            None => {
                let mut blocks = Sum::default();
                self.instance
                    .iter()
                    .for_each(|&block| blocks.add(self.unreached.size(block)));
                self.left_out.add(1, blocks);
                return Ok(());
            }
        };
        self.add_to(place, head);
        Ok(())
    }

    /// Takes all blocks that the head reaches, and that are in no other instance.
    fn claim(&mut self, head: ComponentId) -> Result<(), NoMemory> {
        self.instance.clear();
        for &block in self.unreached.components.blocks(head) {
            self.head[block as usize] = head;
            self.instance.push(block)?;
        }
        let mut next = 0;
        while let Some(&block) = self.instance.get(next) {
            next += 1;
            let mut result = Ok(());
            self.unreached.pointers(block, |target, _, _| {
                let place = &mut self.head[target as usize];
                if *place == NONE && result.is_ok() {
                    *place = head;
                    result = self.instance.push(target);
                }
            });
            result?;
        }
        Ok(())
    }

    /// Of the set of sites that a head is made of.
    fn hash(&self, head: ComponentId, is_cycle: bool) -> u64 {
        let mut sites = [0; MEMBERS];
        let mut len = 0;
        for &block in self.unreached.components.blocks(head) {
            let site = self.unreached.site(block);
            if len < sites.len() && !sites[..len].contains(&site) {
                sites[len] = site;
                len += 1;
            }
        }
        let sites = &mut sites[..len];
        sites.sort_unstable();
        let mix = |hash: u64, word: u64| {
            (hash ^ word)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(29)
        };
        let hash = sites
            .iter()
            .fold(1, |hash, &site| mix(hash, u64::from(site)));
        mix(hash, u64::from(is_cycle))
    }

    /// Adds the instance at hand to a shape.
    fn add_to(&mut self, place: usize, head: ComponentId) {
        let (shape, unreached) = (&mut self.shapes[place], self.unreached);
        shape.instances += 1;
        for &block in self.instance.iter() {
            let bytes = unreached.size(block);
            shape.blocks.add(bytes);
            let is_head = unreached.components.of[block as usize] == head;
            let role = match (is_head, shape.is_cycle) {
                (true, true) => Role::Cycle,
                (true, false) => Role::Forgotten,
                (false, _) => Role::Hanging,
            };
            let member = member_of(shape, unreached.site(block), role);
            if let Some(member) = shape.members.get_mut(usize::from(member)) {
                member.sum.add(bytes);
            }
            self.member[block as usize] = member;
        }
        for &block in self.instance.iter() {
            let from = self.member[block as usize];
            unreached.pointers(block, |target, offset, _| {
                if self.head[target as usize] == head {
                    add_link(shape, from, self.member[target as usize], offset);
                }
            });
        }
    }
}

/// The place of a site in a role among the members, which is added where there is room.
fn member_of(shape: &mut Shape, site: NodeId, role: Role) -> u8 {
    let len = usize::from(shape.members_len);
    let known = shape.members[..len]
        .iter()
        .position(|member| member.site == site && member.role == role);
    if let Some(place) = known {
        return place as u8;
    }
    let Some(place) = shape.members.get_mut(len) else {
        return NO_MEMBER;
    };
    *place = Member {
        site,
        role,
        sum: Sum::default(),
    };
    shape.members_len += 1;
    len as u8
}

fn add_link(shape: &mut Shape, from: u8, to: u8, offset: u64) {
    if from == NO_MEMBER || to == NO_MEMBER {
        return;
    }
    let len = usize::from(shape.links_len);
    let known = shape.links[..len]
        .iter()
        .position(|link| (link.from, link.to) == (from, to));
    let place = known.unwrap_or(len);
    let Some(link) = shape.links.get_mut(place) else {
        return;
    };
    if place == len {
        *link = Link {
            from,
            to,
            offsets_used: 0,
            offsets: [0; OFFSETS],
            counts: [0; OFFSETS + 1],
        };
        shape.links_len += 1;
    }
    let used = usize::from(link.offsets_used).min(OFFSETS);
    let known = link.offsets[..used]
        .iter()
        .position(|&known| known == offset);
    let place = known.unwrap_or(used);
    if known.is_none() && used < OFFSETS {
        link.offsets[used] = offset;
        link.offsets_used += 1;
    }
    link.counts[place] += 1;
}

const _: () = assert!(MEMBERS < NO_MEMBER as usize && LINKS <= u8::MAX as usize);
