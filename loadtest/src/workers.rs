//! Serves HTTP/1.1 on every core: one thread, one runtime and one listener socket each, the shape that the gateway has too.
//!
//! It never moves a connection to another thread, and never outlives whoever started it: when standard input closes, it ends.

use std::convert::Infallible;
use std::error::Error;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::thread;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

use crate::failure::Failure;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1_024;

/// How many workers there are: as many as the process may use cores.
pub(crate) fn cores() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// A runtime for one thread.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(started("a runtime"))
}

/// Serves on a free port of 127.0.0.1, prints the address as the first line, and returns when standard input closes.
/// `make` is called once on each worker.
pub(crate) fn serve<S, B>(make: impl Fn() -> S + Clone + Send + 'static) -> Result<(), Failure>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send,
    S: 'static,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (first, address) = listener(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let mut listeners = vec![first];
    for _ in 1..cores().get() {
        listeners.push(listener(address)?.0);
    }
    for listener in listeners {
        let (runtime, make) = (runtime()?, make.clone());
        let work = move || runtime.block_on(accept(listener, make));
        thread::Builder::new()
            .name("worker".into())
            .spawn(work)
            .map_err(started("a worker thread"))?;
    }
    announce(address).map_err(started("the announcement"))?;
    // An end that cannot be read is an end as well.
    let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
    Ok(())
}

fn announce(address: SocketAddr) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{address}")?;
    stdout.flush()
}

/// A listening socket that shares its port with the other workers': the kernel spreads the connections.
fn listener(address: SocketAddr) -> Result<(Socket, SocketAddr), Failure> {
    let listen = || -> io::Result<(Socket, SocketAddr)> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let bound = socket.local_addr()?.as_socket();
        Ok((socket, bound.ok_or(io::ErrorKind::AddrNotAvailable)?))
    };
    listen().map_err(started("a listener"))
}

async fn accept<S, B>(socket: Socket, make: impl Fn() -> S)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send,
    S: 'static,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let listener = TcpListener::from_std(socket.into()).expect("the runtime is running");
    let service = make();
    loop {
        // Accepting fails when descriptors run out; the client sees it as a refused connection and reports it.
        match listener.accept().await {
            Ok((stream, _)) => tokio::spawn(connection(stream, service.clone())),
            Err(_) => continue,
        };
    }
}

async fn connection<S, B>(stream: TcpStream, service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    // A broken connection is the client's to report: it has the call that was on it.
    let _ = stream.set_nodelay(true);
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn started(what: &'static str) -> impl Fn(io::Error) -> Failure {
    move |source| Failure::Start { what, source }
}
