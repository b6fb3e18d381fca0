use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, VecDeque};
use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;

pub struct Cart([u64; 9]);

impl Cart {
    fn new() -> Self {
        Self([black_box(7); 9])
    }
}

/// A function that makes something and keeps it for ever.
macro_rules! keep {
    ($($name:ident: $value:expr;)*) => {
        $(#[inline(never)]
        fn $name() {
            std::mem::forget(black_box($value));
        })*
        fn keep_all() {
            $($name();)*
        }
    };
}

keep! {
    boxed: Box::new(Cart::new());
    counted: Rc::new((Cart::new(), black_box(1_u8)));
    shared: Arc::new(Cart::new());
    vector: { let mut carts = Vec::new(); for _ in 0..black_box(20) { carts.push(Cart::new()); } carts };
    nested: { let carts: Vec<Vec<u16>> = Vec::with_capacity(black_box(20)); carts };
    collected: (0..black_box(50_u16)).filter(|n| n % 3 == 0).collect::<Vec<u16>>();
    queue: { let mut carts = VecDeque::new(); carts.push_back(Cart::new()); carts };
    heap: { let mut numbers = BinaryHeap::new(); numbers.push(black_box(3_u64)); numbers };
    text: { let mut text = String::new(); for _ in 0..black_box(20) { text.push_str("text"); } text };
    formatted: format!("{}-{}", black_box(1), black_box(2));
    hash_map: { let mut map = HashMap::new(); map.insert(black_box(3_u32), Cart::new()); map };
    hash_set: { let mut set = HashSet::new(); set.insert(black_box(3_u32)); set };
    tree_map: { let mut map = BTreeMap::new(); map.insert(black_box(3_u32), Cart::new()); map };
    tree_set: { let mut set = BTreeSet::new(); set.insert(black_box(3_u64)); set };
}

fn main() {
    heaplens::profile!();
    keep_all();
}
