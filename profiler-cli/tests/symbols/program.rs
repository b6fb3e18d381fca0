// The program whose addresses the tests look up. Comments like `[leaf]` mark lines.
mod widget {
    #[inline(always)]
    fn leaf(depth: u64) -> u64 {
        std::hint::black_box(depth) + 1 // [leaf]
    }

    #[inline(always)]
    fn middle(depth: u64) -> u64 {
        leaf(depth) * 3 // [middle]
    }

    #[inline(never)]
    pub fn compose(depth: u64) -> u64 {
        middle(depth) + 5 // [compose]
    }

    #[inline(never)]
    pub fn render(depth: u64) -> u64 {
        std::hint::black_box(depth) - 7 // [render]
    }
}

fn main() {
    let depth = std::env::args().count() as u64;
    println!("{}", widget::compose(depth) + widget::render(depth));
}
