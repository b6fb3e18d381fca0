//! The assertions, and what they can be asked of.

use super::failure::{self, Cause};
use super::report::Report;
use super::scope::Scope;
use crate::recorder;
use std::fmt;

/// Asserts how many bytes a piece of work leaves behind.
///
/// Before `<=` or `==` stands a [`Report`](crate::testing::Report), or a closure that is run in a scope
/// of its own and whose result is freed before it ends. Behind stands a number of bytes, also with a
/// unit: `B`, `KiB`, `MiB`, `GiB`, `kB`, `MB` or `GB`. A message may follow, as in `assert!`.
///
/// ```
/// # heaplens::testing::install!();
/// # fn main() {
/// use heaplens::testing::{Scope, assert_retained};
///
/// assert_retained!(|| vec![1, 2, 3].len() <= 0);
///
/// let scope = Scope::begin();
/// let cache = vec![0_u8; 2048];
/// assert_retained!(scope.end() <= 2 KiB, "the cache holds {} bytes", cache.len());
/// # }
/// ```
///
/// # Panics
///
/// If it is not so: with the paths that retain most, and a snapshot of them. And where
/// [`Scope::begin`](crate::testing::Scope::begin) does.
#[macro_export]
macro_rules! assert_retained {
    ($($condition:tt)+) => {
        $crate::__heaplens_assert!(Retained [] $($condition)+)
    };
}

/// Asserts how many bytes a piece of work has allocated and not yet freed at any time: the most of
/// them. Written as [`assert_retained!`](crate::assert_retained).
///
/// ```
/// # heaplens::testing::install!();
/// # fn main() {
/// use heaplens::testing::assert_peak;
///
/// assert_peak!(|| drop(vec![0_u8; 50_000]) <= 64 KiB);
/// # }
/// ```
///
/// # Panics
///
/// If it is not so: with the paths that have allocated most, and a snapshot of them.
#[macro_export]
macro_rules! assert_peak {
    ($($condition:tt)+) => {
        $crate::__heaplens_assert!(Peak [] $($condition)+)
    };
}

/// Asserts how many blocks a piece of work allocates. A reallocation counts as one. Written as
/// [`assert_retained!`](crate::assert_retained).
///
/// ```
/// # heaplens::testing::install!();
/// # fn main() {
/// use heaplens::testing::assert_allocations;
///
/// assert_allocations!(|| "a b c".split(' ').map(str::to_owned).collect::<Box<[_]>>() <= 5);
/// assert_allocations!(|| [1, 2, 3].iter().sum::<i32>() == 0);
/// # }
/// ```
///
/// # Panics
///
/// If it is not so: with the paths that have allocated most, and a snapshot of them.
#[macro_export]
macro_rules! assert_allocations {
    ($($condition:tt)+) => {
        $crate::__heaplens_assert!(Allocations [] $($condition)+)
    };
}

/// Splits a condition: a comparison cannot be matched behind an expression.
#[doc(hidden)]
#[macro_export]
macro_rules! __heaplens_assert {
    ($quantity:ident [$($measured:tt)+] <= $($limit:tt)+) => {
        $crate::__heaplens_assert!(@limit $quantity AtMost [$($measured)+] $($limit)+)
    };
    ($quantity:ident [$($measured:tt)+] == $($limit:tt)+) => {
        $crate::__heaplens_assert!(@limit $quantity Exactly [$($measured)+] $($limit)+)
    };
    ($quantity:ident [$($measured:tt)*] $next:tt $($rest:tt)*) => {
        $crate::__heaplens_assert!($quantity [$($measured)* $next] $($rest)*)
    };
    ($quantity:ident [$($measured:tt)*]) => {
        ::core::compile_error!("write `measured <= limit` or `measured == number`, as in `report <= 64 KiB`")
    };
    (@limit $quantity:ident $relation:ident $measured:tt
        $number:literal $unit:ident $(, $($message:tt)*)?) => {
        $crate::__heaplens_assert!(@check $quantity $relation $measured
            ($number * $crate::testing::units::$unit) $(, $($message)*)?)
    };
    (@limit $quantity:ident $relation:ident $measured:tt $limit:expr $(, $($message:tt)*)?) => {
        $crate::__heaplens_assert!(@check $quantity $relation $measured ($limit) $(, $($message)*)?)
    };
    (@check $quantity:ident $relation:ident $measured:tt $limit:tt $(,)?) => {
        $crate::__heaplens_assert!(@claim $quantity $relation $measured $limit
            ::core::option::Option::None)
    };
    (@check $quantity:ident $relation:ident $measured:tt $limit:tt, $($message:tt)+) => {
        $crate::__heaplens_assert!(@claim $quantity $relation $measured $limit
            ::core::option::Option::Some(::core::format_args!($($message)+)))
    };
    (@claim $quantity:ident $relation:ident [$($measured:tt)+] $limit:tt $message:expr) => {{
        // A report has such a method too, which leaves it where it is.
        use $crate::testing::Work as _;
        ($($measured)+).heaplens_check($crate::testing::Claim::new(
            $crate::testing::Quantity::$quantity,
            $crate::testing::Relation::$relation,
            $limit,
            $message,
        ))
    }};
}

/// Units of bytes, by the names that assertions take.
#[doc(hidden)]
#[allow(missing_docs, reason = "the names say it")]
#[allow(non_upper_case_globals, reason = "so are units written")]
pub mod units {
    pub const B: u64 = 1;
    pub const KiB: u64 = 1 << 10;
    pub const MiB: u64 = 1 << 20;
    pub const GiB: u64 = 1 << 30;
    pub const kB: u64 = 1_000;
    pub const MB: u64 = 1_000_000;
    pub const GB: u64 = 1_000_000_000;
}

/// What is asserted of a report.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// Bytes that are not freed.
    Retained,
    /// Most bytes at a time.
    Peak,
    /// Number of blocks.
    Allocations,
}

/// How a number is to compare.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// `<=`
    AtMost,
    /// `==`
    Exactly,
}

/// What is asserted.
#[doc(hidden)]
#[derive(Debug)]
pub struct Claim<'a> {
    quantity: Quantity,
    relation: Relation,
    limit: u64,
    message: Option<fmt::Arguments<'a>>,
}

impl<'a> Claim<'a> {
    /// # Panics
    ///
    /// If the limit is negative, or more than 64 bits.
    #[track_caller]
    pub fn new<L: TryInto<u64>>(
        quantity: Quantity,
        relation: Relation,
        limit: L,
        message: Option<fmt::Arguments<'a>>,
    ) -> Self {
        let Ok(limit) = limit.try_into() else {
            panic!("the limit is no number from 0 to 2^64 - 1");
        };
        Self {
            quantity,
            relation,
            limit,
            message,
        }
    }
}

/// A closure that is measured in a scope of its own.
#[doc(hidden)]
pub trait Work {
    /// Runs it, and panics if the claim does not hold.
    fn heaplens_check(self, claim: Claim<'_>);
}

impl<T, F: FnOnce() -> T> Work for F {
    #[track_caller]
    fn heaplens_check(self, claim: Claim<'_>) {
        Scope::measure(|| drop(self())).1.heaplens_check(claim);
    }
}

impl Report {
    /// Panics if the claim does not hold.
    #[doc(hidden)]
    #[track_caller]
    pub fn heaplens_check(&self, claim: Claim<'_>) {
        let found = claim.quantity.of(self);
        let holds = match claim.relation {
            Relation::AtMost => found <= claim.limit,
            Relation::Exactly => found == claim.limit,
        };
        if holds {
            return;
        }
        let text = recorder::as_own(|| {
            let says = claim.quantity.says(claim.relation, found, claim.limit);
            match claim.message {
                Some(message) => format!("{message}: {says}"),
                None => says,
            }
        });
        failure::fail(&text, self, claim.quantity.cause());
    }
}

impl Quantity {
    fn of(self, report: &Report) -> u64 {
        match self {
            Self::Retained => report.retained().bytes,
            Self::Peak => report.peak_bytes(),
            Self::Allocations => report.allocated().blocks,
        }
    }

    fn says(self, relation: Relation, found: u64, limit: u64) -> String {
        let name = match self {
            Self::Retained => "retained",
            Self::Peak => "peak",
            Self::Allocations => "allocations",
        };
        let number = |number| match self {
            Self::Retained | Self::Peak => failure::bytes(number),
            Self::Allocations => failure::grouped(number),
        };
        let relation = match relation {
            Relation::AtMost => "at most",
            Relation::Exactly => "exactly",
        };
        format!(
            "{name}: {}, and not {relation} {}",
            number(found),
            number(limit)
        )
    }

    fn cause(self) -> Cause {
        match self {
            Self::Retained => Cause::Retained,
            Self::Peak | Self::Allocations => Cause::Allocated,
        }
    }
}
