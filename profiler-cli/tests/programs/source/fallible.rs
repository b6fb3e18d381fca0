//! A `main` that returns a result, around an allocator of another crate, with settings in the code.

#![forbid(unsafe_code)]

use heaplens::{Config, Mode};

fn main() -> Result<(), std::fmt::Error> {
    heaplens::profile!(inner::counting::Counting, Config::new().mode(Mode::Exact));
    let kept: Vec<Box<u64>> = (0..500).map(compose).collect();
    std::mem::forget(kept);
    println!("{}", inner::counting::allocations());
    if std::env::args().nth(1).is_some_and(|argument| argument == "fail") {
        return Err(std::fmt::Error);
    }
    Ok(())
}

#[inline(never)]
fn compose(number: u64) -> Box<u64> {
    Box::new(std::hint::black_box(number))
}
