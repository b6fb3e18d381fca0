//! The variables of a program by address: names for static data that holds memory.
//!
//! Only symbol tables are read. Thread-locals are not among them: they have no address of their own.

use heaplens::snapshot::{Module, SPECIAL_MODULE};
use object::{Object, ObjectSymbol, SymbolKind};

use super::{
    Options, debug_dirs::DebugDirs, function_name, identity::Identity, locate, names::clean,
};

/// The names of the variables at places, each a module and an address in it; `None` where no table tells.
/// An address inside of a variable is `NAME+16`.
pub fn variable_names(
    modules: &[Module],
    places: &[(u32, u64)],
    options: &Options,
) -> Vec<Option<String>> {
    let mut names = vec![None; places.len()];
    let mut dirs = DebugDirs::new(&options.debug_dirs);
    for (index, module) in modules.iter().enumerate() {
        let is_here = |&place: &usize| places[place].0 as usize == index;
        let wanted: Vec<usize> = (0..places.len()).filter(is_here).collect();
        if wanted.is_empty() || index == SPECIAL_MODULE as usize {
            continue;
        }
        let Some(identity) = Identity::of_module(module) else {
            continue;
        };
        for file in locate::find(module, &identity, &mut dirs).files {
            let Ok(file) = file.parse() else { continue };
            let variables = Variables::of(&file);
            for &place in &wanted {
                if names[place].is_none() {
                    names[place] = variables.name(places[place].1);
                }
            }
        }
    }
    names
}

/// First address, size and name, by address.
struct Variables<'a>(Vec<(u64, u64, &'a [u8])>);

impl<'a> Variables<'a> {
    fn of(file: &object::File<'a>) -> Self {
        let mut variables: Vec<_> = file
            .symbols()
            .chain(file.dynamic_symbols())
            .filter(|symbol| symbol.kind() == SymbolKind::Data && symbol.size() > 0)
            .filter_map(|symbol| {
                let name = symbol.name_bytes().ok().filter(|name| !name.is_empty())?;
                Some((symbol.address(), symbol.size(), name))
            })
            .collect();
        variables.sort_unstable();
        Self(variables)
    }

    fn name(&self, address: u64) -> Option<String> {
        let after = self.0.partition_point(|&(start, ..)| start <= address);
        let &(start, size, name) = self.0.get(after.checked_sub(1)?)?;
        let offset = address - start;
        let name = clean(&function_name(name));
        match offset {
            0 => Some(name),
            inside if inside < size => Some(format!("{name}+{inside}")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbols::elf_file::ElfFile;
    use crate::symbols::text_hash;

    /// A variable of this program.
    static VARIABLE: std::sync::Mutex<[u64; 4]> = std::sync::Mutex::new([7; 4]);

    #[test]
    fn variables_of_a_program_are_found_by_their_addresses() {
        assert_eq!(VARIABLE.lock().unwrap()[3], 7);
        let path = std::env::current_exe().unwrap();
        let file = ElfFile::open(&path).unwrap();
        let parsed = file.parse().unwrap();
        let modules = [
            Module::default(),
            Module {
                path: path.to_string_lossy().into_owned(),
                build_id: super::super::identity::build_id(&parsed).unwrap(),
                text_hash: Some(text_hash(&parsed).unwrap()),
            },
        ];
        let is_it = |name: &[u8]| function_name(name).contains("globals::tests::VARIABLE");
        let variables = Variables::of(&parsed);
        let &(start, size, _) = variables.0.iter().find(|one| is_it(one.2)).unwrap();
        let names = |places: &[(u32, u64)]| variable_names(&modules, places, &Options::default());
        let found = names(&[
            (1, start),
            (1, start + 8),
            (1, start + size),
            (0, start),
            (9, start),
        ]);
        let name = found[0].as_deref().unwrap();
        assert!(
            name.ends_with("symbols::globals::tests::VARIABLE"),
            "{name}"
        );
        assert_eq!(found[1], Some(format!("{name}+8")));
        // What is behind it is something else; special frames and modules that are not there have no variables.
        assert_ne!(found[2], found[0]);
        assert_eq!(found[3..], [None, None]);
        // A program of another build is none.
        let other = Module {
            build_id: Some("00ff".to_owned()),
            text_hash: None,
            ..modules[1].clone()
        };
        assert_eq!(
            variable_names(
                &[Module::default(), other],
                &[(1, start)],
                &Options::default()
            ),
            [None]
        );
    }
}
