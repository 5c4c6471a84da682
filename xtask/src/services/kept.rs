//! Servers that stay up until they are told to end, and the file that tells which these are.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::process::Process;
use super::servers::{Cluster, Endpoint};
use super::{Given, POSTGRES, S3};
use crate::failure::{Failure, Result};
use crate::workspace::Workspace;

/// The file, and through it the servers.
pub(super) struct Kept {
    file: PathBuf,
}

/// A server, ours or not.
struct Server {
    variable: String,
    url: String,
    /// Nothing when it was given.
    ours: Option<Ours>,
}

struct Ours {
    process: Process,
    home: PathBuf,
}

impl Kept {
    pub(super) fn at(workspace: &Workspace) -> Result<Self> {
        Ok(Self { file: workspace.reports()?.join("services.json") })
    }

    /// Whether all that were started are there still.
    pub(super) fn runs(&self) -> Result<bool> {
        let servers = self.read()?;
        let is_up = |server: &Server| server.ours.as_ref().is_none_or(|ours| ours.process.is_alive());
        Ok(servers.len() == 2 && servers.iter().all(is_up))
    }

    /// Starts what is not given. Where that fails, a line says why.
    pub(super) fn start(&self, binary: &Path, given: Given) -> Result<()> {
        let mut servers = Vec::new();
        for (variable, url, start) in [
            (POSTGRES, given.postgres, &start_postgres as &dyn Fn() -> io::Result<(String, Ours)>),
            (S3, given.s3, &|| start_s3(binary)),
        ] {
            let started = match url {
                Some(url) => Ok((url, None)),
                None => start().map(|(url, ours)| (url, Some(ours))),
            };
            match started {
                Ok((url, ours)) => servers.push(Server { variable: variable.into(), url, ours }),
                Err(error) => eprintln!("no {variable}: {error}"),
            }
            // At once: what is noted can be ended.
            self.write(&servers)?;
        }
        Ok(())
    }

    pub(super) fn urls(&self) -> Result<Vec<(String, String)>> {
        Ok(self.read()?.into_iter().map(|server| (server.variable, server.url)).collect())
    }

    /// Whether there is one of each, however it came.
    pub(super) fn complete(&self) -> Result<()> {
        match self.read()?.len() {
            2 => Ok(()),
            _ => Err(Failure::Failed("not every server could be started".into())),
        }
    }

    /// Ends what was started and removes its directories; what was given is left alone.
    pub(super) fn end(&self) -> Result<()> {
        for server in self.read()? {
            let Some(Ours { process, home }) = server.ours else { continue };
            // PostgreSQL would wait for its clients otherwise, and for its disk; nobody wants the data.
            let signal = if server.variable == POSTGRES { "QUIT" } else { "TERM" };
            process.end(signal).map_err(Failure::while_doing(format!("ending the server of {}", server.variable)))?;
            remove(&home).map_err(Failure::while_doing(format!("removing {}", home.display())))?;
        }
        match fs::remove_file(&self.file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Failure::while_doing(format!("removing {}", self.file.display()))(error))
            }
            _ => Ok(()),
        }
    }

    fn read(&self) -> Result<Vec<Server>> {
        let text = match fs::read_to_string(&self.file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            read => read.map_err(Failure::while_doing(format!("reading {}", self.file.display())))?,
        };
        let servers = serde_json::from_str::<Vec<Value>>(&text).ok();
        let servers = servers.and_then(|servers| servers.iter().map(Server::from_json).collect());
        servers.ok_or_else(|| Failure::Failed(format!("{} is no list of servers", self.file.display())))
    }

    fn write(&self, servers: &[Server]) -> Result<()> {
        let text = Value::Array(servers.iter().map(Server::to_json).collect());
        fs::write(&self.file, format!("{text:#}\n"))
            .map_err(Failure::while_doing(format!("writing {}", self.file.display())))
    }
}

impl Server {
    fn to_json(&self) -> Value {
        let ours = self.ours.as_ref();
        json!({
            "variable": self.variable,
            "url": self.url,
            "process": ours.map(|ours| ours.process.id),
            "began": ours.map(|ours| &ours.process.began),
            "home": ours.map(|ours| &ours.home),
        })
    }

    fn from_json(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name)?.as_str().map(str::to_owned);
        let id = value.get("process")?.as_u64().and_then(|id| u32::try_from(id).ok());
        let ours =
            id.map(|id| Some(Ours { process: Process { id, began: text("began")? }, home: text("home")?.into() }));
        Some(Self {
            variable: text("variable")?,
            url: text("url")?,
            ours: if id.is_some() { Some(ours??) } else { None },
        })
    }
}

fn start_postgres() -> io::Result<(String, Ours)> {
    let mut cluster = Cluster::create()?;
    let home = cluster.home().to_owned();
    let started = cluster.start().and_then(|()| {
        let file = fs::read_to_string(home.join("data").join("postmaster.pid"))?;
        let id = file.lines().next().and_then(|line| line.trim().parse().ok());
        running(id)
    });
    match started {
        Ok(process) => Ok((cluster.url(), Ours { process, home })),
        Err(error) => {
            remove(&home)?;
            Err(error)
        }
    }
}

fn start_s3(binary: &Path) -> io::Result<(String, Ours)> {
    let mut endpoint = Endpoint::create(binary)?;
    let home = endpoint.home().to_owned();
    fs::create_dir_all(endpoint.buckets().join(super::example::BUCKET))?;
    match endpoint.start(true).and_then(|child| running(Some(child.id()))) {
        Ok(process) => Ok((endpoint.url(), Ours { process, home })),
        Err(error) => {
            remove(&home)?;
            Err(error)
        }
    }
}

fn running(id: Option<u32>) -> io::Result<Process> {
    id.and_then(Process::of).ok_or_else(|| io::Error::other("it ended at once"))
}

/// Removes a directory that may be gone already.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
