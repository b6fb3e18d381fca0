//! Finds the stacks of one snapshot in another of the same run, address by address.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;

use super::{Module, Snapshot};

/// The stacks of a snapshot, to find those of others of its run among them. Within a run equal addresses
/// are equal code; between runs and builds they are not.
///
/// `S` is how keys are hashed, for who reads snapshots with a million rows.
pub struct StackIndex<S = RandomState> {
    modules: Vec<Module>,
    /// Row by the caller's row plus one, module and address.
    rows: HashMap<(u32, u32, u64), u32, S>,
}

/// How many there are: a list of them all would help nobody.
impl<S> fmt::Debug for StackIndex<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StackIndex")
            .field("modules", &self.modules)
            .field("rows", &self.rows.len())
            .finish()
    }
}

impl<S: BuildHasher + Default> StackIndex<S> {
    /// The stacks of a snapshot.
    ///
    /// # Panics
    ///
    /// Perhaps, if [`validate`](super::validate) refuses the snapshot.
    pub fn of(snapshot: &Snapshot) -> Self {
        let stacks = &snapshot.stacks;
        let rows = (0..stacks.parent.len())
            .map(|row| {
                let caller = u32::try_from(stacks.parent[row] + 1).unwrap_or(0);
                (
                    (caller, stacks.module[row], stacks.address[row]),
                    row as u32,
                )
            })
            .collect();
        Self {
            modules: snapshot.modules.clone(),
            rows,
        }
    }

    /// For each row of the other snapshot's stacks the row here. `None` where there is no such stack: a
    /// recorder forgets none, so a later snapshot has all of an earlier one.
    ///
    /// # Panics
    ///
    /// Perhaps, if [`validate`](super::validate) refuses the other snapshot.
    pub fn rows_of(&self, other: &Snapshot) -> Vec<Option<u32>> {
        let stacks = &other.stacks;
        let module_of: Vec<Option<u32>> = other
            .modules
            .iter()
            .map(|module| Some(self.modules.iter().position(|known| known == module)? as u32))
            .collect();
        let mut row_of: Vec<Option<u32>> = Vec::with_capacity(stacks.parent.len());
        for (row, &parent) in stacks.parent.iter().enumerate() {
            let caller = match usize::try_from(parent) {
                Ok(parent) => row_of[parent].map(|row| row + 1),
                Err(_) => Some(0),
            };
            let module = module_of[stacks.module[row] as usize];
            let found = caller
                .zip(module)
                .and_then(|(caller, module)| self.rows.get(&(caller, module, stacks.address[row])));
            row_of.push(found.copied());
        }
        row_of
    }
}
