//! The graph of the heap: who holds what, as far as pointers tell. Plain data; field names are the
//! names in the file.
//!
//! It comes from a scan that takes every aligned word that points at or into a block for a pointer.
//! Such a scan can keep a block by mistake, and it sees neither pointers in the kernel nor encoded
//! nor unaligned ones: "no pointer found" is strong evidence, and no proof. There are no contents
//! here, no addresses of blocks, only sites, sizes, offsets and counts.

use serde::{Deserialize, Serialize};

/// Offset in a link that stands for several: a field in an array, or one at many places.
pub const MANY_OFFSETS: i64 = -1;

/// What a scan of the heap has found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Graph {
    /// How it was made, and what it left out.
    pub scan: Scan,
    /// Blocks and bytes of each site by verdict.
    pub sites: Verdicts,
    /// Shapes of blocks that no pointer reaches, heaviest first.
    pub groups: Groups,
    /// What holds the rest from outside: absent from scans that did not ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roots: Option<Roots>,
    /// Who points to whom, by site: absent from scans that did not ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edges: Option<Edges>,
    /// What would be freed with what: absent from scans that did not ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dominators: Option<Dominators>,
}

/// How a graph was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scan {
    /// When the last scan began, in milliseconds since the Unix epoch.
    pub taken_unix_ms: u64,
    /// Scans compared: what the first found unreached counts as such only if the last did too.
    pub scans: u32,
    /// Microseconds that the longest copying of the process took, for which its threads stood still: the
    /// longest single one. There are two at least, and
    /// more if a thread moved meanwhile.
    pub pause_us: u64,
    /// Milliseconds from the first scan's start to the last one's end, in which the program ran on.
    pub scan_ms: u64,
    /// Most memory that a scanning process took for itself, in bytes, apart from pages that it shares
    /// with the program.
    pub child_peak_bytes: u64,
    /// Blocks that the last scan found.
    pub blocks: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Whether the registers of all threads were known at the moment of the copy. If not, a block that
    /// only a register held may count as unreached. Those of a thread that waits in a call which must not
    /// be disturbed, `epoll_wait` say, are not known.
    pub registers: bool,
    /// System calls of the program that returned early (`EINTR`) because of the scan.
    pub interrupted_calls: u64,
    /// Bytes of writable memory that were not looked at: devices, files shared with others.
    pub skipped_bytes: u64,
    /// Whether there was no time or no memory left to tell who holds the rest: roots, edges and dominators
    /// are absent then.
    pub holders_left_out: bool,
}

/// One row for each site with blocks, as columns: its blocks and bytes by verdict. Their sum may
/// differ from the site's live ones by what was allocated and freed meanwhile.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdicts {
    /// Row in the snapshot's [`Sites`](super::Sites). No two rows have the same.
    pub site: Vec<u32>,
    /// Bytes that static data, stacks, thread-locals or registers hold, by whatever path.
    pub held_bytes: Vec<u64>,
    /// Blocks of the same kind.
    pub held_count: Vec<u64>,
    /// Bytes that only memory holds that is not the recorder's: a C library's, say.
    pub foreign_bytes: Vec<u64>,
    /// Blocks of the same kind.
    pub foreign_count: Vec<u64>,
    /// Bytes to which no pointer was found.
    pub unreached_bytes: Vec<u64>,
    /// Blocks of the same kind.
    pub unreached_count: Vec<u64>,
}

/// Shapes of unreached blocks, as columns: one row for each.
///
/// An instance is a cycle, or a block that nothing points to, with all that hangs on it. Instances
/// whose cycles are made of the same sites are of one shape, whatever hangs on them. A block hangs
/// on one instance only, also where two reach it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Groups {
    /// Whether its instances begin with a cycle: else with a block that was forgotten.
    pub cycle: Vec<bool>,
    /// Instances.
    pub instances: Vec<u64>,
    /// Blocks in all of them.
    pub blocks: Vec<u64>,
    /// Bytes in all of them.
    pub bytes: Vec<u64>,
    /// For each shape its first row in `members`, and one entry more for the end.
    pub first_member: Vec<u32>,
    /// For each shape its first row in `links`, and one entry more for the end.
    pub first_link: Vec<u32>,
    /// The sites that shapes are made of.
    pub members: Members,
    /// How they point at each other.
    pub links: Links,
    /// Shapes for which there was no room.
    pub left_out: LeftOut,
}

impl Default for Groups {
    /// No shapes.
    fn default() -> Self {
        Self {
            cycle: Vec::new(),
            instances: Vec::new(),
            blocks: Vec::new(),
            bytes: Vec::new(),
            first_member: vec![0],
            first_link: vec![0],
            members: Members::default(),
            links: Links::default(),
            left_out: LeftOut::default(),
        }
    }
}

/// Members of shapes: one row for each site in each role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// Row in the snapshot's [`Sites`](super::Sites).
    pub site: Vec<u32>,
    /// How such blocks belong to the shape.
    pub role: Vec<Role>,
    /// Blocks in all instances.
    pub count: Vec<u64>,
    /// Bytes in all instances.
    pub bytes: Vec<u64>,
}

/// How a block belongs to its shape.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It lies on the cycle that the instance begins with.
    Cycle,
    /// Nothing points to it: it was forgotten, and the instance begins with it.
    Forgotten,
    /// It hangs on the others.
    #[default]
    #[serde(other)]
    Hanging,
}

/// How members of a shape point at each other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// Row in [`Members`], of the same shape: who points.
    pub from: Vec<u32>,
    /// Bytes from the start of the block to the pointer, or [`MANY_OFFSETS`].
    pub offset: Vec<i64>,
    /// Row in [`Members`], of the same shape: at whom.
    pub to: Vec<u32>,
    /// Pointers in all instances.
    pub count: Vec<u64>,
}

/// Sum of the shapes that are not listed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LeftOut {
    /// Shapes.
    pub shapes: u64,
    /// Their instances.
    pub instances: u64,
    /// Their blocks.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Places outside of blocks that point at blocks, as columns. A stack and the thread-locals of a
/// thread are one row each, a global variable is one for each word. What is too much for that is one row
/// for its module, or for all of its kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roots {
    /// What it is.
    pub kind: Vec<RootKind>,
    /// Index into the snapshot's modules; that of special frames (0) for what is in no module.
    pub module: Vec<u32>,
    /// Address of the word in the module's own address space; 0 for what is in no module, and for all
    /// those of a module that have no row of their own.
    pub address: Vec<u64>,
    /// Blocks that it points at itself.
    pub count: Vec<u64>,
    /// Bytes in them.
    pub bytes: Vec<u64>,
}

/// What kind of memory holds a block from outside.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum RootKind {
    /// Static data of the program or of a library.
    Global,
    /// The stack of a thread, from its stack pointer on, and what lies behind it: thread-locals.
    Stack,
    /// Thread-locals that lie apart from stacks.
    ThreadLocal,
    /// A register.
    Register,
    /// None that was seen by the last scan: a pointer was there in the one before.
    Moving,
    /// Memory that is not the recorder's: a C library's, another allocator's.
    #[default]
    #[serde(other)]
    Foreign,
}

/// Who points to whom, summed by site.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edges {
    /// Who points: a row in the snapshot's sites, or −1 − r for row r of [`Roots`].
    pub holder: Vec<i64>,
    /// Bytes from the start of the holder's block to the pointer, or [`MANY_OFFSETS`]; 0 for roots.
    pub offset: Vec<i64>,
    /// At whom: a row in the snapshot's sites.
    pub held: Vec<u32>,
    /// Pointers.
    pub count: Vec<u64>,
    /// Bytes in the blocks that they point at; twice those of a block that two point at.
    pub bytes: Vec<u64>,
    /// Pointers that are in no row for want of room, and bytes in what they point at.
    #[serde(default)]
    pub left_out: NoRoom,
}

/// What is in no row for want of room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NoRoom {
    /// How many.
    pub count: u64,
    /// Bytes in them.
    pub bytes: u64,
}

/// The dominator tree, summed by site along each path: a row's blocks would be freed if those of its
/// parent were.
///
/// A way down the tree has no site twice. A block whose site is on its way already, as in a list or a tree of
/// its like, counts in that row; what it dominates stays below the row where the way has led.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dominators {
    /// Row of the dominator, always before this one; -1 for what no single holder keeps.
    pub parent: Vec<i64>,
    /// What it is: a row in the snapshot's sites, or −1 − r for row r of [`Roots`].
    pub holder: Vec<i64>,
    /// Blocks; 0 for roots.
    pub count: Vec<u64>,
    /// Bytes in them; 0 for roots.
    pub own_bytes: Vec<u64>,
    /// What would be freed with them: bytes in them and in all that they dominate. Rows of one site retain
    /// nothing in common.
    pub retained_bytes: Vec<u64>,
    /// Blocks that count in no row's own ones for want of room. What the rows above them retain includes
    /// them.
    #[serde(default)]
    pub left_out: NoRoom,
}
