//! Several snapshots as one, and parts of one, for a format that has room for one.

use std::borrow::Cow;

use heaplens::snapshot::{Ages, Module, Sites, Snapshot, Stacks, SymbolSource, Symbols};

use crate::render::escape::printable;

/// Puts the stacks and sites of `other` behind those of `all`. Equal stacks stay apart: rows with the
/// same one add up wherever snapshots are read. What adds up by no means of a sum is left out: ages,
/// samples and variances. So are types in names. Both must have names.
pub(crate) fn append(all: &mut Snapshot, other: Snapshot) {
    let row = all.stacks.parent.len();
    let module_of: Vec<u32> = other
        .modules
        .into_iter()
        .map(|module| place(&mut all.modules, module))
        .collect();
    let Stacks {
        parent,
        module,
        address,
    } = other.stacks;
    let shifted = parent.iter().map(|&parent| match parent {
        -1 => -1,
        parent => parent + row as i64,
    });
    all.stacks.parent.extend(shifted);
    let module = module.iter().map(|&module| module_of[module as usize]);
    all.stacks.module.extend(module);
    all.stacks.address.extend(address);

    let sites = &mut all.sites;
    let stack = other.sites.stack.iter().map(|&stack| stack + row as u32);
    sites.stack.extend(stack);
    sites.live_bytes.extend(other.sites.live_bytes);
    sites.live_count.extend(other.sites.live_count);
    sites.total_bytes.extend(other.sites.total_bytes);
    sites.total_count.extend(other.sites.total_count);
    without_columns(sites);
    if let (Some(named), Some(other)) = (&mut all.symbols, other.symbols) {
        append_symbols(named, other);
        named
            .sources
            .resize(all.modules.len(), SymbolSource::Missing);
    }
}

/// Makes all texts safe to show: readers of other formats print them as they are.
pub(crate) fn make_printable(snapshot: &mut Snapshot) {
    fn clean(text: &mut String) {
        if let Cow::Owned(safe) = printable(text) {
            *text = safe;
        }
    }
    let program = &mut snapshot.header.program;
    let header = [
        &mut program.executable,
        &mut program.host,
        &mut program.started,
        &mut program.heaplens_version,
    ];
    header.into_iter().for_each(clean);
    snapshot.header.label.iter_mut().for_each(clean);
    for module in &mut snapshot.modules {
        clean(&mut module.path);
        module.build_id.iter_mut().for_each(clean);
    }
    if let Some(symbols) = &mut snapshot.symbols {
        symbols.strings.iter_mut().for_each(clean);
    }
}

/// Leaves the sites that pass, without what [`append`] leaves out.
pub(crate) fn retain(sites: &mut Sites, passes: &[bool]) {
    fn column<T>(column: &mut Vec<T>, passes: &[bool]) {
        let mut passes = passes.iter();
        column.retain(|_| passes.next().copied().unwrap_or(false));
    }
    column(&mut sites.stack, passes);
    column(&mut sites.live_bytes, passes);
    column(&mut sites.live_count, passes);
    column(&mut sites.total_bytes, passes);
    column(&mut sites.total_count, passes);
    without_columns(sites);
}

fn without_columns(sites: &mut Sites) {
    sites.ages = Ages::default();
    sites.live_samples.clear();
    sites.total_samples.clear();
    sites.live_bytes_variance.clear();
    sites.total_bytes_variance.clear();
}

/// The index of a module, which is added if it is new.
pub(super) fn place(modules: &mut Vec<Module>, module: Module) -> u32 {
    let known = modules.iter().position(|known| *known == module);
    let place = known.unwrap_or_else(|| {
        modules.push(module);
        modules.len() - 1
    });
    place as u32
}

fn append_symbols(all: &mut Symbols, other: Symbols) {
    let (string, frame) = (all.strings.len(), all.function.len());
    let first = all.first_frame.pop().unwrap_or(0);
    all.strings.extend(other.strings);
    all.function
        .extend(other.function.iter().map(|&name| name + string as u32));
    let file = other.file.iter().map(|&file| match file {
        -1 => -1,
        file => file + string as i64,
    });
    all.file.extend(file);
    all.line.extend(other.line);
    all.inlined.extend(other.inlined);
    all.generics.clear();
    all.first_frame
        .extend(other.first_frame.iter().map(|&entry| entry + first));
    all.frame
        .extend(other.frame.iter().map(|&index| index + frame as u32));
}
