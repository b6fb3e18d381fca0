//! What people tell blocks apart by: who made them, on which line, and of which type.

use rustc_hash::FxHashMap;

use crate::profile::{FunctionId, NodeId, Profile};

/// Blocks of one owner, line and type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The owner.
    pub owner: NodeId,
    /// What they are, where that is known.
    pub retained: Option<String>,
}

/// Number of a label in its `Labels`.
pub type LabelId = u32;

/// The labels of a profile's sites.
#[derive(Debug)]
pub(super) struct Labels<'a> {
    profile: &'a Profile,
    of_node: FxHashMap<NodeId, LabelId>,
    numbers: FxHashMap<(FunctionId, u32, Option<String>), LabelId>,
    labels: Vec<Label>,
}

impl<'a> Labels<'a> {
    pub(super) fn new(profile: &'a Profile) -> Self {
        Self {
            profile,
            of_node: FxHashMap::default(),
            numbers: FxHashMap::default(),
            labels: Vec::new(),
        }
    }

    /// The label of a site.
    pub(super) fn of(&mut self, node: NodeId) -> LabelId {
        if let Some(&number) = self.of_node.get(&node) {
            return number;
        }
        let owner = self.profile.owner(node);
        let frame = self.profile.frame(owner);
        let retained = self.profile.retained_type(node);
        let key = (frame.function, frame.line, retained.clone());
        let number = *self.numbers.entry(key).or_insert_with(|| {
            self.labels.push(Label { owner, retained });
            (self.labels.len() - 1) as LabelId
        });
        self.of_node.insert(node, number);
        number
    }

    pub(super) fn get(&self, label: LabelId) -> &Label {
        &self.labels[label as usize]
    }

    pub(super) fn finish(self) -> Vec<Label> {
        self.labels
    }
}
