//! Futures that are polled in a scope.

use super::scope::Handle;
use crate::recorder;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A future that is in a scope whenever it is polled: see [`Scope::wrap`](super::Scope::wrap).
///
/// What it allocates between two `.await`s is counted, on whichever thread that runs, and so is what
/// the runtime allocates on its behalf meanwhile; what other tasks do there in between is not. The
/// future itself is kept on the heap, which is not counted.
///
/// ```
/// # heaplens::testing::install!();
/// use heaplens::testing::{Scope, assert_retained};
///
/// # #[tokio::main]
/// # async fn main() {
/// let scope = Scope::empty();
/// let task = tokio::spawn(scope.wrap(async {
///     let kept = vec![0_u8; 100];
///     tokio::task::yield_now().await;
///     kept
/// }));
/// let kept = task.await.unwrap();
/// assert_retained!(scope.end() <= 1 KiB);
/// # drop(kept);
/// # }
/// ```
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct InScope<F> {
    handle: Handle,
    future: Pin<Box<F>>,
}

impl<F> InScope<F> {
    pub(super) fn new(handle: Handle, future: F) -> Self {
        let future = recorder::as_own(|| Box::pin(future));
        Self { handle, future }
    }
}

impl<F: Future> Future for InScope<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _entered = self.handle.enter();
        self.future.as_mut().poll(context)
    }
}
