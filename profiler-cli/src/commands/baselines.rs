//! Baseline files: one for each package, to be read, to be written, or both.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::analysis::gate::baseline::{Baseline, Program};
use crate::args::GateArgs;
use crate::error::Error;
use crate::input::text::read_text;
use crate::output::{self, Existing};

/// The files of a check.
pub(super) struct Baselines<'a> {
    args: &'a GateArgs,
    /// To be written, by file.
    taken: BTreeMap<PathBuf, Baseline>,
    /// The one package of a file that stands for all.
    package: Option<String>,
    notes: Vec<String>,
}

impl<'a> Baselines<'a> {
    pub(super) fn new(args: &'a GateArgs) -> Self {
        Self {
            args,
            taken: BTreeMap::new(),
            package: None,
            notes: Vec::new(),
        }
    }

    /// What a program is held to; `None` if to nothing.
    pub(super) fn of(&mut self, package: &str, program: &str) -> Result<Option<Program>, Error> {
        let Some(path) = &self.args.baseline else {
            return Ok(None);
        };
        let file = self.file(path, package)?;
        let Some(mut baseline) = read(&file)? else {
            return Err(Error::input(
                &file,
                format!(
                    "there is no baseline here: make one of a run that is as it should be, with \
                     --save-baseline {} instead of --baseline, and keep it with the sources",
                    path.display()
                ),
            ));
        };
        match baseline.program.remove(program) {
            Some(program) => Ok(Some(program)),
            None => Err(Error::input(
                &file,
                format!("it does not know the program `{program}`: add it with --save-baseline"),
            )),
        }
    }

    /// Takes what a program measured into the file of its package, if it is to be written.
    pub(super) fn take(
        &mut self,
        package: &str,
        program: &str,
        measured: Program,
    ) -> Result<(), Error> {
        let Some(path) = &self.args.save_baseline else {
            return Ok(());
        };
        let file = self.file(path, package)?;
        let baseline = match self.taken.entry(file.clone()) {
            Entry::Occupied(taken) => taken.into_mut(),
            Entry::Vacant(place) => place.insert(read(&file)?.unwrap_or_else(Baseline::new)),
        };
        let (taken, kept) = match baseline.program.get(program) {
            None => (measured, 0),
            Some(old) if self.args.raise => (old.replaced(measured), 0),
            Some(old) if old.sample_bytes() == measured.sample_bytes() => old.lowered(measured),
            Some(old) => {
                let kind = |program: &Program| match program.sample_bytes() {
                    0 => "exact numbers".to_owned(),
                    bytes => format!("samples every {bytes} bytes"),
                };
                return Err(Error::input(
                    &file,
                    format!(
                        "`{program}` is here with {}, and this run has {}: --raise takes it over",
                        kind(old),
                        kind(&measured)
                    ),
                ));
            }
        };
        if kept > 0 {
            self.notes.push(format!(
                "{}: {kept} numbers of `{program}` would go up and stay: --raise lets them",
                file.display()
            ));
        }
        baseline.program.insert(program.to_owned(), taken);
        Ok(())
    }

    /// Writes what was taken; what is to be told of it.
    pub(super) fn save(self) -> Result<Vec<String>, Error> {
        for (file, baseline) in &self.taken {
            let folder = file
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            if let Some(folder) = folder {
                fs::create_dir_all(folder).map_err(|error| Error::output(folder, error))?;
            }
            output::write_file(file, Existing::Replace, None, |out| {
                out.write_all(baseline.text().as_bytes())
            })?;
        }
        Ok(self.notes)
    }

    /// The file of a package: `path`, or in it if that is a folder.
    fn file(&mut self, path: &Path, package: &str) -> Result<PathBuf, Error> {
        if path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Ok(path.join(format!("{package}.toml")));
        }
        let first = self.package.get_or_insert_with(|| package.to_owned());
        if first != package {
            return Err(Error::Usage(format!(
                "snapshots of the packages {first} and {package} need a baseline each: name a folder \
                 for them, {}/",
                path.display()
            )));
        }
        Ok(path.to_owned())
    }
}

/// A baseline; `None` if there is no such file.
fn read(file: &Path) -> Result<Option<Baseline>, Error> {
    let text = match read_text(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::input(file, error)),
    };
    let baseline = Baseline::parse(&text).map_err(|error| Error::input(file, error))?;
    Ok(Some(baseline))
}
