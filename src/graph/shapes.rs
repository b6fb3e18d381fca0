//! What unreached blocks look like: instances, each a cycle or a forgotten block with all that hangs on
//! it, summed by shape.
//!
//! Instances are of one shape if their cycles are made of the same sites, or if a block of the same site
//! was forgotten: what hangs on them may differ, as lists differ in length.

use super::array::{Array, NoMemory};
use super::blocks::Blocks;
use super::components::{ComponentId, Components, NONE};
use super::report::{LINKS, Link, MEMBERS, Member, OFFSETS, Report, Role, Shape, Sum};
use crate::tables::site_tree::NodeId;

/// Most shapes that are kept apart while they are summed up.
const KEPT: usize = 8 * super::report::SHAPES;

/// Sums the instances up by shape and tells the heaviest. Those of which no block at the head counts are in
/// none.
pub(super) fn tell(
    blocks: &Blocks,
    components: &Components,
    report: &mut Report,
) -> Result<(), NoMemory> {
    let mut gathering = Gathering::new(blocks, components)?;
    // Whoever points at a component has a larger id: heads come first.
    for component in (1..=components.last()).rev() {
        if !components.is_held(component) {
            gathering.add_instance(component)?;
        }
    }
    let Gathering {
        mut shapes,
        mut left_out,
        ..
    } = gathering;
    shapes.sort_unstable_by_key(|shape| std::cmp::Reverse(shape.blocks.bytes));
    let (summary, ..) = report.parts();
    for (at, shape) in shapes.iter().enumerate() {
        match summary.shapes.get_mut(at) {
            Some(place) => {
                *place = *shape;
                summary.shapes_len += 1;
            }
            None => {
                summary.left_out_shapes += 1;
                left_out.add(shape.instances, shape.blocks);
            }
        }
    }
    summary.left_out_instances = left_out.instances;
    summary.left_out = left_out.blocks;
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
    /// Calls `visit` with each unreached block that one points at, and the offset of the pointer.
    fn pointers(self, block: u32, mut visit: impl FnMut(u32, u64)) {
        let holder = self.blocks.list[block as usize];
        // SAFETY: the blocks are as they were found, in a copy in which nothing else runs.
        unsafe {
            self.blocks.words(holder, |word, offset| {
                if let Some(target) = self.blocks.at(word)
                    && self.components.of[target as usize] != NONE
                {
                    visit(target, offset);
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

    /// Whether any block of a component counts.
    fn counts(self, component: ComponentId) -> bool {
        let mut blocks = self.components.blocks(component).iter();
        blocks.any(|&block| !self.blocks.list[block as usize].is_left_out())
    }
}

struct Gathering<'a> {
    unreached: Unreached<'a>,
    /// What is known of each block.
    blocks: Array<Known>,
    instance: Array<u32>,
    shapes: Array<Shape>,
    places: Places,
    left_out: LeftOut,
}

/// What is known of a block. Valid when all zero.
#[derive(Clone, Copy)]
struct Known {
    /// The head of its instance, once it is in one.
    head: ComponentId,
    /// In the instance at hand, its place among the members; [`NO_MEMBER`] for none.
    member: u8,
}

/// Of a block that is no member of its shape, for want of room.
const NO_MEMBER: u8 = u8::MAX;

impl<'a> Gathering<'a> {
    fn new(blocks: &'a Blocks, components: &'a Components) -> Result<Self, NoMemory> {
        Ok(Self {
            unreached: Unreached { blocks, components },
            // SAFETY: valid when all zero.
            blocks: unsafe { Array::zeroed(blocks.list.len()) }?,
            instance: Array::new()?,
            shapes: Array::new()?,
            places: Places::new()?,
            left_out: LeftOut::default(),
        })
    }

    /// Adds the instance that begins with a component.
    fn add_instance(&mut self, head: ComponentId) -> Result<(), NoMemory> {
        let counts = self.unreached.counts(head);
        let place = match counts {
            true => self.shape_of(head)?,
            false => None,
        };
        let blocks = self.claim(head, place)?;
        if counts && place.is_none() {
            self.left_out.add(1, blocks);
        }
        Ok(())
    }

    /// The place of the shape of an instance that begins with a component. `None`: there is no room.
    fn shape_of(&mut self, head: ComponentId) -> Result<Option<usize>, NoMemory> {
        let is_cycle = self.unreached.components.is_cycle(head);
        let hash = self.hash(head, is_cycle);
        let place = match self.places.find(&self.shapes, hash) {
            Ok(place) => place,
            Err(_) if self.shapes.len() == KEPT => return Ok(None),
            Err(slot) => {
                // SAFETY: a shape is valid when all zero.
                let mut shape: Shape = unsafe { std::mem::zeroed() };
                (shape.hash, shape.is_cycle) = (hash, is_cycle);
                self.places.fill(slot, self.shapes.len());
                self.shapes.push(shape)?;
                self.shapes.len() - 1
            }
        };
        self.shapes[place].instances += 1;
        Ok(Some(place))
    }

    /// Takes all blocks that the head reaches, and that are in no other instance, into an instance of the shape
    /// at this place. Returns their sum.
    fn claim(&mut self, head: ComponentId, place: Option<usize>) -> Result<Sum, NoMemory> {
        let (unreached, known) = (self.unreached, &mut self.blocks);
        let instance = &mut self.instance;
        let mut shape = place.and_then(|place| self.shapes.get_mut(place));
        let mut sum = Sum::default();
        let mut take = |known: &mut Known, shape: &mut Option<&mut Shape>, block, role| {
            let bytes = unreached.size(block);
            sum.add(bytes);
            known.head = head;
            if let Some(shape) = shape {
                shape.blocks.add(bytes);
                known.member = add_member(shape, unreached.site(block), role, bytes);
            }
        };
        instance.clear();
        let role = match unreached.components.is_cycle(head) {
            true => Role::Cycle,
            false => Role::Forgotten,
        };
        for &block in unreached.components.blocks(head) {
            take(&mut known[block as usize], &mut shape, block, role);
            instance.push(block)?;
        }
        let mut next = 0;
        while let Some(&block) = instance.get(next) {
            next += 1;
            let from = known[block as usize].member;
            let mut result = Ok(());
            unreached.pointers(block, |target, offset| {
                let target_known = &mut known[target as usize];
                if target_known.head == NONE && result.is_ok() {
                    take(target_known, &mut shape, target, Role::Hanging);
                    result = instance.push(target);
                }
                if target_known.head == head
                    && let Some(shape) = &mut shape
                {
                    add_link(shape, from, target_known.member, offset);
                }
            });
            result?;
        }
        Ok(sum)
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
}

/// Finds shapes by their hashes: a table with linear probing, at most half full.
struct Places {
    /// Place of a shape plus one; 0 for a free slot.
    slots: Array<u32>,
}

impl Places {
    const SLOTS: usize = 2 * KEPT;

    fn new() -> Result<Self, NoMemory> {
        Ok(Self {
            // SAFETY: zero is a number.
            slots: unsafe { Array::zeroed(Self::SLOTS) }?,
        })
    }

    /// The place of the shape with this hash, or else the slot for it.
    fn find(&self, shapes: &[Shape], hash: u64) -> Result<usize, usize> {
        let mut slot = hash as usize % Self::SLOTS;
        loop {
            match (self.slots[slot] as usize).checked_sub(1) {
                None => return Err(slot),
                Some(place) if shapes[place].hash == hash => return Ok(place),
                Some(_) => slot = (slot + 1) % Self::SLOTS,
            }
        }
    }

    fn fill(&mut self, slot: usize, place: usize) {
        self.slots[slot] = place as u32 + 1;
    }
}

/// Counts a block of a site in a role among the members, where there is room. Returns the member's place.
fn add_member(shape: &mut Shape, site: NodeId, role: Role, bytes: u64) -> u8 {
    let len = usize::from(shape.members_len);
    let known = shape.members[..len]
        .iter()
        .position(|member| member.site == site && member.role == role);
    let place = known.unwrap_or(len);
    let Some(member) = shape.members.get_mut(place) else {
        return NO_MEMBER;
    };
    if place == len {
        *member = Member {
            site,
            role,
            sum: Sum::default(),
        };
        shape.members_len += 1;
    }
    member.sum.add(bytes);
    place as u8
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
