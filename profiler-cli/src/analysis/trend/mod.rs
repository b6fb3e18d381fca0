//! Statistics of short series: is there a trend, how steep is it, and how many tests were made.
//!
//! Pure functions of numbers. What a trend means for memory is the business of
//! [`suspects`](super::suspects).

mod correction;
mod mann_kendall;
mod residuals;
mod theil_sen;

pub use correction::benjamini_hochberg;
pub use mann_kendall::{least_p, mann_kendall};
pub use residuals::{drift, von_neumann_ratio};
pub use theil_sen::{Slope, theil_sen};
