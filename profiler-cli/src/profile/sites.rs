//! Sites gathered by their nodes.

use super::{NodeId, Site, Values};

/// Sites, of which each node has at most one.
#[derive(Debug, Default)]
pub(super) struct SitesByNode {
    sites: Vec<Site>,
    /// Place in `sites` of a node's site, plus one; 0 for none.
    place: Vec<u32>,
}

impl SitesByNode {
    /// Adds numbers to the site of a node.
    pub(super) fn add(&mut self, node: NodeId, values: &Values) {
        let at = node as usize;
        if at >= self.place.len() {
            self.place.resize(at + 1, 0);
        }
        match self.place[at] {
            0 => {
                self.sites.push(Site {
                    node,
                    values: *values,
                });
                self.place[at] = self.sites.len() as u32;
            }
            place => self.sites[place as usize - 1].values.add(values),
        }
    }

    /// The sites, in the order in which they came up.
    pub(super) fn finish(self) -> Vec<Site> {
        self.sites
    }
}
