//! Who dominates whom: the last node that all ways from the start to a node lead through.
//!
//! The algorithm is that of Lengauer and Tarjan ("A fast algorithm for finding dominators in a flowgraph",
//! ACM TOPLAS 1, 1979) in its simple form, with path compression alone: O(m log n) for n nodes and m
//! pointers. There is no recursion, as a list of blocks may be as long as the heap.

use super::array::{Array, NoMemory};
use super::spanning::{START, Spanning};

/// For each node the number of its dominator, which is always less; the start is its own.
pub(super) fn dominators(spanning: &mut Spanning) -> Result<Array<u32>, NoMemory> {
    let len = spanning.len();
    /// Arrays of `u32` that are made here, and one for a path.
    const ARRAYS: usize = 5;
    spanning.budget.covers(ARRAYS * size_of::<u32>() * len)?;
    // SAFETY: zero is a number.
    let (dominator, waiting) = unsafe { (Array::zeroed(len)?, Array::zeroed(len)?) };
    let mut forest = Forest {
        ancestor: std::mem::replace(&mut spanning.parent, Array::new()?),
        semi: numbers(len)?,
        least: numbers(len)?,
        path: Array::new()?,
    };
    let mut search = Search { dominator, waiting };
    for node in (START + 1..len as u32).rev() {
        search.visit(node, spanning, &mut forest)?;
    }
    let Search { mut dominator, .. } = search;
    for node in START as usize + 1..len {
        // So far that of a node above with the same dominator, where it differs.
        let above = dominator[node];
        if above != forest.semi[node] {
            dominator[node] = dominator[above as usize];
        }
    }
    Ok(dominator)
}

/// 0, 1, 2, …
fn numbers(len: usize) -> Result<Array<u32>, NoMemory> {
    // SAFETY: zero is a number.
    let mut numbers = unsafe { Array::<u32>::zeroed(len) }?;
    for (number, place) in numbers.iter_mut().enumerate() {
        *place = number as u32;
    }
    Ok(numbers)
}

struct Search {
    /// The dominator, or a node above with the same one; of a node that waits, the next one that does.
    dominator: Array<u32>,
    /// For each node the first of those whose semidominator it is and whose dominator is not known yet; 0 for
    /// none.
    waiting: Array<u32>,
}

impl Search {
    fn visit(
        &mut self,
        node: u32,
        spanning: &Spanning,
        forest: &mut Forest,
    ) -> Result<(), NoMemory> {
        let parent = forest.ancestor[node as usize];
        let mut semi = parent;
        for holder in spanning.others(node) {
            let least = forest.least_above(holder, node + 1)?;
            semi = semi.min(forest.semi[least as usize]);
        }
        forest.semi[node as usize] = semi;
        if semi == parent {
            self.dominator[node as usize] = parent;
        } else {
            let first = &mut self.waiting[semi as usize];
            self.dominator[node as usize] = *first;
            *first = node;
        }
        // All below the parent on this branch have been visited: those that wait for it need wait no longer.
        let mut next = std::mem::take(&mut self.waiting[parent as usize]);
        while next != 0 {
            let waited = next as usize;
            next = self.dominator[waited];
            let least = forest.least_above(waited as u32, node)?;
            let is_less = forest.semi[least as usize] < forest.semi[waited];
            self.dominator[waited] = if is_less { least } else { parent };
        }
        Ok(())
    }
}

/// The nodes that were visited, as the trees that they form.
struct Forest {
    /// The parent, or of a visited node one above.
    ancestor: Array<u32>,
    /// The semidominator; of a node that was not visited itself.
    semi: Array<u32>,
    /// The node with the least semidominator from here up to, and without, the ancestor.
    least: Array<u32>,
    path: Array<u32>,
}

impl Forest {
    /// The node with the least semidominator on the way from a node up to the root of its tree, and without
    /// that. Visited are nodes from `first` on; one that was not is its own tree.
    #[inline]
    fn least_above(&mut self, node: u32, first: u32) -> Result<u32, NoMemory> {
        if node >= first && self.ancestor[node as usize] >= first {
            self.compress(node, first)?;
        }
        Ok(self.least[node as usize])
    }

    /// Has all nodes on the way up lead to the root at once.
    fn compress(&mut self, node: u32, first: u32) -> Result<(), NoMemory> {
        self.path.clear();
        let mut at = node;
        while self.ancestor[at as usize] >= first {
            self.path.push(at)?;
            at = self.ancestor[at as usize];
        }
        while let Some(below) = self.path.pop() {
            let above = self.ancestor[below as usize] as usize;
            let (least, other) = (self.least[below as usize], self.least[above]);
            if self.semi[other as usize] < self.semi[least as usize] {
                self.least[below as usize] = other;
            }
            self.ancestor[below as usize] = self.ancestor[above];
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::array::Budget;
    use super::*;
    use proptest::prelude::*;

    /// A graph: whom each node points at. Node 0 is the start.
    pub(crate) type Pointers = Vec<Vec<usize>>;

    /// The nodes in the order of a depth-first walk, and the walk.
    pub(crate) fn walk(pointers: &Pointers) -> (Vec<usize>, Spanning) {
        let mut spanning = Spanning::new(Budget::UNLIMITED).expect("memory");
        let mut number = vec![None; pointers.len()];
        number[0] = Some(START);
        let mut order = vec![0];
        let mut path = vec![(0, 0)];
        while let Some((node, next)) = path.last_mut() {
            let from = number[*node].expect("met");
            let Some(&target) = pointers[*node].get(*next) else {
                path.pop();
                continue;
            };
            *next += 1;
            match number[target] {
                Some(held) => spanning.point(from, held).expect("memory"),
                None => {
                    number[target] = Some(spanning.enter(target as u32, from).expect("memory"));
                    order.push(target);
                    path.push((target, 0));
                }
            }
        }
        (order, spanning)
    }

    /// The nodes that the start reaches without one.
    fn reached_without(pointers: &Pointers, without: Option<usize>) -> Vec<bool> {
        let mut reached = vec![false; pointers.len()];
        let mut open = vec![0];
        while let Some(node) = open.pop() {
            if Some(node) != without && !std::mem::replace(&mut reached[node], true) {
                open.extend(&pointers[node]);
            }
        }
        reached
    }

    /// For each node those that dominate it, itself included: what is out of reach without them.
    pub(crate) fn dominators_of_each(pointers: &Pointers) -> Vec<Vec<usize>> {
        let mut of_each = vec![Vec::new(); pointers.len()];
        let reached = reached_without(pointers, None);
        for without in 0..pointers.len() {
            let still = match without {
                0 => vec![false; pointers.len()],
                _ => reached_without(pointers, Some(without)),
            };
            for node in (0..pointers.len()).filter(|&node| reached[node] && !still[node]) {
                of_each[node].push(without);
            }
        }
        of_each
    }

    fn agrees_with_removal(pointers: &Pointers) -> Result<(), TestCaseError> {
        let (order, mut spanning) = walk(pointers);
        let of_each = dominators_of_each(pointers);
        let found = dominators(&mut spanning).expect("memory");
        prop_assert_eq!(found.len(), order.len());
        for number in 1..order.len() {
            let dominator = found[number] as usize;
            prop_assert!(dominator < number);
            // Whoever else dominates a node dominates the nearest one of them too.
            let mut others = of_each[order[number]].clone();
            others.retain(|&other| other != order[number]);
            prop_assert_eq!(&others, &of_each[order[dominator]]);
        }
        Ok(())
    }

    /// Graphs from sparse to dense, of which some have long ways.
    pub(crate) fn graphs(most: usize) -> impl Strategy<Value = Pointers> {
        (2..most, 0_usize..4, any::<bool>()).prop_flat_map(|(len, degree, is_list)| {
            let pointers = prop::collection::vec((0..len, 0..len), 0..=len * degree + 1);
            pointers.prop_map(move |pairs| {
                let mut pointers = vec![Vec::new(); len];
                pairs.iter().for_each(|&(from, to)| pointers[from].push(to));
                if is_list {
                    (1..len).for_each(|node| pointers[node - 1].push(node));
                }
                pointers
            })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

        #[test]
        fn dominators_are_those_without_whom_nodes_are_out_of_reach(pointers in graphs(28)) {
            agrees_with_removal(&pointers)?;
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

        #[test]
        fn the_same_holds_of_larger_graphs(pointers in graphs(300)) {
            agrees_with_removal(&pointers)?;
        }
    }

    /// A list whose last node points at its first ones and at many others, at which an early one points too: the
    /// worst for those who climb step by step.
    #[test]
    fn a_long_list_takes_no_stack_and_no_quadratic_time() {
        let len = 200_000;
        let mut pointers: Pointers = (1..=len).map(|next| vec![next]).collect();
        pointers.push((1..10).collect());
        for leaf in len + 1..2 * len {
            pointers.push(Vec::new());
            pointers[2].push(leaf);
            pointers[len].push(leaf);
        }
        let (order, mut spanning) = walk(&pointers);
        let found = dominators(&mut spanning).expect("memory");
        for (number, &node) in order.iter().enumerate().skip(1) {
            let dominator = order[found[number] as usize];
            assert_eq!(dominator, if node <= len { node - 1 } else { 2 });
        }
    }

    #[test]
    fn without_room_there_are_none() {
        let (_, mut spanning) = walk(&vec![vec![1], vec![]]);
        spanning.budget = Budget::up_to(0);
        assert!(dominators(&mut spanning).is_err());
    }
}
