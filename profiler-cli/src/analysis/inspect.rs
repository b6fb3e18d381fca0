//! What is in a snapshot, beside the stacks.

use heaplens::snapshot::graph::Scan;
use heaplens::snapshot::{Header, Losses, Module, SPECIAL_MODULE, Snapshot, SymbolSource};

/// A snapshot without its columns.
#[derive(Debug)]
pub struct Inspection {
    /// The file's name, as the user gave it.
    pub file: String,
    /// Everything but the columns.
    pub header: Header,
    /// Executables and libraries.
    pub modules: Vec<ModuleUse>,
    /// Rows of the tree of stacks.
    pub stacks: usize,
    /// Call sites.
    pub sites: usize,
    /// Whether the file carries names.
    pub symbolized: bool,
    /// The scan of the heap, if there is a graph of it.
    pub scan: Option<Scan>,
}

/// A module, and how much of the stacks lies in it.
#[derive(Debug)]
pub struct ModuleUse {
    /// The module.
    pub module: Module,
    /// Rows of the tree of stacks in it.
    pub frames: usize,
    /// Where its names came from; `None` if the file carries no names.
    pub symbols: Option<SymbolSource>,
}

/// Inspects a snapshot that `file` held.
pub fn inspect(file: &str, snapshot: &Snapshot) -> Inspection {
    let mut modules: Vec<ModuleUse> = snapshot
        .modules
        .iter()
        .enumerate()
        .map(|(index, module)| ModuleUse {
            module: module.clone(),
            frames: 0,
            symbols: snapshot
                .symbols
                .as_ref()
                .map(|symbols| symbols.sources.get(index).copied().unwrap_or_default()),
        })
        .collect();
    for &module in &snapshot.stacks.module {
        if let Some(module) = modules.get_mut(module as usize) {
            module.frames += 1;
        }
    }
    if !modules.is_empty() {
        modules.remove(SPECIAL_MODULE as usize);
    }
    Inspection {
        file: file.to_owned(),
        header: snapshot.header.clone(),
        modules,
        stacks: snapshot.stacks.parent.len(),
        sites: snapshot.sites.stack.len(),
        symbolized: snapshot.symbols.is_some(),
        scan: snapshot.graph.as_ref().map(|graph| graph.scan.clone()),
    }
}

/// What was lost, with what that means for the reader. Nothing lost, nothing listed.
pub fn losses(losses: &Losses) -> Vec<(u64, &'static str)> {
    let Losses {
        stack_table_full,
        sample_table_full,
        unmarkable,
        reentered,
        truncated,
        threads_unregistered,
        sites_unsettled,
        foreign_frees,
        snapshots_failed,
    } = losses;
    [
        (
            *stack_table_full,
            "allocations not recorded: the table of stacks was full",
        ),
        (
            *sample_table_full,
            "samples not recorded: the table of live samples was full",
        ),
        (
            *unmarkable,
            "samples not recorded: no mark fits blocks of such an alignment",
        ),
        (
            *reentered,
            "allocations without a stack: the thread was inside the recorder",
        ),
        (
            truncated.unknown_module,
            "stacks cut short: an address in no known module",
        ),
        (
            truncated.no_unwind_info,
            "stacks cut short: a module without unwind information there",
        ),
        (
            truncated.unsupported_rule,
            "stacks cut short: an unwind rule that is not supported",
        ),
        (
            truncated.bad_stack,
            "stacks cut short: the stack pointer left the thread's stack",
        ),
        (
            truncated.too_deep,
            "stacks cut short: more frames than the unwinder follows",
        ),
        (
            *threads_unregistered,
            "threads on a slower path: the table of threads was full",
        ),
        (
            *sites_unsettled,
            "sites read in motion: off by what was in flight",
        ),
        (
            *foreign_frees,
            "frees of blocks that are not ours: passed on untouched",
        ),
        (
            *snapshots_failed,
            "snapshots of this run could not be written",
        ),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .collect()
}
