//! All processes of a test, and what of them is measured.
//!
//! It never measures; it knows who is who and sees to it that each is up before and ended after.

use rustix::process::Pid;

use crate::call::Script;
use crate::connection::{Connection, Endpoint};
use crate::failure::Failure;
use crate::gateway::Gateway;
use crate::options::{Options, TargetName};
use crate::process::{Process, Stop};
use crate::stub;

/// What the stub and the proxy get as a token; they do not look at it, but it is sent all the same.
const ANY_BEARER: &str = "tg_0000000000000000000000000000000000000000000000000000";

/// One thing to measure.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// What it is.
    pub(crate) target: TargetName,
    /// The process whose CPU time and memory are its.
    pub(crate) pid: Pid,
    /// Where its calls go.
    pub(crate) endpoint: Endpoint,
    /// Where a flood goes meanwhile, if there is one.
    pub(crate) flood: Option<Endpoint>,
}

/// The processes.
#[derive(Debug)]
pub(crate) struct Stage {
    /// What is measured, in this order.
    pub(crate) subjects: Vec<Subject>,
    stub: Process,
    proxy: Option<Process>,
    gateways: Vec<Gateway>,
}

impl Stage {
    /// Starts the stub and whatever else is to be measured.
    pub(crate) async fn set(options: &Options) -> Result<Stage, Failure> {
        let program = options.toolgate();
        let has_gateway = options.targets().into_iter().any(TargetName::is_gateway);
        if has_gateway && !program.is_file() {
            return Err(Failure::NoGateway(program));
        }
        let (stub, upstream) = Process::role("the stub", &["stub".into()]).await?;
        let mut stage = Stage {
            subjects: Vec::new(),
            stub,
            proxy: None,
            gateways: Vec::new(),
        };
        for target in options.targets() {
            let mut flood = None;
            let (pid, endpoint) = match target {
                TargetName::Direct => (stage.stub.pid(), plain(upstream)),
                TargetName::Proxy => {
                    let arguments = ["proxy".into(), format!("--upstream={upstream}")];
                    let (proxy, address) = Process::role("the proxy", &arguments).await?;
                    (stage.proxy.insert(proxy).pid(), plain(address))
                }
                TargetName::Toolgate | TargetName::Fsync | TargetName::Flooded => {
                    let gateway = Gateway::start(&program, upstream, target).await?;
                    let started = (gateway.process.pid(), gateway.endpoint.clone());
                    flood = gateway.flood.clone();
                    stage.gateways.push(gateway);
                    started
                }
            };
            stage.subjects.push(Subject {
                target,
                pid,
                endpoint,
                flood,
            });
        }
        Ok(stage)
    }

    /// Makes one call to each subject: where the first one fails, nothing can be measured.
    pub(crate) async fn probe(&self) -> Result<(), Failure> {
        for subject in &self.subjects {
            if let Err(found) = first_call(&subject.endpoint).await {
                let mut gateways = self.gateways.iter();
                let gateway = gateways.find(|gateway| gateway.target == subject.target);
                let log = gateway.map(Gateway::log);
                return Err(Failure::Probe {
                    target: subject.target.name(),
                    found: found + &log.unwrap_or_default(),
                });
            }
        }
        Ok(())
    }

    /// The stub's process; it works in every round.
    pub(crate) fn stub(&self) -> Pid {
        self.stub.pid()
    }

    /// Bytes that the gateways have written, if there are any.
    pub(crate) fn written(&self) -> Option<u64> {
        let written = self.gateways.iter().map(Gateway::written);
        (!self.gateways.is_empty()).then(|| written.sum())
    }

    /// Ends all processes, those first that use the others; returns what was wrong with that.
    pub(crate) async fn clear(self) -> Vec<String> {
        let mut problems = Vec::new();
        for gateway in self.gateways {
            problems.extend(gateway.stop().await);
        }
        if let Some(proxy) = self.proxy {
            problems.extend(proxy.stop(Stop::CloseInput).await);
        }
        problems.extend(self.stub.stop(Stop::CloseInput).await);
        problems
    }
}

/// A call on a connection of its own.
async fn first_call(endpoint: &Endpoint) -> Result<(), String> {
    let mut connection = Connection::open(endpoint).await?;
    let call = Script::new(0).call(0);
    connection.ask(endpoint, &call).await.verified()
}

fn plain(address: std::net::SocketAddr) -> Endpoint {
    Endpoint::new(address, stub::PATH, ANY_BEARER).expect("constants that are valid in a request")
}
