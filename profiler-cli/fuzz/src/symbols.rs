//! The reader of programs: ELF, DWARF, symbol tables, and the files that these name.

use std::fs;

use heaplens::snapshot::{
    FORMAT, FORMAT_VERSION, Header, Module, Sites, Snapshot, SpecialFrame, Stacks, is_unprintable,
    validate,
};
use heaplens_cli::symbols::{Options, symbolize, text_hash, variable_names};
use object::{Object, ObjectSymbol};

use super::memory::within;

/// Sections may inflate, each to 64 MiB without question.
const BOUND: u64 = 1 << 30;

/// Most functions whose addresses are looked up.
const FUNCTIONS: usize = 64;

/// Looks up addresses of a program, of its debug file, or of its package of split units: the first
/// byte says which of them the others are.
pub fn symbols(data: &[u8]) {
    let Some((&kind, elf)) = data.split_first() else {
        return;
    };
    let Ok(file) = object::File::parse(elf) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = folder.path().join("svc");
    fs::write(&program, elf).expect("writing");
    if kind & 1 == 1 {
        // As a package of units beside a program with the same bytes.
        fs::write(folder.path().join("svc.dwp"), elf).expect("writing");
    }
    let hex = |id: &[u8]| id.iter().map(|byte| format!("{byte:02x}")).collect();
    let build_id = file.build_id().ok().flatten().map(hex);
    let text_hash = match build_id {
        None => text_hash(&file).ok(),
        Some(_) => None,
    };
    let module = Module {
        path: program.to_str().expect("UTF-8").to_owned(),
        build_id,
        text_hash,
    };
    let addresses = addresses(&file);
    let snapshot = snapshot_of(module, &addresses);
    let options = Options {
        debug_dirs: vec![folder.path().to_owned()],
    };
    let places: Vec<(u32, u64)> = addresses.iter().map(|&address| (1, address)).collect();
    let variables = within(BOUND, || {
        variable_names(&snapshot.modules, &places, &options)
    });
    assert_eq!(variables.len(), places.len());
    for name in variables.into_iter().flatten() {
        assert!(
            !name.is_empty() && !name.chars().any(char::is_control),
            "{name:?}"
        );
    }
    let outcome = within(BOUND, || symbolize(&snapshot, &options, &mut |_, _| {}));
    for note in &outcome.notes {
        assert!(!note.to_string().chars().any(is_unprintable), "{note}");
    }
    let named = Snapshot {
        symbols: Some(outcome.symbols),
        ..snapshot
    };
    validate(&named).expect("names that fit the snapshot");
    // And once more, on top of the names that are there.
    let outcome = within(BOUND, || symbolize(&named, &options, &mut |_, _| {}));
    let renamed = Snapshot {
        symbols: Some(outcome.symbols),
        ..named
    };
    validate(&renamed).expect("names that fit the snapshot");
}

fn addresses(file: &object::File<'_>) -> Vec<u64> {
    let mut addresses = vec![0, 1, file.entry(), u64::MAX - 1, u64::MAX];
    for symbol in file
        .symbols()
        .filter(|symbol| symbol.size() > 0)
        .take(FUNCTIONS)
    {
        let last = symbol.size().min(64) - 1;
        for offset in [0, last / 2, last] {
            addresses.push(symbol.address().wrapping_add(offset));
        }
    }
    addresses
}

fn snapshot_of(module: Module, addresses: &[u64]) -> Snapshot {
    let special = Module {
        path: "[special]".to_owned(),
        ..Module::default()
    };
    let mut stacks = Stacks {
        parent: vec![-1; addresses.len() + 1],
        module: vec![1; addresses.len() + 1],
        address: vec![SpecialFrame::NoStack.code()],
    };
    stacks.module[0] = 0;
    stacks.address.extend(addresses);
    Snapshot {
        format: FORMAT.to_owned(),
        format_version: FORMAT_VERSION,
        header: Header::default(),
        modules: vec![special, module],
        stacks,
        sites: Sites::default(),
        graph: None,
        symbols: None,
        complete: true,
    }
}
