//! What the allocators are given to do: one file for each kind of work.
//!
//! Everything is the same on each run; there are no random numbers but those of fixed generators. A
//! crate of its own, of no generic functions, so that the very same machine code runs under each
//! allocator: in one crate with the allocator, the compiler would inline other functions of the
//! workloads for each of them, which costs more than most of what is to be measured.

mod btree;
mod budget;
mod churn;
mod compose;
mod exchange;
mod heap;
mod json;
mod paths;
mod scaling;

pub use budget::{Amount, Budget};
use measure::{Measurement, Workload};

/// Runs a workload and measures it.
pub fn run(workload: Workload, budget: Budget) -> Measurement {
    match workload {
        Workload::Churn => churn::scattered(budget),
        Workload::ChurnNear => churn::near(budget),
        Workload::Churn2 => exchange::run(budget),
        Workload::Json => json::run(budget),
        Workload::Btree => btree::run(budget),
        Workload::Compose => compose::run(budget),
        Workload::Private1 => scaling::private(budget, 1),
        Workload::Private2 => scaling::private(budget, 2),
        Workload::Shared1 => scaling::shared(budget, 1),
        Workload::Shared2 => scaling::shared(budget, 2),
        Workload::Heap200 => heap::run(budget),
        Workload::Service => unreachable!("the service has no end that could be measured here"),
    }
}
