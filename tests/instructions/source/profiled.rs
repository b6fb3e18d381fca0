//! A program with heaplens, in the mode that the environment names.

#[path = "../pairs.rs"]
mod pairs;

fn main() {
    heaplens::profile!();
    pairs::run();
}
