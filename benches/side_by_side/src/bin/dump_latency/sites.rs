//! Call paths by number, and a heap with a block on each.

#[path = "../../../../../tests/call_paths/mod.rs"]
mod call_paths;

pub(crate) use call_paths::on_path;

/// Calls of a path, ten to choose from at each.
pub(crate) const CALLS: u32 = 6;

/// A block on each of `sites` call paths, of `bytes` together, every page of them written to.
pub(crate) fn build(sites: u32, bytes: u64) -> Vec<Vec<u8>> {
    let size = usize::try_from(bytes / u64::from(sites)).expect("blocks fit the address space");
    let mut blocks = Vec::with_capacity(sites as usize);
    for site in 0..sites as usize {
        blocks.push(on_path(site, CALLS, &mut || vec![1; size.max(1)]));
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_site_has_its_block() {
        let blocks = build(100, 100 << 10);
        assert_eq!(blocks.len(), 100);
        assert!(blocks.iter().all(|block| block.len() == 1 << 10));
    }
}
