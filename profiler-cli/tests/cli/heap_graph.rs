//! Graphs of the heap to try the command line on.

use heaplens::snapshot::Reason;
use heaplens::snapshot::graph::*;

use crate::fixture::*;

pub(crate) const PANEL: &str = "shop::compose::panel@/w/shop/src/compose.rs:41";
pub(crate) const CHILD: &str = "shop::compose::child@/w/shop/src/compose.rs:57";
pub(crate) const NAME: &str = "shop::compose::name@/w/shop/src/compose.rs:60";
pub(crate) const FORGET: &str = "shop::import::forget@/w/shop/src/import.rs:8";

/// The frame in which a container allocates.
pub(crate) fn made(container: &str) -> String {
    format!("<{container}>::new@{STD}/alloc/src/rc.rs:400")
}

/// Numbers of a member: place of its site, role, blocks and bytes.
pub(crate) type MemberRow = (u32, Role, u64, u64);
/// Numbers of a link: places of members in their shape, offset and pointers.
pub(crate) type LinkRow = (u32, u32, i64, u64);

/// Makes a graph, shape by shape. What it finds of a site beyond its unreached blocks is held.
#[derive(Clone, Default)]
pub(crate) struct GraphFixture {
    graph: Graph,
}

impl GraphFixture {
    /// A graph without any blocks.
    pub(crate) fn new() -> Self {
        let scan = Scan {
            scans: 2,
            pause_us: 900,
            scan_ms: 120,
            child_peak_bytes: 12 << 20,
            registers: true,
            ..Scan::default()
        };
        Self {
            graph: Graph {
                scan,
                ..Graph::default()
            },
        }
    }

    /// Adds what was found of the next site: blocks and bytes that are held, held by foreign memory
    /// only, and unreached.
    pub(crate) fn site(mut self, [held, foreign, unreached]: [(u64, u64); 3]) -> Self {
        let sites = &mut self.graph.sites;
        sites.site.push(sites.site.len() as u32);
        for ((count, bytes), (counts, all_bytes)) in [held, foreign, unreached].into_iter().zip([
            (&mut sites.held_count, &mut sites.held_bytes),
            (&mut sites.foreign_count, &mut sites.foreign_bytes),
            (&mut sites.unreached_count, &mut sites.unreached_bytes),
        ]) {
            counts.push(count);
            all_bytes.push(bytes);
        }
        self
    }

    /// Adds a shape.
    pub(crate) fn shape(
        mut self,
        instances: u64,
        members: &[MemberRow],
        links: &[LinkRow],
    ) -> Self {
        let groups = &mut self.graph.groups;
        let first = groups.members.site.len() as u32;
        groups
            .cycle
            .push(members.iter().any(|member| member.1 == Role::Cycle));
        groups.instances.push(instances);
        groups
            .blocks
            .push(members.iter().map(|member| member.2).sum());
        groups
            .bytes
            .push(members.iter().map(|member| member.3).sum());
        for &(site, role, count, bytes) in members {
            groups.members.site.push(site);
            groups.members.role.push(role);
            groups.members.count.push(count);
            groups.members.bytes.push(bytes);
        }
        for &(from, to, offset, count) in links {
            groups.links.from.push(first + from);
            groups.links.to.push(first + to);
            groups.links.offset.push(offset);
            groups.links.count.push(count);
        }
        groups.first_member.push(groups.members.site.len() as u32);
        groups.first_link.push(groups.links.from.len() as u32);
        self
    }

    /// Changes anything in the graph.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Graph)) -> Self {
        change(&mut self.graph);
        self
    }

    /// Puts it into a snapshot.
    pub(crate) fn of(self, fixture: Fixture) -> Fixture {
        fixture.with(|snapshot| {
            snapshot.header.reason = Reason::Graph;
            snapshot.graph = Some(self.graph);
        })
    }
}

/// A shop at a minute that has lost as many panels with a child and its name, which is a cycle, and has
/// forgotten five boxes.
pub(crate) fn lost(minute: u64, panels: u64) -> Fixture {
    let [panel, child, boxed] = [
        "alloc::rc::Rc<core::cell::RefCell<shop::compose::Panel>>",
        "alloc::rc::Rc<shop::compose::Child>",
        "alloc::boxed::Box<shop::import::Row>",
    ]
    .map(made);
    let live = |each: u64| (panels * each) as i64;
    let fixture = Fixture::new(minute)
        .site(&[MAIN, PANEL, &panel], live(100), panels as i64)
        .site(&[MAIN, CHILD, &child], live(50), panels as i64)
        .site(&[MAIN, NAME], live(8), panels as i64)
        .site(&[MAIN, FORGET, &boxed], 1_000, 10)
        .site(&[MAIN, CACHE], 400_000, 100);
    let none = (0, 0);
    GraphFixture::new()
        .site([none, none, (panels, panels * 100)])
        .site([none, none, (panels, panels * 50)])
        .site([none, none, (panels, panels * 8)])
        .site([(5, 500), none, (5, 500)])
        .site([(90, 360_000), (10, 40_000), none])
        .shape(
            panels,
            &[
                (0, Role::Cycle, panels, panels * 100),
                (1, Role::Cycle, panels, panels * 50),
                (2, Role::Hanging, panels, panels * 8),
            ],
            &[
                (0, 1, 32, panels),
                (1, 0, 16, panels),
                (1, 2, MANY_OFFSETS, panels),
            ],
        )
        .shape(5, &[(3, Role::Forgotten, 5, 500)], &[])
        .of(fixture)
}
