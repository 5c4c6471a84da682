//! Statements that are sent one behind the other without waiting, so that they cost one round trip.

use cacheness_core::runtime::BoxFuture;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};

/// The values of a statement.
pub(crate) type Values<'v> = Vec<&'v (dyn ToSql + Sync)>;

/// Something to send.
pub(crate) enum Step<'v> {
    /// A command without values and rows.
    Command(&'v str),
    /// A prepared statement.
    Statement(Statement, Values<'v>),
}

/// Sends all steps and returns what each of them answered, up to and including the first that failed: whatever was sent
/// behind it inside a transaction failed for that reason.
pub(crate) async fn run(client: &Client, steps: &[Step<'_>]) -> Vec<Result<Vec<Row>, Error>> {
    let mut waiting: Vec<Waiting<'_>> = steps.iter().map(|step| Waiting::For(send(client, step))).collect();
    // A future sends when it is polled first, so the order of polls is the order in which the server sees the steps.
    poll_fn(|context| {
        let mut pending = false;
        for answer in &mut waiting {
            pending |= answer.poll(context).is_pending();
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    let mut answers = Vec::with_capacity(waiting.len());
    for answer in waiting {
        let Waiting::Answered(answer) = answer else { continue };
        let failed = answer.is_err();
        answers.push(answer);
        if failed {
            break;
        }
    }
    answers
}

/// Sends a command and does not wait for what becomes of it; whatever is sent later is done later.
pub(crate) fn leave(client: &Client, command: &'static str) {
    let mut sending = Box::pin(client.batch_execute(command));
    drop(sending.as_mut().poll(&mut Context::from_waker(Waker::noop())));
}

enum Waiting<'c> {
    For(BoxFuture<'c, Result<Vec<Row>, Error>>),
    Answered(Result<Vec<Row>, Error>),
}

impl Waiting<'_> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Self::For(answer) = self {
            match Pin::new(answer).poll(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(answer) => *self = Self::Answered(answer),
            }
        }
        Poll::Ready(())
    }
}

fn send<'c>(client: &'c Client, step: &'c Step<'c>) -> BoxFuture<'c, Result<Vec<Row>, Error>> {
    match step {
        Step::Command(command) => Box::pin(async move { client.batch_execute(command).await.map(|()| Vec::new()) }),
        Step::Statement(statement, values) => Box::pin(client.query(statement, values)),
    }
}
