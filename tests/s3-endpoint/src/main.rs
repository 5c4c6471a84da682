//! Serves a directory as S3, with signatures checked and buckets in the path, on the loopback interface: a program of its
//! own for tests that need a real server. It prints one line with its URL when it listens, and ends when its standard input
//! closes or with SIGTERM.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program speaks through its streams")]

mod account;
mod arguments;
mod body;
mod conditions;
mod endpoint;
mod listing;
mod uploads;

use crate::account::Account;
use crate::arguments::Arguments;
use crate::endpoint::Endpoint;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{HttpError, HttpResponse};
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{ExitCode, exit};
use std::thread;

fn main() -> ExitCode {
    let served = Arguments::parse(std::env::args().skip(1))
        .and_then(|arguments| serve(arguments).map_err(|error| format!("the S3 endpoint cannot run: {error}")));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn serve(arguments: Arguments) -> io::Result<()> {
    let endpoint = Endpoint::open(&arguments.directory)?;
    let Arguments { access_key, secret_key, .. } = arguments;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.port))?;
    listener.set_nonblocking(true)?;
    let url = format!("http://{access_key}:{secret_key}@{}", listener.local_addr()?);
    let mut builder = S3ServiceBuilder::new(endpoint);
    builder.set_auth(Account { access_key, secret_key: secret_key.into() });
    let service = builder.build();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if !arguments.stays {
        thread::spawn(|| {
            // What ends the input ends the program, be it an error.
            let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
            exit(0)
        });
    }
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{url}")?;
    stdout.flush()?;
    drop(stdout);
    runtime.block_on(accept(listener, service))
}

async fn accept(listener: TcpListener, service: S3Service) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        // An error concerns one connection, which its client gave up.
        let Ok((socket, _)) = listener.accept().await else { continue };
        let _ = socket.set_nodelay(true);
        let service = whole(service.clone());
        tokio::spawn(async move {
            let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

/// Carries out to its end whatever was received, also when the client is gone by then: S3 does nothing by halves.
fn whole(
    service: S3Service,
) -> impl Service<Request<Incoming>, Response = HttpResponse, Error = HttpError, Future: Send> {
    service_fn(move |request: Request<Incoming>| {
        let carried_out = tokio::spawn(Service::call(&service, request));
        async { carried_out.await.unwrap_or_else(|ended| Err(HttpError::new(Box::new(ended)))) }
    })
}
