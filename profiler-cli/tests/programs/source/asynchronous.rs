//! An asynchronous `main`, whose tasks keep boxes.

#![forbid(unsafe_code)]

use std::sync::Mutex;

static KEPT: Mutex<Vec<Box<[u8; 1000]>>> = Mutex::new(Vec::new());

#[tokio::main(worker_threads = 2)]
async fn main() {
    heaplens::profile!();
    let tasks: Vec<_> = (0..100).map(|number| tokio::spawn(keep(number))).collect();
    for task in tasks {
        task.await.expect("the task ends");
    }
}

async fn keep(number: u8) {
    for _ in 0..10 {
        let block = compose(number);
        KEPT.lock().expect("no task panics").push(block);
        tokio::task::yield_now().await;
    }
}

#[inline(never)]
fn compose(number: u8) -> Box<[u8; 1000]> {
    Box::new(std::hint::black_box([number; 1000]))
}
