//! Tasks that go from thread to thread, each in a scope of its own.

use heaplens::testing::{Amount, Scope, assert_allocations, assert_retained};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;
use tokio::task::JoinSet;

/// Lets other tasks go first. tokio's own keeps a list of those who wait, which it allocates.
struct Yield(bool);

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Yields between its allocations. Returns those that it keeps, what it has allocated, and how often it
/// has gone on on another thread.
async fn work(seed: u64, rounds: usize) -> (Vec<Vec<u8>>, Amount, usize) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut moves = 0;
    let mut allocated = Amount::default();
    let mut kept = Vec::with_capacity(rounds);
    allocated.bytes += (kept.capacity() * size_of::<Vec<u8>>()) as u64;
    allocated.blocks += 1;
    for _ in 0..rounds {
        let block: Vec<u8> = Vec::with_capacity(random.usize(1..500));
        allocated.bytes += block.capacity() as u64;
        allocated.blocks += 1;
        if random.bool() {
            kept.push(block);
        }
        let thread = thread::current().id();
        Yield(false).await;
        moves += usize::from(thread != thread::current().id());
    }
    (kept, allocated, moves)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_task_sees_its_own() {
    let mut tasks = JoinSet::new();
    for seed in 0..50 {
        let scope = Scope::empty();
        let work = scope.wrap(work(seed, 200));
        tasks.spawn(async move {
            let (kept, allocated, moves) = work.await;
            let report = scope.end();
            assert_eq!(report.allocated(), allocated);
            let kept_bytes: usize = kept.iter().map(Vec::capacity).sum();
            let list = kept.capacity() * size_of::<Vec<u8>>();
            assert_eq!(report.retained().bytes, (kept_bytes + list) as u64);
            assert_eq!(report.retained().blocks, kept.len() as u64 + 1);
            moves
        });
    }
    let mut moves = 0;
    while let Some(task) = tasks.join_next().await {
        moves += task.unwrap();
    }
    assert!(moves > 0, "no task has moved");
}

#[tokio::test]
async fn a_future_within_a_scope_counts_in_both() {
    let outer = Scope::begin();
    let inner = Scope::empty();
    let kept = inner
        .wrap(async {
            let kept: Vec<u8> = Vec::with_capacity(10);
            Yield(false).await;
            (kept, Vec::<u8>::with_capacity(20))
        })
        .await;
    assert_allocations!(inner.report() == 2);
    assert_retained!(inner.end() == 30);
    assert_eq!(outer.end().retained().bytes, 30);
    drop(kept);
}
