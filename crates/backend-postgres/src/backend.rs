//! The index behind the contract.

use crate::commit::PutQueue;
use crate::config::NotificationMode;
use crate::feed::{self, Announcer};
use crate::listener::{Ear, Listener};
use crate::pipeline::Step;
use crate::pool::{Connections, PoolStats, Session, settings};
use crate::server::{self, Parsed, Server};
use crate::statements::Statements;
use crate::tables::Tables;
use crate::totals::{Committed, STRIPES};
use crate::{SCHEME, blobs, commit, failure, page, reading, reclaim, schema, tls, totals};
use cacheness_core::Rng;
use cacheness_storage::{
    BackendInfo, BackendUrl, BlobQuery, BlobRecord, Capabilities, Change, Changing, Coherence, Cursor, EntryKey, Error,
    ErrorKind, FeedSource, Fields, Locality, MetadataBackend, MetadataStats, OnUnmet, OpenContext, Outcome, Page,
    Query, Reclaim, Reclaimed, Record, Result, async_trait,
};
use std::fmt;
use std::sync::Arc;
use tokio::runtime::Handle;

/// The index in tables of a PostgreSQL database, for any number of machines.
///
/// It needs tokio: it is opened, and every call of it polled, where a tokio runtime is at hand.
pub struct PostgresMetadata {
    name: String,
    read_only: bool,
    full_durability: bool,
    store: Arc<Store>,
    listener: Option<Listener>,
}

/// What every call of the contract works with.
pub(crate) struct Store {
    pub(crate) tables: Tables,
    pub(crate) statements: Statements,
    pub(crate) primary: Connections,
    replica: Option<Connections>,
    pub(crate) rng: Arc<dyn Rng>,
    pub(crate) committed: Committed,
    pub(crate) puts: PutQueue,
    pub(crate) announcer: Arc<Announcer>,
    pub(crate) channel: String,
    /// The counters that this process marks around its commits, where somebody reads them.
    feed: Option<Arc<FeedSource>>,
}

impl PostgresMetadata {
    /// Opens the index that a URL names: `postgres://user:password@host:port/database`, with the options of
    /// [`PostgresConfig`](crate::PostgresConfig) behind a question mark. The scheme `postgresql` means the same.
    ///
    /// Tables that are missing are made; a [read-only](OpenContext::read_only) opening makes and changes nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a URL or options that cannot be meant, a database that does not exist or is not in UTF-8,
    /// a server that is too old or whose certificate is not trusted, a runtime without network I/O, and read-only for a
    /// missing store; [`ErrorKind::ForeignStore`] for tables of somebody else, which stay as they are;
    /// [`ErrorKind::FormatTooNew`] for a later version of the tables; [`ErrorKind::Permission`] for a wrong password and
    /// a missing permission; [`ErrorKind::Unavailable`] and [`ErrorKind::Timeout`] for a server that cannot be reached;
    /// [`ErrorKind::ReadOnly`] for one that follows another one.
    pub async fn open(url: &BackendUrl, context: &OpenContext) -> Result<Self> {
        let parsed = server::parse(url).map_err(|error| error.operation("open"))?;
        let name = name_of(&parsed);
        Self::open_named(name.clone(), parsed, context).await.map_err(|error| error.operation("open").backend(&name))
    }

    async fn open_named(name: String, parsed: Parsed, context: &OpenContext) -> Result<Self> {
        let handle = match Handle::try_current() {
            Ok(handle) if context.runtime.drives_io() => handle,
            _ => {
                return Err(Error::new(ErrorKind::Config, "the runtime does no network I/O, which PostgreSQL needs")
                    .advice("enable the feature tokio, and open with its runtime"));
            }
        };
        let Parsed { server, replica, config } = parsed;
        let connector = {
            let config = config.clone();
            let connector = handle.spawn_blocking(move || tls::connector(&config)).await;
            connector.map_err(|source| Error::new(ErrorKind::Internal, "TLS was not set up").source(source))??
        };
        let connections =
            |server: &Server| Connections::new(server, &config, context, connector.clone(), handle.clone());
        let tables = Tables::of(&config);
        let announcer = Arc::new(Announcer::new(context.rng.clone())?);
        let listens = config.coherence == NotificationMode::Notify;
        let feed = listens.then(|| Arc::new(FeedSource::default()));
        let store = Arc::new(Store {
            statements: Statements::of(&tables),
            primary: connections(&server)?,
            replica: replica.as_ref().map(connections).transpose()?,
            rng: context.rng.clone(),
            committed: Committed::default(),
            puts: PutQueue::new(handle.clone()),
            channel: feed::channel(&tables),
            announcer: announcer.clone(),
            feed: feed.clone(),
            tables,
        });
        let mut session = store.primary.lend().await?;
        let opened = schema::open(&mut session, &store.tables, context.read_only).await?;
        let listener = match feed {
            None => None,
            Some(source) => {
                schema::announce(&mut session, &store.tables, context.read_only).await?;
                let patience = config.connect_timeout() + config.answer_timeout();
                let settings = settings(&server, &config, context);
                let ear = Ear { settings, tls: connector, patience, channel: store.channel.clone(), announcer, source };
                Some(Listener::start(ear, &handle).await?)
            }
        };
        drop(session);
        Ok(Self { name, read_only: context.read_only, full_durability: opened.fsync, store, listener })
    }

    /// How many connections there are to the server, those to a replica and the one that listens not counted.
    pub fn pool_stats(&self) -> PoolStats {
        self.store.primary.stats()
    }

    /// Refuses a change of an index that may not change.
    fn check_writable(&self) -> Result<()> {
        if self.store.primary.is_closed() {
            return Err(failure::closed());
        }
        if self.read_only {
            return Err(Error::new(ErrorKind::ReadOnly, "the index was opened read-only"));
        }
        Ok(())
    }

    async fn page_now(&self, query: &Query, after: Option<&Cursor>) -> Result<Page> {
        query.filter.check()?;
        if let Some(replica) = &self.store.replica {
            let listed = async { page::page(&self.store, &mut replica.lend().await?, query, after).await };
            match listed.await {
                // Whatever is wrong with the replica, the first server knows better.
                Err(error) if error.kind() != ErrorKind::Closed => {}
                listed => return listed,
            }
        }
        page::page(&self.store, &mut self.store.primary.lend().await?, query, after).await
    }

    fn named(&self, error: Error) -> Error {
        error.backend(self)
    }
}

impl Store {
    /// A stripe of the totals by chance.
    pub(crate) fn stripe(&self) -> Result<i16> {
        let [chance] = cacheness_core::rng::random(&*self.rng)?;
        Ok(i16::from(chance % STRIPES))
    }

    /// What reads the totals behind a commit, where somebody wants them.
    pub(crate) async fn totals_after_commit(&self, session: &mut Session) -> Result<Option<Step<'static>>> {
        if !self.committed.is_wanted() {
            return Ok(None);
        }
        Ok(Some(Step::Statement(session.prepared(&self.statements.sum_totals).await?, Vec::new())))
    }

    /// Marks keys that are about to change, where somebody in this process reads the marks.
    pub(crate) fn mark(&self, keys: &mut dyn Iterator<Item = &EntryKey>) -> Option<Changing> {
        let keys = keys.map(|key| key.as_str().as_bytes());
        self.feed.as_ref().map(|feed| feed.generations().change(keys))
    }

    /// Until it is told that the end of a commit is known, dropping the result means that it is not.
    pub(crate) fn unknown_end(&self) -> UnknownEnd<'_> {
        UnknownEnd { store: Some(self) }
    }
}

/// A commit whose end is not known yet.
pub(crate) struct UnknownEnd<'s> {
    store: Option<&'s Store>,
}

impl UnknownEnd<'_> {
    /// It happened, or it did not.
    pub(crate) fn known(mut self) {
        self.store = None;
    }
}

impl Drop for UnknownEnd<'_> {
    fn drop(&mut self) {
        if let Some(store) = self.store {
            store.announcer.rename();
            store.committed.forget();
        }
    }
}

/// The server, and which of the stores in it; no user, no password.
fn name_of(parsed: &Parsed) -> String {
    let (config, default) = (&parsed.config, crate::PostgresConfig::default());
    let mut name = parsed.server.to_string();
    let mut separator = '?';
    for (option, value, default) in
        [("schema", &config.schema, &default.schema), ("table_prefix", &config.table_prefix, &default.table_prefix)]
    {
        if value != default {
            name.push_str(&format!("{separator}{option}={value}"));
            separator = '&';
        }
    }
    name
}

#[async_trait]
impl MetadataBackend for PostgresMetadata {
    fn info(&self) -> BackendInfo {
        let mut capabilities = Capabilities::default();
        capabilities.full_durability = self.full_durability;
        capabilities.read_only = true;
        BackendInfo { name: SCHEME.into(), locality: Locality::Shared, blocking: false, capabilities }
    }

    async fn get(&self, keys: &[EntryKey], fields: Fields) -> Result<Vec<Option<Record>>> {
        reading::records(&self.store, keys, fields).await.map_err(|error| self.named(error))
    }

    async fn commit(&self, changes: Vec<Change>, on_unmet: OnUnmet) -> Result<Vec<Outcome>> {
        let committing = async {
            self.check_writable()?;
            commit::commit(&self.store, &changes, on_unmet).await
        };
        committing.await.map_err(|error| self.named(error))
    }

    async fn page(&self, query: &Query, after: Option<Cursor>) -> Result<Page> {
        self.page_now(query, after.as_ref()).await.map_err(|error| self.named(error))
    }

    async fn blobs(&self, query: &BlobQuery) -> Result<Vec<BlobRecord>> {
        blobs::query(&self.store, query).await.map_err(|error| self.named(error))
    }

    async fn reclaim(&self, plan: &Reclaim) -> Result<Reclaimed> {
        let reclaiming = async {
            self.check_writable()?;
            reclaim::reclaim(&self.store, plan).await
        };
        reclaiming.await.map_err(|error| self.named(error))
    }

    async fn stats(&self) -> Result<MetadataStats> {
        let reading = async { totals::read(&mut self.store.primary.lend().await?, &self.store.statements).await };
        reading.await.map_err(|error| self.named(error))
    }

    fn committed(&self) -> Option<MetadataStats> {
        self.store.committed.get()
    }

    fn coherence(&self) -> Coherence {
        self.listener.as_ref().map_or(Coherence::Probe, |listener| Coherence::Feed(listener.source().feed()))
    }

    async fn close(&self) -> Result<()> {
        self.store.primary.close();
        if let Some(replica) = &self.store.replica {
            replica.close();
        }
        if let Some(listener) = &self.listener {
            listener.stop();
        }
        Ok(())
    }
}

impl fmt::Display for PostgresMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for PostgresMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresMetadata({self})")
    }
}
